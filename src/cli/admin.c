#include "cli/commands.h"
#include "cli/directories.h"

#include "base/json.h"
#include "hub/admin.h"
#include "hub/control.h"

#include <stdio.h>
#include <stdlib.h>

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

static const struct option_spec add_options[] = {
    {.name = "display",
     .kind = OPTION_TEXT,
     .argument = "TEXT",
     .help = "The name shown to people; by default NAME."},
    {.name = "website",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "Where people find the service."},
    {.name = "public",
     .kind = OPTION_FLAG,
     .help = "Lists the service by name in the public statistics."},
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0.01,
     .high = 1e6,
     .help = "How many requests a second it may make.",
     .fallback = "100"},
    {.name = NULL},
};

/* The hub's answer to one request, parsed: either a result or an error. */
struct answer {
    char *text; /* Owned; the object borrows it. */
    struct json_object object;
};

static void keep_answer(void *context, struct slice json)
{
    struct answer *answer = context;
    answer->text = malloc(json.length + 1);
    if (answer->text == NULL)
        return;
    memcpy(answer->text, json.data, json.length);
    answer->text[json.length] = '\0';
}

/* A running hub carries the command out itself; of a stopped one the store is opened. */
static bool ask(const struct invocation *invocation, const char *request, struct answer *answer,
                struct error *error)
{
    char directory[DIRECTORY_SIZE];
    char default_url[DIRECTORY_SIZE + 32];
    const char *url = options_text(invocation->options, "store");
    if (!state_directory_find(options_text(invocation->options, "data-dir"), directory, error))
        return false;
    if (control_ask(directory, slice_of(request), &answer->text, error))
        return true;
    if (error->code != ERROR_NOT_FOUND)
        return false;
    (void)snprintf(default_url, sizeof default_url, "sqlite:%s/dpow.db", directory);
    return admin_execute_stopped(url != NULL ? url : default_url, &invocation->log,
                                 slice_of(request), keep_answer, answer, error);
}

/* The member `result` of the answer; false with the hub's own words if it refused. */
static bool read_result(struct answer *answer, struct json_value *result, struct error *error)
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

static int print_slice(const struct invocation *invocation, struct slice text)
{
    char *copy = text.data != NULL ? strndup(text.data, text.length) : NULL;
    const int status = copy != NULL ? command_print(invocation, copy) : EXIT_FAILED;
    free(copy);
    return status;
}

static void write_addition(const struct invocation *invocation, char *request, size_t size)
{
    const struct options *options = invocation->options;
    const char *display = options_text(options, "display");
    const char *website = options_text(options, "website");
    struct json_writer writer;
    json_writer_init(&writer, request, size);
    json_begin_object(&writer);
    json_key(&writer, "command");
    json_write_text(&writer, "service add");
    json_key(&writer, "name");
    json_write_text(&writer, invocation->arguments[0]);
    if (display != NULL) {
        json_key(&writer, "display");
        json_write_text(&writer, display);
    }
    if (website != NULL) {
        json_key(&writer, "website");
        json_write_text(&writer, website);
    }
    json_key(&writer, "public");
    json_write_bool(&writer, options_flag(options, "public"));
    json_key(&writer, "rate");
    json_write_double(&writer, options_number(options, "rate"));
    json_end_object(&writer);
}

static int print_addition(const struct invocation *invocation, struct json_value result)
{
    struct json_object object;
    char service[SERVICE_NAME_SIZE];
    char key[128];
    char text[320];
    size_t length;
    if (options_flag(invocation->options, "json"))
        return print_slice(invocation, result.text);
    if (json_read_object(result.text, &object) != JSON_OK ||
        !json_string(json_find(&object, "service"), service, sizeof service, &length) ||
        !json_string(json_find(&object, "api_key"), key, sizeof key, &length))
        return print_slice(invocation, result.text);
    (void)snprintf(text, sizeof text, "service: %s\napi key: %s\nThe key is shown this once only.",
                   service, key);
    return command_print(invocation, text);
}

static int run_add(const struct invocation *invocation)
{
    char request[ADMIN_REQUEST_MAX];
    struct answer answer = {0};
    struct json_value result = {JSON_ABSENT, {NULL, 0}};
    struct error error;
    write_addition(invocation, request, sizeof request);
    const bool done =
        ask(invocation, request, &answer, &error) && read_result(&answer, &result, &error);
    const int status = done ? print_addition(invocation, result) : command_fail(invocation, &error);
    free(answer.text);
    return status;
}

static int run_list(const struct invocation *invocation)
{
    struct answer answer = {0};
    struct json_value result = {JSON_ABSENT, {NULL, 0}};
    struct error error;
    const bool done = ask(invocation, "{\"command\":\"service list\"}", &answer, &error) &&
                      read_result(&answer, &result, &error);
    const int status =
        done ? print_slice(invocation, result.text) : command_fail(invocation, &error);
    free(answer.text);
    return status;
}

static const struct command service_add = {
    .name = "service add",
    .summary = "Add a service and print its API key",
    .synopsis = "NAME [OPTIONS]",
    .description = "Adds a service and prints its API key, once: only a hash of it is kept.",
    .examples = "dpow admin service add wallet --display \"My Wallet\" --public",
    .options = add_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_add,
};

static const struct command service_list = {
    .name = "service list",
    .summary = "List the services",
    .synopsis = "[OPTIONS]",
    .description =
        "Lists the services as a JSON array: names, rates, and how many requests of each "
        "were answered from the cache (precache) and after a search (ondemand).",
    .examples = "dpow admin --data-dir ./hub service list",
    .run = run_list,
};

static const struct command *const subcommands[] = {&service_add, &service_list,
                                                   &command_admin_migrate, NULL};

const struct command command_admin = {
    .name = "admin",
    .summary = "Manage the services of a hub",
    .synopsis = "[OPTIONS] SUBCOMMAND …",
    .description = "Works on the hub of a data folder, whether it runs or not.",
    .examples = "dpow admin service add wallet --display \"My Wallet\" --public",
    .options = admin_options_table,
    .subcommands = subcommands,
};
