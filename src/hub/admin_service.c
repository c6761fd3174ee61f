#include "hub/admin_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SERVICE_ROOM =
        6 * (SERVICE_DISPLAY_SIZE + SERVICE_WEBSITE_SIZE + SERVICE_CONTACT_SIZE + STORE_NOTE_SIZE) +
        SERVICE_NAME_SIZE + 1024,
    OVERLAP_DEFAULT_S = 86400,
    OVERLAP_MAX_S = 366 * 86400,
};

static const char *const mode_names[PRECACHE_MODES] = {"off", "always", "used"};

/* A member that is true or false; absent leaves the value as it is. */
static bool read_flag(const struct admin_call *call, const char *name, bool *flag)
{
    const struct json_value value = json_find(&call->object, name);
    if (value.type == JSON_TRUE || value.type == JSON_FALSE)
        *flag = value.type == JSON_TRUE;
    return value.type == JSON_TRUE || value.type == JSON_FALSE || value.type == JSON_ABSENT;
}

static const char *read_texts(const struct admin_call *call, struct service_record *record)
{
    if (!admin_text(call, "display", record->display, sizeof record->display))
        return "display: must be a text of at most 128 bytes";
    if (!admin_text(call, "website", record->website, sizeof record->website) ||
        !service_website_valid(slice_of(record->website)))
        return "website: must be an http:// or https:// URL of at most 256 bytes, without blanks "
               "or quotes";
    if (!admin_text(call, "contact", record->contact, sizeof record->contact))
        return "contact: must be a text of at most 128 bytes";
    return NULL;
}

static const char *read_shares(const struct admin_call *call, struct service_record *record)
{
    const struct json_value rate = json_find(&call->object, "rate");
    const struct json_value weight = json_find(&call->object, "weight");
    bool terms = record->terms_ms != 0;
    if (!read_flag(call, "public", &record->is_public))
        return "public: must be true or false";
    if (!read_flag(call, "terms", &terms))
        return "terms: must be true or false";
    if (terms != (record->terms_ms != 0))
        record->terms_ms = terms ? clock_wall_ms() : 0;
    if (!read_flag(call, "unlimited", &record->unlimited))
        return "unlimited: must be true or false";
    if (rate.type != JSON_ABSENT &&
        (!json_number(rate, &record->rate_per_s) || !service_rate_valid(record->rate_per_s)))
        return "rate: must be 0.01 to 1000000 requests a second";
    if (weight.type != JSON_ABSENT &&
        (!json_number(weight, &record->weight) || !service_weight_valid(record->weight)))
        return "weight: must be 0.01 to 100";
    return NULL;
}

static const char *read_mode(const struct admin_call *call, struct precache_policy *policy)
{
    char mode[8] = "";
    if (!admin_text(call, "precache", mode, sizeof mode))
        return "precache: must be off, always or used";
    for (int i = 0; i < PRECACHE_MODES; i++)
        if (strcmp(mode, mode_names[i]) == 0)
            policy->mode = (enum precache_mode)i;
    if (mode[0] != '\0' && strcmp(mode, mode_names[policy->mode]) != 0)
        return "precache: must be off, always or used";
    return read_flag(call, "precache_receive", &policy->receive)
               ? NULL
               : "precache_receive: must be true or false";
}

/* False if the call has failed. */
static bool read_limits(struct admin_call *call, struct precache_policy *policy)
{
    int64_t accounts;
    int64_t per_hour;
    int64_t period;
    if (!admin_number(call, "precache_accounts", 0, 1000000, policy->accounts_max, &accounts) ||
        !admin_number(call, "precache_per_hour", 0, 1000000, policy->works_per_hour, &per_hour) ||
        !admin_number(call, "precache_period", 1, 366LL * 86400, policy->period_s, &period))
        return false;
    policy->accounts_max = (uint32_t)accounts;
    policy->works_per_hour = (uint32_t)per_hour;
    policy->period_s = (uint32_t)period;
    return true;
}

/* Changes a record as the request says; false if the call has failed. */
static bool read_service(struct admin_call *call, struct service_record *record)
{
    const char *wrong = read_texts(call, record);
    if (wrong == NULL)
        wrong = read_shares(call, record);
    if (wrong == NULL)
        wrong = read_mode(call, &record->precache);
    if (wrong != NULL)
        admin_fail(call, "%s", wrong);
    return wrong == NULL && read_limits(call, &record->precache);
}

static bool make_key(struct admin_call *call, char hash[KEY_HASH_SIZE])
{
    struct error error;
    credential_generate(call->key);
    if (credential_hash(call->key, hash, &error))
        return true;
    admin_fail(call, "%s", error.text);
    return false;
}

static void reply_key(struct admin_call *call)
{
    char data[512];
    struct json_writer writer;
    admin_begin_result(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "service");
    json_write_text(&writer, call->record.name);
    json_key(&writer, "api_key");
    json_write_text(&writer, call->key);
    json_end_object(&writer);
    admin_end_result(call, &writer);
}

static void changed(const struct admin_call *call, enum admin_change change,
                    struct service *service)
{
    call->options.service_changed(call->options.context, change, service);
}

static void on_added(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    struct error error;
    char text[128];
    (void)op;
    (void)snprintf(text, sizeof text, "service %s exists already", call->record.name);
    if (!admin_stored(call, text))
        return;
    if (!services_add(call->options.services, &call->record, &error)) {
        admin_fail(call, "%s", error.text);
        return;
    }
    changed(call, ADMIN_SERVICE_ADDED, services_by_id(call->options.services, call->record.id));
    reply_key(call);
}

void admin_service_add(struct admin_call *call)
{
    struct service_record *record = &call->record;
    int64_t credits;
    *record = service_record_defaults(clock_wall_ms());
    if (!admin_text(call, "name", record->name, sizeof record->name) ||
        !service_name_valid(slice_of(record->name))) {
        admin_fail(call, "name: a service's name has 1 to 64 characters of A-Z a-z 0-9 . _ -");
        return;
    }
    if (services_count(call->options.services) >= SERVICES_MAX) {
        admin_fail(call, "there are %d services already", SERVICES_MAX);
        return;
    }
    (void)snprintf(record->display, sizeof record->display, "%s", record->name);
    record->unlimited = json_find(&call->object, "credits").type == JSON_ABSENT;
    if (!admin_number(call, "credits", 0, 1LL << 53, 0, &credits) || !read_service(call, record) ||
        !make_key(call, record->keys[0].hash))
        return;
    record->credits = credits;
    call->op.kind = STORE_SERVICE_ADD;
    call->op.service = record;
    admin_submit(call, true, on_added);
}

static void write_policy(struct json_writer *writer, const struct precache_policy *policy)
{
    json_key(writer, "precache_mode");
    json_write_text(writer, mode_names[policy->mode]);
    json_key(writer, "precache_receive");
    json_write_bool(writer, policy->receive);
    json_key(writer, "precache_accounts");
    json_write_u64(writer, policy->accounts_max);
    json_key(writer, "precache_per_hour");
    json_write_u64(writer, policy->works_per_hour);
    json_key(writer, "precache_period");
    json_write_u64(writer, policy->period_s);
}

/* The members of a service, without the braces around them. */
static void write_service(struct json_writer *writer, const struct service_record *record)
{
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
    json_key(writer, "credits");
    if (record->unlimited)
        json_write_text(writer, "unlimited");
    else
        json_write_i64(writer, record->credits);
    for (int type = 0; type < WORK_TYPES; type++) {
        json_key(writer, work_type_name((enum work_type)type));
        json_write_u64(writer, record->answered.of[type]);
    }
    admin_write_ban(writer, &record->ban);
}

void admin_service_list(struct admin_call *call)
{
    const struct services *services = call->options.services;
    const size_t size = ADMIN_ANSWER_SIZE + services_count(services) * SERVICE_ROOM;
    struct json_writer writer;
    call->list = malloc(size);
    if (call->list == NULL) {
        admin_fail(call, "no memory to list the services");
        return;
    }
    admin_begin_result(&writer, call->list, size);
    json_begin_array(&writer);
    for (size_t i = 0; i < services_count(services); i++) {
        json_begin_object(&writer);
        write_service(&writer, &services_at(services, i)->record);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    admin_end_result(call, &writer);
}

static void write_keys(struct json_writer *writer, const struct service_record *record)
{
    const int64_t now_ms = clock_wall_ms();
    json_key(writer, "keys");
    json_begin_array(writer);
    for (size_t i = 0; i < SERVICE_KEYS_MAX; i++) {
        if (record->keys[i].hash[0] == '\0' || record->keys[i].expires_ms <= now_ms)
            continue;
        json_begin_object(writer);
        admin_write_time(writer, "expires", record->keys[i].expires_ms);
        json_end_object(writer);
    }
    json_end_array(writer);
}

/* What was used is what was added and is no longer there (the check proves it from the answers). */
static void write_balance(struct json_writer *writer, const struct admin_call *call)
{
    int64_t used = -call->record.credits;
    for (int kind = 0; kind < CREDIT_KINDS; kind++) {
        char name[32];
        (void)snprintf(name, sizeof name, "credits_%s", credit_kind_name((enum credit_kind)kind));
        json_key(writer, name);
        json_write_i64(writer, call->op.balance.added[kind]);
        used += call->op.balance.added[kind];
    }
    json_key(writer, "credits_used");
    json_write_i64(writer, used);
}

static void on_balance(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    const struct service_record *record = &call->record;
    char data[ADMIN_ANSWER_SIZE];
    struct json_writer writer;
    (void)op;
    if (!admin_stored(call, ""))
        return;
    admin_begin_result(&writer, data, sizeof data);
    json_begin_object(&writer);
    write_service(&writer, record);
    json_key(&writer, "contact");
    json_write_text(&writer, record->contact);
    admin_write_time(&writer, "created", record->created_ms);
    admin_write_time(&writer, "terms_accepted", record->terms_ms);
    json_key(&writer, "weight");
    json_write_double(&writer, record->weight);
    write_policy(&writer, &record->precache);
    write_balance(&writer, call);
    write_keys(&writer, record);
    json_end_object(&writer);
    admin_end_result(call, &writer);
}

void admin_service_show(struct admin_call *call)
{
    if (admin_service(call) == NULL)
        return;
    call->op.kind = STORE_READ_BALANCE;
    call->op.balance.service_id = call->record.id;
    admin_submit(call, false, on_balance);
}

static void on_edited(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    (void)op;
    if (admin_stored(call, "the service was removed meanwhile"))
        admin_done(call);
}

/* The directory changes at once, so that a ban holds from now on and a second edit builds upon the
 * first; the store follows, in order. */
static void submit_edit(struct admin_call *call, struct service *service, enum admin_change change)
{
    const struct service_record *record = &call->record;
    struct service_record *kept = &service->record;
    memcpy(kept->display, record->display, sizeof kept->display);
    memcpy(kept->website, record->website, sizeof kept->website);
    memcpy(kept->contact, record->contact, sizeof kept->contact);
    kept->is_public = record->is_public;
    kept->terms_ms = record->terms_ms;
    kept->rate_per_s = record->rate_per_s;
    kept->weight = record->weight;
    kept->unlimited = record->unlimited;
    kept->ban = record->ban;
    kept->precache = record->precache;
    changed(call, change, service);
    call->op.kind = STORE_SERVICE_EDIT;
    call->op.service = &call->record;
    admin_submit(call, true, on_edited);
}

void admin_service_edit(struct admin_call *call)
{
    struct service *service = admin_service(call);
    if (service != NULL && read_service(call, &call->record))
        submit_edit(call, service, ADMIN_SERVICE_EDITED);
}

void admin_service_ban(struct admin_call *call)
{
    struct service *service = admin_service(call);
    if (service != NULL && admin_ban(call, &call->record.ban))
        submit_edit(call, service, ADMIN_SERVICE_BANNED);
}

void admin_service_unban(struct admin_call *call)
{
    struct service *service = admin_service(call);
    if (service == NULL)
        return;
    memset(&call->record.ban, 0, sizeof call->record.ban);
    submit_edit(call, service, ADMIN_SERVICE_EDITED);
}

/* The new key comes first; as many of the others as there is room for stay until they end. */
static void take_key(struct service_record *record, const char *hash, int64_t others_expire_ms)
{
    memmove(&record->keys[1], &record->keys[0], (SERVICE_KEYS_MAX - 1) * sizeof record->keys[0]);
    for (size_t i = 1; i < SERVICE_KEYS_MAX; i++)
        if (record->keys[i].expires_ms > others_expire_ms)
            record->keys[i].expires_ms = others_expire_ms;
    (void)snprintf(record->keys[0].hash, KEY_HASH_SIZE, "%s", hash);
    record->keys[0].expires_ms = STORE_FOREVER_MS;
}

static void on_rotated(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    if (!admin_stored(call, "the service was removed meanwhile"))
        return;
    struct service *service = services_by_id(call->options.services, op->key.service_id);
    if (service != NULL) {
        take_key(&service->record, op->key.hash, op->key.others_expire_ms);
        changed(call, ADMIN_SERVICE_KEYS, service);
    }
    reply_key(call);
}

void admin_service_rotate(struct admin_call *call)
{
    const int64_t now_ms = clock_wall_ms();
    int64_t overlap_s;
    if (admin_service(call) == NULL ||
        !admin_number(call, "overlap", 0, OVERLAP_MAX_S, OVERLAP_DEFAULT_S, &overlap_s) ||
        !make_key(call, call->record.keys[0].hash))
        return;
    call->op.kind = STORE_KEY_ADD;
    call->op.key.service_id = call->record.id;
    call->op.key.hash = call->record.keys[0].hash;
    call->op.key.created_ms = now_ms;
    call->op.key.others_expire_ms = now_ms + overlap_s * 1000;
    admin_submit(call, true, on_rotated);
}

static void on_removed(void *context, struct store_op *op)
{
    struct admin_call *call = context;
    if (!admin_stored(call, "the service was removed meanwhile"))
        return;
    struct service *service = services_by_id(call->options.services, op->service_id);
    if (service != NULL) {
        changed(call, ADMIN_SERVICE_REMOVED, service);
        services_remove(call->options.services, service);
    }
    admin_done(call);
}

void admin_service_remove(struct admin_call *call)
{
    if (admin_service(call) == NULL)
        return;
    call->op.kind = STORE_SERVICE_REMOVE;
    call->op.service_id = call->record.id;
    admin_submit(call, true, on_removed);
}
