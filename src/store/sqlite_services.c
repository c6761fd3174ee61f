#include "store/sqlite_internal.h"

#include "base/clock.h"

/* The parameters that adding and editing share; the sixth is the one that differs. */
static void bind_service(sqlite3_stmt *statement, const struct service_record *service)
{
    sqlite_bind_text(statement, 2, service->display);
    sqlite_bind_text(statement, 3, service->website);
    (void)sqlite3_bind_int(statement, 4, service->is_public ? 1 : 0);
    (void)sqlite3_bind_double(statement, 5, service->rate_per_s);
    sqlite_bind_text(statement, 7, service->contact);
    (void)sqlite3_bind_int64(statement, 8, service->terms_ms);
    (void)sqlite3_bind_double(statement, 9, service->weight);
    (void)sqlite3_bind_int(statement, 10, service->unlimited ? 1 : 0);
    (void)sqlite3_bind_int64(statement, 11, service->ban.until_ms);
    sqlite_bind_text(statement, 12, service->ban.reason);
    (void)sqlite3_bind_int(statement, 13, (int)service->precache.mode);
    (void)sqlite3_bind_int(statement, 14, service->precache.receive ? 1 : 0);
    (void)sqlite3_bind_int64(statement, 15, service->precache.accounts_max);
    (void)sqlite3_bind_int64(statement, 16, service->precache.works_per_hour);
    (void)sqlite3_bind_int64(statement, 17, service->precache.period_s);
}

static bool add_key(struct sqlite_backend *backend, struct store_op *op, int64_t service_id,
                    const char *hash, int64_t created_ms, struct error *error)
{
    sqlite3_stmt *statement = backend->statements[KEY_ADD];
    (void)sqlite3_bind_int64(statement, 1, service_id);
    sqlite_bind_text(statement, 2, hash);
    (void)sqlite3_bind_int64(statement, 3, created_ms);
    return sqlite_run_changing(backend, KEY_ADD, op, error);
}

/* Counters of an imported service, with the row that explains them. */
static bool open_counts(struct sqlite_backend *backend, const struct service_record *service,
                        struct error *error)
{
    sqlite3_stmt *row = backend->statements[ANSWERS_ADD];
    (void)sqlite3_bind_int64(row, 1, service->id);
    for (int type = 0; type < WORK_TYPES; type++) {
        sqlite3_stmt *count = backend->statements[COUNT_ADD];
        (void)sqlite3_bind_int64(row, 2 + type, (sqlite3_int64)service->answered.of[type]);
        (void)sqlite3_bind_int64(count, 1, service->id);
        (void)sqlite3_bind_int(count, 2, type);
        (void)sqlite3_bind_int64(count, 3, (sqlite3_int64)service->answered.of[type]);
        if (!sqlite_run(backend, COUNT_ADD, error))
            return false;
    }
    (void)sqlite3_bind_int64(row, 4, 0);
    (void)sqlite3_bind_int64(row, 5, service->created_ms);
    return sqlite_run(backend, ANSWERS_ADD, error);
}

static bool grant_first(struct sqlite_backend *backend, const struct service_record *service,
                        struct error *error)
{
    struct credit_record record = {
        .service_id = service->id,
        .kind = CREDIT_GRANTED,
        .amount = service->credits,
        .note = "at the start",
        .created_ms = service->created_ms,
    };
    int64_t balance;
    return sqlite_add_credits(backend, &record, &balance, error);
}

static bool add_service(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    struct service_record *service = op->service;
    sqlite3_stmt *statement = backend->statements[SERVICE_ADD];
    sqlite_bind_text(statement, 1, service->name);
    bind_service(statement, service);
    (void)sqlite3_bind_int64(statement, 6, service->created_ms);
    if (!sqlite_run_changing(backend, SERVICE_ADD, op, error))
        return false;
    if (op->status == STORE_CONFLICT)
        return true;
    service->id = sqlite3_last_insert_rowid(backend->database);
    const bool counted =
        service->answered.of[WORK_PRECACHE] != 0 || service->answered.of[WORK_ONDEMAND] != 0;
    return add_key(backend, op, service->id, service->keys[0].hash, service->created_ms, error) &&
           (!counted || open_counts(backend, service, error)) &&
           (service->credits == 0 || grant_first(backend, service, error));
}

static bool edit_service(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    sqlite3_stmt *statement = backend->statements[SERVICE_EDIT];
    bind_service(statement, op->service);
    (void)sqlite3_bind_int64(statement, 6, op->service->id);
    return sqlite_run_changing(backend, SERVICE_EDIT, op, error);
}

static bool remove_service(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    (void)sqlite3_bind_int64(backend->statements[KEYS_REMOVE], 1, op->service_id);
    (void)sqlite3_bind_int64(backend->statements[SERVICE_REMOVE], 1, op->service_id);
    (void)sqlite3_bind_int64(backend->statements[SERVICE_REMOVE], 2, clock_wall_ms());
    return sqlite_run(backend, KEYS_REMOVE, error) &&
           sqlite_run_changing(backend, SERVICE_REMOVE, op, error);
}

static bool rotate_key(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    sqlite3_stmt *statement = backend->statements[KEYS_EXPIRE];
    (void)sqlite3_bind_int64(statement, 1, op->key.service_id);
    (void)sqlite3_bind_int64(statement, 2, op->key.others_expire_ms);
    return sqlite_run(backend, KEYS_EXPIRE, error) &&
           add_key(backend, op, op->key.service_id, op->key.hash, op->key.created_ms, error);
}

static bool rehash_key(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    sqlite3_stmt *statement = backend->statements[KEY_REHASH];
    (void)sqlite3_bind_int64(statement, 1, op->key.service_id);
    sqlite_bind_text(statement, 2, op->key.old_hash);
    sqlite_bind_text(statement, 3, op->key.hash);
    return sqlite_run_changing(backend, KEY_REHASH, op, error);
}

bool sqlite_apply_service(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    switch (op->kind) {
    case STORE_SERVICE_ADD:
        return add_service(backend, op, error);
    case STORE_SERVICE_EDIT:
        return edit_service(backend, op, error);
    case STORE_SERVICE_REMOVE:
        return remove_service(backend, op, error);
    case STORE_KEY_ADD:
        return rotate_key(backend, op, error);
    default:
        return rehash_key(backend, op, error);
    }
}
