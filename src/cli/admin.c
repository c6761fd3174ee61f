#include "cli/admin_internal.h"
#include "cli/commands.h"
#include "cli/directories.h"
#include "cli/render.h"

#include "hub/control.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct option_spec admin_options_table[] = {
    {.name = "data-dir",
     .kind = OPTION_TEXT,
     .argument = "DIR",
     .help = "The hub's data folder. By default /var/lib/dpow for root, otherwise "
             "$XDG_STATE_HOME/dpow."},
    {.name = "store",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "The hub's store, if the hub was given one; by default SQLite in the data folder.",
     .secret = true},
    {.name = "json", .kind = OPTION_FLAG, .help = "Prints JSON."},
    {.name = NULL},
};

/* Who gives the command: whoever became root for it is named. */
static void write_actor(struct json_writer *writer)
{
    const struct passwd *self = getpwuid(getuid());
    const char *sudo = getenv("SUDO_USER");
    char actor[STORE_ACTOR_SIZE];
    const char *name = self != NULL ? self->pw_name : "unknown";
    if (sudo != NULL && sudo[0] != '\0' && getuid() == 0)
        (void)snprintf(actor, sizeof actor, "%.30s (%.30s)", name, sudo);
    else
        (void)snprintf(actor, sizeof actor, "%.60s", name);
    json_key(writer, "actor");
    json_write_text(writer, actor);
}

void admin_request_begin(struct admin_request *request, const char *command)
{
    json_writer_init(&request->writer, request->text, sizeof request->text);
    json_begin_object(&request->writer);
    json_key(&request->writer, "command");
    json_write_text(&request->writer, command);
    write_actor(&request->writer);
}

void admin_request_text(struct admin_request *request, const struct invocation *invocation,
                        const char *option, const char *member)
{
    const char *text = options_text(invocation->options, option);
    if (text == NULL)
        return;
    json_key(&request->writer, member);
    json_write_text(&request->writer, text);
}

void admin_request_u64(struct admin_request *request, const struct invocation *invocation,
                       const char *option, const char *member)
{
    if (!options_given(invocation->options, option))
        return;
    json_key(&request->writer, member);
    json_write_u64(&request->writer, options_u64(invocation->options, option));
}

void admin_request_number(struct admin_request *request, const struct invocation *invocation,
                          const char *option, const char *member)
{
    if (!options_given(invocation->options, option))
        return;
    json_key(&request->writer, member);
    json_write_double(&request->writer, options_number(invocation->options, option));
}

bool admin_store_url(const struct invocation *invocation, char *url, size_t size,
                     struct error *error)
{
    const char *given = options_text(invocation->options, "store");
    char directory[DIRECTORY_SIZE];
    if (!state_directory_find(options_text(invocation->options, "data-dir"), directory, error))
        return false;
    const int length = given != NULL ? snprintf(url, size, "%s", given)
                                     : snprintf(url, size, "sqlite:%s/dpow.db", directory);
    return (length >= 0 && (size_t)length < size) ||
           error_set(error, ERROR_INVALID, "store: the URL may have at most %zu bytes", size - 1);
}

static void keep_answer(void *context, struct slice json)
{
    struct admin_answer *answer = context;
    answer->text = malloc(json.length + 1);
    if (answer->text == NULL)
        return;
    memcpy(answer->text, json.data, json.length);
    answer->text[json.length] = '\0';
}

/* A running hub carries the command out itself; of a stopped one the store is opened. */
static bool ask(const struct invocation *invocation, const char *request,
                struct admin_answer *answer, struct error *error)
{
    char directory[DIRECTORY_SIZE];
    char url[DIRECTORY_SIZE + 1024];
    if (!state_directory_find(options_text(invocation->options, "data-dir"), directory, error) ||
        !admin_store_url(invocation, url, sizeof url, error))
        return false;
    if (control_ask(directory, slice_of(request), &answer->text, error))
        return true;
    if (error->code != ERROR_NOT_FOUND)
        return false;
    return admin_execute_stopped(url, &invocation->log, slice_of(request), keep_answer, answer,
                                 error);
}

/* The member `result` of the answer; false with the hub's own words if it refused. */
static bool read_result(struct admin_answer *answer, struct json_value *result, struct error *error)
{
    char text[sizeof error->text];
    size_t length;
    if (answer->text == NULL ||
        json_read_object(slice_of(answer->text), &answer->object) != JSON_OK)
        return error_set(error, ERROR_SYSTEM, "the hub's answer cannot be read");
    if (json_string(json_find(&answer->object, "error"), text, sizeof text, &length))
        return error_set(error, ERROR_INVALID, "%s", text);
    *result = json_find(&answer->object, "result");
    return result->type != JSON_ABSENT ||
           error_set(error, ERROR_SYSTEM, "the hub's answer has no result");
}

int admin_print(const struct invocation *invocation, struct json_value result)
{
    char *text = NULL;
    if (!options_flag(invocation->options, "json"))
        text = render_text(result);
    else if (result.text.data != NULL)
        text = strndup(result.text.data, result.text.length);
    if (text == NULL) {
        const struct error error = {ERROR_MEMORY, "no memory to print the result"};
        return command_fail(invocation, &error);
    }
    const int status = command_print(invocation, text);
    free(text);
    return status;
}

bool admin_ask(const struct invocation *invocation, struct admin_request *request,
               struct admin_answer *answer, struct json_value *result, struct error *error)
{
    answer->text = NULL;
    json_end_object(&request->writer);
    if (request->writer.overflow)
        return error_set(error, ERROR_INVALID, "the options are longer than %d bytes",
                         ADMIN_REQUEST_MAX);
    return ask(invocation, request->text, answer, error) && read_result(answer, result, error);
}

int admin_run_noting(const struct invocation *invocation, struct admin_request *request,
                     const char *note)
{
    struct admin_answer answer = {0};
    struct json_value result = {JSON_ABSENT, {"", 0}};
    struct error error;
    int status = EXIT_DONE;
    if (admin_ask(invocation, request, &answer, &result, &error))
        status = admin_print(invocation, result);
    else
        status = command_fail(invocation, &error);
    free(answer.text);
    if (status == EXIT_DONE && note != NULL && !options_flag(invocation->options, "json"))
        status = command_print(invocation, note);
    return status;
}

int admin_run(const struct invocation *invocation, struct admin_request *request)
{
    return admin_run_noting(invocation, request, NULL);
}

int admin_run_check(const struct invocation *invocation, struct admin_request *request,
                    const char *none)
{
    struct admin_answer answer = {0};
    struct json_value result = {JSON_ABSENT, {"", 0}};
    struct error error;
    if (!admin_ask(invocation, request, &answer, &result, &error)) {
        free(answer.text);
        return command_fail(invocation, &error);
    }
    const bool empty = slice_is(result.text, "[]");
    const bool json = options_flag(invocation->options, "json");
    const int printed =
        empty && !json ? command_print(invocation, none) : admin_print(invocation, result);
    free(answer.text);
    return empty ? printed : EXIT_FAILED;
}

static const struct command *const subcommands[] = {&command_service_add,
                                                    &command_service_list,
                                                    &command_service_show,
                                                    &command_service_edit,
                                                    &command_service_rotate,
                                                    &command_service_ban,
                                                    &command_service_unban,
                                                    &command_service_remove,
                                                    &command_credit_add,
                                                    &command_credit_list,
                                                    &command_client_list,
                                                    &command_client_show,
                                                    &command_client_ban,
                                                    &command_client_unban,
                                                    &command_connection_ban,
                                                    &command_payout_plan,
                                                    &command_payout_list,
                                                    &command_payout_show,
                                                    &command_payout_run,
                                                    &command_payout_cancel,
                                                    &command_payout_export,
                                                    &command_payout_import,
                                                    &command_payout_import_original,
                                                    &command_audit,
                                                    &command_check,
                                                    &command_stats,
                                                    &command_backup,
                                                    &command_migrate,
                                                    NULL};

const struct command command_admin = {
    .name = "admin",
    .summary = "Manage a hub: services, credits, clients, payouts, books",
    .synopsis = "[OPTIONS] SUBCOMMAND …",
    .description = "Works on the hub of a data folder, whether it runs or not. Whatever changes "
                   "anything is written to the audit log.",
    .examples = "dpow admin service add wallet --display \"My Wallet\" --public",
    .options = admin_options_table,
    .subcommands = subcommands,
};
