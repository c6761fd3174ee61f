#include "hub/migration.h"

#include "base/random.h"
#include "base/utf8.h"
#include "hub/credential.h"
#include "hub/services.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    WARNINGS_TOLD = 100,
    WARNING_SIZE = 384,
    NAME_SHOWN_MAX = 96,
};

struct migration {
    const struct migration_options *options;
    struct migration_report *report;
    const struct audit_record *audit; /* Until it is written. */
    struct services *services;        /* As in the store. */
    const struct service *sponsor;    /* Who gets the accounts; NULL until there are any. */
    struct error *error;              /* Of the run. */
    bool full;                        /* Not every service could be known; the error says why. */
};

static void warn(struct migration *migration, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void warn(struct migration *migration, const char *format, ...)
{
    char text[WARNING_SIZE];
    const uint64_t count = ++migration->report->warnings;
    if (count > WARNINGS_TOLD)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_write(&migration->options->log, LOG_WARNING, "%s", text);
    if (count == WARNINGS_TOLD)
        log_write(&migration->options->log, LOG_WARNING, "further warnings are only counted");
}

static void on_fault(void *context, const char *text)
{
    warn(context, "%s", text);
}

/* One operation; the first that changes anything writes the audit record with it. */
static bool apply(struct migration *migration, struct store_op *op, struct migration_tally *tally,
                  struct error *error)
{
    op->audit = migration->audit;
    if (!store_apply(migration->options->store, op, error))
        return false;
    if (op->status == STORE_DONE) {
        migration->audit = NULL;
        tally->imported++;
    } else {
        tally->existing++;
    }
    return true;
}

/* Copies what people can read: no control characters, nothing that is not UTF-8, whole characters.
 * Returns whether that is all of it. */
static bool copy_readable(struct slice text, char *out, size_t size)
{
    size_t used = 0;
    bool whole = true;
    for (size_t i = 0; i < text.length;) {
        const size_t length = utf8_length(text.data + i, text.length - i);
        const bool good = length > 0 && !utf8_is_control(text.data + i, length);
        const bool fits = good && used + length < size;
        if (fits) {
            memcpy(out + used, text.data + i, length);
            used += length;
        }
        whole = whole && fits;
        if (good && !fits)
            break;
        i += length > 0 ? length : 1;
    }
    out[used] = '\0';
    return whole;
}

/* The login name it gets here; false if it can have none. */
static bool take_name(struct migration *migration, struct slice name, struct service_record *record)
{
    const struct migration_options *options = migration->options;
    for (size_t i = 0; i < options->rename_count; i++) {
        struct migration_rename *rename = &options->renames[i];
        if (rename->from.length != name.length ||
            memcmp(rename->from.data, name.data, name.length) != 0)
            continue;
        rename->used = true;
        (void)snprintf(record->name, sizeof record->name, "%s", rename->to);
        return true;
    }
    if (!service_name_valid(name))
        return false;
    (void)snprintf(record->name, sizeof record->name, "%.*s", (int)name.length, name.data);
    return true;
}

/* The original never showed login names; where there is no other, the service is not shown. */
static void take_display(struct migration *migration, const struct legacy_service *service,
                         struct service_record *record)
{
    if (!copy_readable(service->display, record->display, sizeof record->display))
        warn(migration, "service %s: its display name is cut to what can be shown", record->name);
    if (record->display[0] != '\0')
        return;
    (void)snprintf(record->display, sizeof record->display, "%s", record->name);
    if (record->is_public)
        warn(migration, "service %s: has no display name and is no longer public", record->name);
    record->is_public = false;
}

static bool has_scheme(struct slice website)
{
    static const char mark[] = "://";
    const size_t length = strlen(mark);
    for (size_t i = 0; i + length <= website.length; i++)
        if (memcmp(website.data + i, mark, length) == 0)
            return true;
    return false;
}

/* The original's websites had no scheme: "w.example". */
static void take_website(struct migration *migration, struct slice website,
                         struct service_record *record)
{
    char url[SERVICE_WEBSITE_SIZE];
    if (website.length == 0)
        return;
    const size_t before = has_scheme(website) ? 0 : strlen("https://");
    const size_t length = before + website.length;
    bool good = length < sizeof url;
    if (good) {
        (void)snprintf(url, sizeof url, "https://");
        memcpy(url + before, website.data, website.length);
        good = service_website_valid((struct slice){url, length}); /* which has no NUL either */
    }
    if (good)
        memcpy(record->website, url, length);
    else
        warn(migration, "service %s: its website is no http:// or https:// URL and is left out",
             record->name);
}

/* Without a key nobody can log in, until the operator gives it one. */
static void take_key(struct migration *migration, const struct legacy_service *service,
                     struct service_record *record)
{
    uint8_t nobodys[LEGACY_KEY_SIZE];
    if (service->has_key) {
        credential_legacy_hash(service->key, record->keys[0].hash);
        return;
    }
    random_system(nobodys, sizeof nobodys);
    credential_legacy_hash(nobodys, record->keys[0].hash);
    warn(migration, "service %s: has no usable key; it needs a new one to log in", record->name);
}

static void fill_service(struct migration *migration, const struct legacy_service *service,
                         struct service_record *record)
{
    record->is_public = service->is_public;
    record->rate_per_s = migration->options->rate_per_s;
    record->answered = service->answered;
    take_display(migration, service, record);
    take_website(migration, service->website, record);
    take_key(migration, service, record);
}

static bool on_service(void *context, const struct legacy_service *service, struct error *error)
{
    struct migration *migration = context;
    struct migration_tally *tally = &migration->report->services;
    struct service_record record = service_record_defaults(migration->options->now_ms);
    struct store_op op = {.kind = STORE_SERVICE_ADD, .service = &record};
    const size_t length = service->name.length;
    const int shown = (int)(length < NAME_SHOWN_MAX ? length : NAME_SHOWN_MAX);
    if (!take_name(migration, service->name, &record)) {
        warn(migration,
             "service \"%.*s\" is left out: a name has 1 to 64 characters of A-Z a-z 0-9 . _ -",
             shown, service->name.data);
        migration->report->names_refused++;
        tally->left_out++;
        return true;
    }
    if (service->is_empty) {
        warn(migration, "service %s is left out: it was deleted half-way", record.name);
        tally->left_out++;
        return true;
    }
    if (services_find(migration->services, record.name) != NULL) {
        tally->existing++;
        return true;
    }
    fill_service(migration, service, &record);
    return apply(migration, &op, tally, error) && services_add(migration->services, &record, error);
}

static bool on_client(void *context, const struct legacy_client *client, struct error *error)
{
    struct migration *migration = context;
    struct store_op op = {.kind = STORE_CLIENT_IMPORT};
    char text[ACCOUNT_TEXT_SIZE];
    op.client.account = client->account;
    op.client.totals = client->totals;
    for (int type = 0; type < WORK_TYPES; type++) {
        uint64_t *snapshot = &op.client.totals.snapshot.of[type];
        if (*snapshot <= client->totals.rewarded.of[type])
            continue;
        *snapshot = client->totals.rewarded.of[type];
        account_format(&client->account, text);
        warn(migration, "client %s: paid for more %s than it has found; taken as all paid", text,
             work_type_name((enum work_type)type));
    }
    return apply(migration, &op, &migration->report->clients, error);
}

static bool on_totals(void *context, const struct work_counts *totals, struct error *error)
{
    struct migration *migration = context;
    struct store_op op = {.kind = STORE_TOTALS_IMPORT, .totals = *totals};
    migration->report->rewarded = *totals;
    return (totals->of[WORK_PRECACHE] == 0 && totals->of[WORK_ONDEMAND] == 0) ||
           apply(migration, &op, &migration->report->totals, error);
}

static bool on_work(void *context, const struct legacy_work *work, struct error *error)
{
    struct migration *migration = context;
    const int64_t now_ms = migration->options->now_ms;
    struct store_op op = {.kind = STORE_WORK};
    op.work.record = (struct work_record){
        .root = work->root,
        .nonce = work->nonce,
        .value = work_value(work->nonce, &work->root),
        .threshold = migration->options->threshold,
        .type = work->type,
        .solved_ms = now_ms,
        .expires_ms = now_ms + work->left_ms,
    };
    if (op.work.record.value >= migration->options->threshold)
        return apply(migration, &op, &migration->report->works, error);
    migration->report->works.left_out++;
    return true;
}

/* The service that gets the accounts, when the services have been imported. */
static bool find_sponsor(struct migration *migration, struct error *error)
{
    const char *name = migration->options->accounts_to;
    if (migration->sponsor == NULL)
        migration->sponsor = services_find(migration->services, name);
    return migration->sponsor != NULL ||
           error_set(error, ERROR_NOT_FOUND, "there is no service %s to give the accounts to",
                     name);
}

static bool on_account(void *context, const struct legacy_account *account, struct error *error)
{
    struct migration *migration = context;
    const int64_t now_ms = migration->options->now_ms;
    struct store_op op = {.kind = STORE_FRONTIER_IMPORT};
    if (migration->options->accounts_to == NULL || root_is_zero(&account->frontier)) {
        migration->report->accounts.left_out++;
        return true;
    }
    if (!find_sponsor(migration, error))
        return false;
    op.frontier = (struct frontier_record){
        .account = account->account,
        .frontier = account->frontier,
        .service_id = migration->sponsor->record.id,
        .used_ms = now_ms - (LEGACY_ACCOUNT_MS - account->left_ms),
        .expires_ms = now_ms + account->left_ms,
    };
    return apply(migration, &op, &migration->report->accounts, error);
}

static bool know_service(void *context, const struct service_record *service)
{
    struct migration *migration = context;
    migration->full = !services_add(migration->services, service, migration->error);
    return !migration->full;
}

static void warn_at_the_end(struct migration *migration)
{
    const struct migration_options *options = migration->options;
    for (size_t i = 0; i < options->rename_count; i++)
        if (!options->renames[i].used)
            warn(migration, "there is no service to be renamed %s", options->renames[i].to);
    if (migration->sponsor == NULL)
        return;
    const uint32_t most = migration->sponsor->record.precache.accounts_max;
    if (migration->report->accounts.imported > most)
        warn(migration, "service %s may have %u accounts at once: the others are not followed",
             options->accounts_to, most);
}

static bool migrate(void *context, struct error *error)
{
    struct migration *migration = context;
    const struct legacy_visitor visitor = {
        .service = on_service,
        .client = on_client,
        .totals = on_totals,
        .work = on_work,
        .account = on_account,
        .fault = on_fault,
        .context = migration,
    };
    migration->error = error;
    if (!store_each_service(migration->options->store, know_service, migration, error) ||
        migration->full || !migration->options->read(migration->options->context, &visitor, error))
        return false;
    warn_at_the_end(migration);
    return true;
}

bool migration_run(const struct migration_options *options, struct migration_report *report,
                   struct error *error)
{
    struct migration migration = {.options = options, .report = report, .audit = options->audit};
    memset(report, 0, sizeof *report);
    migration.services = services_create(error);
    const bool done = migration.services != NULL &&
                      store_apply_together(options->store, migrate, &migration, error);
    services_destroy(migration.services);
    return done;
}
