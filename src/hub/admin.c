#include "hub/admin.h"

#include "base/clock.h"
#include "base/json.h"
#include "hub/credential.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ANSWER_SIZE = 1024,
    SERVICE_ROOM = 6 * (SERVICE_DISPLAY_SIZE + SERVICE_WEBSITE_SIZE) + SERVICE_NAME_SIZE + 256,
};

/* A service on its way into the store. */
struct addition {
    struct store_op op;
    struct service_record record;
    char key[CREDENTIAL_KEY_SIZE];
    struct services *services;
    admin_reply reply;
    void *context;
};

static void reply_error(admin_reply reply, void *context, const char *text)
{
    char data[ANSWER_SIZE];
    struct json_writer writer;
    json_writer_init(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "error");
    json_write_text(&writer, text);
    json_end_object(&writer);
    reply(context, (struct slice){data, writer.length});
}

static void free_addition(struct addition *addition)
{
    sodium_memzero(addition, sizeof *addition);
    free(addition);
}

static void reply_added(const struct addition *addition)
{
    char data[ANSWER_SIZE];
    struct json_writer writer;
    json_writer_init(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "result");
    json_begin_object(&writer);
    json_key(&writer, "service");
    json_write_text(&writer, addition->record.name);
    json_key(&writer, "api_key");
    json_write_text(&writer, addition->key);
    json_end_object(&writer);
    json_end_object(&writer);
    addition->reply(addition->context, (struct slice){data, writer.length});
    sodium_memzero(data, sizeof data);
}

static void on_added(void *context, struct store_op *op)
{
    struct addition *addition = context;
    struct error error;
    char text[ANSWER_SIZE / 2];
    if (op->status == STORE_DONE && services_add(addition->services, &addition->record, &error)) {
        reply_added(addition);
    } else {
        (void)snprintf(text, sizeof text, "service %s %s", addition->record.name,
                       op->status == STORE_CONFLICT ? "exists already"
                       : op->status == STORE_DONE   ? error.text
                                                    : "was not added: the hub stops");
        reply_error(addition->reply, addition->context, text);
    }
    free_addition(addition);
}

/* A string member of at most size - 1 bytes and no NUL; absent leaves the text as it is. */
static bool read_text(const struct json_object *object, const char *name, char *text, size_t size)
{
    const struct json_value value = json_find(object, name);
    size_t length;
    if (value.type == JSON_ABSENT)
        return true;
    return json_string(value, text, size, &length) && strlen(text) == length;
}

/* Fills a record from a request; returns what is wrong, or NULL. */
static const char *read_service(const struct json_object *object, struct service_record *record)
{
    const struct json_value is_public = json_find(object, "public");
    const struct json_value rate = json_find(object, "rate");
    memset(record, 0, sizeof *record);
    record->rate_per_s = SERVICE_RATE_DEFAULT;
    record->unlimited = true;
    record->weight = 1;
    record->keys[0].expires_ms = STORE_FOREVER_MS;
    record->created_ms = clock_wall_ms();
    record->is_public = is_public.type == JSON_TRUE;
    record->precache = precache_policy_default();
    if (!read_text(object, "name", record->name, sizeof record->name) ||
        !service_name_valid(slice_of(record->name)))
        return "name: a service's name has 1 to 64 characters of A-Z a-z 0-9 . _ -";
    (void)snprintf(record->display, sizeof record->display, "%s", record->name);
    if (!read_text(object, "display", record->display, sizeof record->display))
        return "display: must be a text of at most 128 bytes";
    if (!read_text(object, "website", record->website, sizeof record->website) ||
        !service_website_valid(slice_of(record->website)))
        return "website: must be an http:// or https:// URL of at most 256 bytes, without blanks "
               "or quotes";
    if (is_public.type != JSON_ABSENT && is_public.type != JSON_TRUE &&
        is_public.type != JSON_FALSE)
        return "public: must be true or false";
    if (rate.type != JSON_ABSENT &&
        (!json_number(rate, &record->rate_per_s) || !service_rate_valid(record->rate_per_s)))
        return "rate: must be 0.01 to 1000000 requests a second";
    return NULL;
}

static void add_service(const struct admin_options *options, const struct json_object *object,
                        admin_reply reply, void *context)
{
    struct error error = {.text = "no memory to add a service"};
    struct addition *addition = calloc(1, sizeof *addition);
    const char *wrong = addition != NULL ? read_service(object, &addition->record) : error.text;
    if (wrong == NULL) {
        credential_generate(addition->key);
        if (!credential_hash(addition->key, addition->record.keys[0].hash, &error))
            wrong = error.text;
    }
    if (wrong == NULL) {
        addition->op.kind = STORE_SERVICE_ADD;
        addition->op.service = &addition->record;
        addition->services = options->services;
        addition->reply = reply;
        addition->context = context;
        if (options->submit(options->context, &addition->op, on_added, addition))
            return;
        wrong = error.text;
    }
    reply_error(reply, context, wrong);
    if (addition != NULL)
        free_addition(addition);
}

static void write_service(struct json_writer *writer, const struct service_record *record)
{
    json_begin_object(writer);
    json_key(writer, "service");
    json_write_text(writer, record->name);
    json_key(writer, "display");
    json_write_text(writer, record->display);
    json_key(writer, "website");
    json_write_text(writer, record->website);
    json_key(writer, "public");
    json_write_bool(writer, record->is_public);
    json_key(writer, "rate");
    json_write_double(writer, record->rate_per_s);
    for (int type = 0; type < WORK_TYPES; type++) {
        json_key(writer, work_type_name((enum work_type)type));
        json_write_u64(writer, record->answered.of[type]);
    }
    json_end_object(writer);
}

static void list_services(const struct services *services, admin_reply reply, void *context)
{
    const size_t size = ANSWER_SIZE + services_count(services) * SERVICE_ROOM;
    char *data = malloc(size);
    struct json_writer writer;
    if (data == NULL) {
        reply_error(reply, context, "no memory to list the services");
        return;
    }
    json_writer_init(&writer, data, size);
    json_begin_object(&writer);
    json_key(&writer, "result");
    json_begin_array(&writer);
    for (size_t i = 0; i < services_count(services); i++)
        write_service(&writer, &services_at(services, i)->record);
    json_end_array(&writer);
    json_end_object(&writer);
    reply(context, (struct slice){data, writer.length});
    free(data);
}

void admin_execute(const struct admin_options *options, struct slice request, admin_reply reply,
                   void *context)
{
    struct json_object object;
    char command[32];
    size_t length;
    if (json_read_object(request, &object) != JSON_OK ||
        !json_string(json_find(&object, "command"), command, sizeof command, &length))
        reply_error(reply, context, "a request must be an object with a command");
    else if (strcmp(command, "service add") == 0)
        add_service(options, &object, reply, context);
    else if (strcmp(command, "service list") == 0)
        list_services(options->services, reply, context);
    else
        reply_error(reply, context, "unknown command: it must be service add or service list");
}

/* A stopped hub's store, used on the caller's thread. */
struct stopped {
    struct store *store;
    struct services *services;
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

static bool load_service(void *context, const struct service_record *record)
{
    struct stopped *stopped = context;
    stopped->failed = !services_add(stopped->services, record, stopped->error);
    return !stopped->failed;
}

bool admin_execute_stopped(const char *store_url, const struct log *log, struct slice request,
                           admin_reply reply, void *context, struct error *error)
{
    struct stopped stopped = {.error = error};
    stopped.services = services_create(error);
    stopped.store = stopped.services != NULL ? store_open(store_url, log, error) : NULL;
    bool done = stopped.store != NULL &&
                store_each_service(stopped.store, load_service, &stopped, error) && !stopped.failed;
    if (done) {
        const struct admin_options options = {stopped.services, submit_now, &stopped};
        admin_execute(&options, request, reply, context);
        done = !stopped.failed;
    }
    store_close(stopped.store);
    services_destroy(stopped.services);
    return done;
}
