#include "hub/admin_internal.h"

#include "base/clock.h"
#include "hub/board.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
    const char *name;
    void (*run)(struct admin_call *call);
} commands[] = {
    {"service add", admin_service_add},
    {"service list", admin_service_list},
    {"service show", admin_service_show},
    {"service edit", admin_service_edit},
    {"service rotate-key", admin_service_rotate},
    {"service ban", admin_service_ban},
    {"service unban", admin_service_unban},
    {"service remove", admin_service_remove},
    {"credit add", admin_credit_add},
    {"credit list", admin_credit_list},
    {"client list", admin_client_list},
    {"client show", admin_client_show},
    {"client ban", admin_client_ban},
    {"client unban", admin_client_unban},
    {"connection ban", admin_connection_ban},
    {"payout plan", admin_payout_plan},
    {"payout list", admin_payout_list},
    {"payout show", admin_payout_show},
    {"payout lines", admin_payout_lines},
    {"payout cancel", admin_payout_cancel},
    {"payout try", admin_payout_try},
    {"payout sent", admin_payout_sent},
    {"payout confirmed", admin_payout_confirmed},
    {"audit", admin_audit},
    {"check", admin_check},
    {"stats", admin_stats},
};

static void end_call(struct admin_call *call, struct slice answer)
{
    call->reply(call->context, answer);
    free(call->list);
    sodium_memzero(call, sizeof *call);
    free(call);
}

void admin_fail(struct admin_call *call, const char *format, ...)
{
    char text[512];
    char data[6 * sizeof text];
    struct json_writer writer;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_writer_init(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "error");
    json_write_text(&writer, text);
    json_end_object(&writer);
    end_call(call, (struct slice){data, writer.length});
}

void admin_begin_result(struct json_writer *writer, char *data, size_t size)
{
    json_writer_init(writer, data, size);
    json_begin_object(writer);
    json_key(writer, "result");
}

void admin_end_result(struct admin_call *call, struct json_writer *writer)
{
    json_end_object(writer);
    if (writer->overflow)
        admin_fail(call, "the answer is too long: ask for fewer rows with limit");
    else
        end_call(call, (struct slice){writer->data, writer->length});
}

void admin_done(struct admin_call *call)
{
    char data[256];
    struct json_writer writer;
    admin_begin_result(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "service");
    json_write_text(&writer, call->record.name);
    json_end_object(&writer);
    admin_end_result(call, &writer);
}

void admin_submit(struct admin_call *call, bool audited,
                  void (*done)(void *context, struct store_op *op))
{
    call->op.audit = audited ? &call->audit : NULL;
    if (!call->options.submit(call->options.context, &call->op, done, call))
        admin_fail(call, "no memory for the command");
}

bool admin_stored(struct admin_call *call, const char *conflict)
{
    if (call->op.status == STORE_DONE)
        return true;
    admin_fail(call, "%s",
               call->op.status == STORE_CONFLICT ? conflict : "nothing was done: the hub stops");
    return false;
}

bool admin_text(const struct admin_call *call, const char *name, char *text, size_t size)
{
    const struct json_value value = json_find(&call->object, name);
    char read[ADMIN_REQUEST_MAX];
    size_t length;
    if (value.type == JSON_ABSENT)
        return true;
    if (!json_string(value, read, sizeof read, &length) || strlen(read) != length || length >= size)
        return false;
    memcpy(text, read, length + 1);
    return true;
}

struct service *admin_service(struct admin_call *call)
{
    char name[SERVICE_NAME_SIZE] = "";
    struct service *service = NULL;
    if (admin_text(call, "name", name, sizeof name))
        service = services_find(call->options.services, name);
    if (service != NULL)
        call->record = service->record;
    else if (name[0] != '\0')
        admin_fail(call, "there is no service %s", name);
    else
        admin_fail(call, "name: a service's name has 1 to 64 characters of A-Z a-z 0-9 . _ -");
    return service;
}

bool admin_number(struct admin_call *call, const char *name, int64_t low, int64_t high,
                  int64_t otherwise, int64_t *number)
{
    const struct json_value value = json_find(&call->object, name);
    double read = (double)otherwise;
    if (value.type != JSON_ABSENT &&
        (value.type != JSON_NUMBER || !json_number(value, &read) ||
         !(read >= (double)low && read <= (double)high) || read != (double)(int64_t)read)) {
        admin_fail(call, "%s: must be a whole number from %" PRId64 " to %" PRId64, name, low,
                   high);
        return false;
    }
    *number = value.type != JSON_ABSENT ? (int64_t)read : otherwise;
    return true;
}

bool admin_ban(struct admin_call *call, struct ban_record *ban)
{
    int64_t seconds;
    memset(ban, 0, sizeof *ban);
    if (!admin_text(call, "reason", ban->reason, sizeof ban->reason)) {
        admin_fail(call, "reason: must be a text of at most %d bytes", STORE_NOTE_SIZE - 1);
        return false;
    }
    if (!admin_number(call, "seconds", 1, 4000000000, 0, &seconds))
        return false;
    ban->until_ms = seconds > 0 ? clock_wall_ms() + seconds * 1000 : STORE_FOREVER_MS;
    return true;
}

/* RFC 3339 in UTC; null for never. */
void admin_write_time(struct json_writer *writer, const char *name, int64_t ms)
{
    const time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[32];
    json_key(writer, name);
    if (ms <= 0 || ms == STORE_FOREVER_MS || gmtime_r(&seconds, &utc) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        json_write_raw(writer, slice_of("null"));
    else
        json_write_text(writer, text);
}

void admin_write_ban(struct json_writer *writer, const struct ban_record *ban)
{
    const bool banned = ban->until_ms > clock_wall_ms();
    json_key(writer, "banned");
    json_write_bool(writer, banned);
    if (!banned)
        return;
    admin_write_time(writer, "banned_until", ban->until_ms);
    json_key(writer, "ban_reason");
    json_write_text(writer, ban->reason);
}

/* The audit log has the request as it came, without the actor, cut where a character ends. */
static void note_request(struct admin_call *call, struct slice request)
{
    char actor[STORE_ACTOR_SIZE] = "unknown";
    size_t length = request.length < STORE_COMMAND_SIZE ? request.length : STORE_COMMAND_SIZE - 1;
    if (!admin_text(call, "actor", actor, sizeof actor))
        (void)snprintf(actor, sizeof actor, "unknown");
    while (length < request.length && length > 0 &&
           ((unsigned char)request.data[length] & 0xc0) == 0x80)
        length--;
    (void)snprintf(call->audit.actor, sizeof call->audit.actor, "%s", actor);
    memcpy(call->audit.command, request.data, length);
    call->audit.at_ms = clock_wall_ms();
}

void admin_execute(const struct admin_options *options, struct slice request, admin_reply reply,
                   void *context)
{
    static const char no_memory[] = "{\"error\":\"no memory for the command\"}";
    char command[32];
    size_t length;
    struct admin_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        reply(context, slice_of(no_memory));
        return;
    }
    call->options = *options;
    call->reply = reply;
    call->context = context;
    if (json_read_object(request, &call->object) != JSON_OK ||
        !json_string(json_find(&call->object, "command"), command, sizeof command, &length)) {
        admin_fail(call, "a request must be an object with a command");
        return;
    }
    note_request(call, request);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(command, commands[i].name) == 0) {
            commands[i].run(call);
            return;
        }
    }
    admin_fail(call, "unknown command %s", command);
}

/* A stopped hub's store, used on the caller's thread. */
struct stopped {
    struct store *store;
    struct services *services;
    const struct log *log;
    struct error *error;
    bool failed;
};

static bool submit_now(void *context, struct store_op *op,
                       void (*done)(void *done_context, struct store_op *op), void *done_context)
{
    struct stopped *stopped = context;
    if (!store_apply(stopped->store, op, stopped->error)) {
        stopped->failed = true;
        op->status = STORE_ABANDONED;
    }
    done(done_context, op);
    return true;
}

static void ignore_service(void *context, enum admin_change change, struct service *service)
{
    (void)context;
    (void)change;
    (void)service;
}

static void ignore_client(void *context, const struct client_record *client)
{
    (void)context;
    (void)client;
}

static bool load_client(void *context, const struct client_record *client)
{
    const struct clients_moment moment = {clock_wall_ms(), (int64_t)clock_monotonic_us()};
    return clients_load(context, &moment, client);
}

static char *stopped_statistics(void *context, size_t *length)
{
    struct stopped *stopped = context;
    struct work_counts rewarded;
    const struct board_options options = {stopped->services, UINT64_MAX, stopped->log};
    struct board *board = board_create(&options, stopped->store, stopped->error);
    char *copy = NULL;
    stopped->failed = board == NULL || !store_totals(stopped->store, &rewarded, stopped->error) ||
                      !store_each_client(stopped->store, CLIENTS_MAX, load_client,
                                         board_clients(board), stopped->error);
    if (!stopped->failed) {
        const struct slice json = board_stopped_statistics(board, &rewarded);
        *length = json.length;
        copy = strndup(json.data, json.length);
    }
    board_destroy(board);
    return copy;
}

static bool load_service(void *context, const struct service_record *record)
{
    struct stopped *stopped = context;
    stopped->failed = !services_add(stopped->services, record, stopped->error);
    return !stopped->failed;
}

bool admin_execute_stopped(const char *store_url, const struct log *log, struct slice request,
                           admin_reply reply, void *context, struct error *error)
{
    struct stopped stopped = {.log = log, .error = error};
    stopped.services = services_create(error);
    stopped.store = stopped.services != NULL ? store_open(store_url, log, error) : NULL;
    bool done = stopped.store != NULL &&
                store_each_service(stopped.store, load_service, &stopped, error) && !stopped.failed;
    if (done) {
        const struct admin_options options = {
            .services = stopped.services,
            .submit = submit_now,
            .service_changed = ignore_service,
            .client_changed = ignore_client,
            .statistics = stopped_statistics,
            .context = &stopped,
        };
        admin_execute(&options, request, reply, context);
        done = !stopped.failed;
    }
    store_close(stopped.store);
    services_destroy(stopped.services);
    return done;
}
