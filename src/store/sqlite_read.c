#include "store/sqlite_internal.h"

#include <string.h>

/* Files may have been edited by other hands: numbers that must not be negative are not. */
static uint64_t read_count(sqlite3_stmt *statement, int column)
{
    const sqlite3_int64 number = sqlite3_column_int64(statement, column);
    return number > 0 ? (uint64_t)number : 0;
}

static uint32_t read_u32(sqlite3_stmt *statement, int column)
{
    const uint64_t number = read_count(statement, column);
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static enum work_type read_type(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_int(statement, column) == 0 ? WORK_PRECACHE : WORK_ONDEMAND;
}

static bool read_keys(struct sqlite_backend *backend, struct service_record *service,
                      struct error *error)
{
    static const char text[] = "SELECT hash, expires_ms FROM service_keys WHERE service = ?1"
                               " ORDER BY id DESC LIMIT ?2";
    sqlite3_stmt *statement = NULL;
    size_t count = 0;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, service->id);
    (void)sqlite3_bind_int(statement, 2, SERVICE_KEYS_MAX);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW && count < SERVICE_KEYS_MAX) {
        sqlite_read_text(statement, 0, service->keys[count].hash, KEY_HASH_SIZE);
        service->keys[count++].expires_ms = sqlite3_column_int64(statement, 1);
    }
    return sqlite_finish(backend, statement, status, error);
}

static void read_policy(sqlite3_stmt *statement, int column, struct precache_policy *policy)
{
    const int mode = sqlite3_column_int(statement, column);
    policy->mode = mode >= 0 && mode < PRECACHE_MODES ? (enum precache_mode)mode : PRECACHE_OFF;
    policy->receive = sqlite3_column_int(statement, column + 1) != 0;
    policy->accounts_max = read_u32(statement, column + 2);
    policy->works_per_hour = read_u32(statement, column + 3);
    policy->period_s = read_u32(statement, column + 4);
}

static void read_service(sqlite3_stmt *statement, struct service_record *service)
{
    memset(service, 0, sizeof *service);
    service->id = sqlite3_column_int64(statement, 0);
    sqlite_read_text(statement, 1, service->name, sizeof service->name);
    sqlite_read_text(statement, 2, service->display, sizeof service->display);
    sqlite_read_text(statement, 3, service->website, sizeof service->website);
    sqlite_read_text(statement, 4, service->contact, sizeof service->contact);
    service->is_public = sqlite3_column_int(statement, 5) != 0;
    service->terms_ms = sqlite3_column_int64(statement, 6);
    service->rate_per_s = sqlite3_column_double(statement, 7);
    service->weight = sqlite3_column_double(statement, 8);
    service->unlimited = sqlite3_column_int(statement, 9) != 0;
    service->credits = (int64_t)read_count(statement, 10);
    service->ban.until_ms = sqlite3_column_int64(statement, 11);
    sqlite_read_text(statement, 12, service->ban.reason, sizeof service->ban.reason);
    read_policy(statement, 13, &service->precache);
    service->created_ms = sqlite3_column_int64(statement, 18);
    service->answered.of[WORK_PRECACHE] = read_count(statement, 19);
    service->answered.of[WORK_ONDEMAND] = read_count(statement, 20);
}

bool sqlite_each_service(struct store_backend *common,
                         bool (*visit)(void *context, const struct service_record *service),
                         void *context, struct error *error)
{
    static const char text[] =
        "SELECT id, name, display, website, contact, is_public, terms_ms, rate_per_s, weight,"
        " unlimited, credits, ban_until_ms, ban_reason, precache_mode, precache_receive,"
        " precache_accounts, precache_per_hour, precache_period_s, created_ms,"
        " (SELECT answered FROM service_counts WHERE service = services.id AND type = 0),"
        " (SELECT answered FROM service_counts WHERE service = services.id AND type = 1)"
        " FROM services WHERE removed_ms = 0 ORDER BY id";
    struct sqlite_backend *backend = (struct sqlite_backend *)common;
    struct service_record service;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        read_service(statement, &service);
        if (!read_keys(backend, &service, error)) {
            (void)sqlite3_finalize(statement);
            return false;
        }
        if (!visit(context, &service))
            break;
    }
    return sqlite_finish(backend, statement, status, error);
}

/* A value is what its nonce really has. */
static bool read_work(sqlite3_stmt *statement, struct work_record *work)
{
    memset(work, 0, sizeof *work);
    if (!sqlite_read_key(statement, 0, work->root.bytes) ||
        !sqlite_read_u64(statement, 1, &work->nonce))
        return false;
    work->value = work_value(work->nonce, &work->root);
    work->type = read_type(statement, 2);
    work->solved_ms = sqlite3_column_int64(statement, 3);
    work->expires_ms = sqlite3_column_int64(statement, 4);
    work->service_id = sqlite3_column_int64(statement, 5);
    return true;
}

bool sqlite_each_work(struct store_backend *common, int64_t now_ms, size_t limit,
                      bool (*visit)(void *context, const struct work_record *work), void *context,
                      struct error *error)
{
    static const char text[] = "SELECT root, nonce, type, solved_ms, expires_ms, service FROM works"
                               " WHERE expires_ms > ?1 ORDER BY expires_ms DESC LIMIT ?2";
    struct sqlite_backend *backend = (struct sqlite_backend *)common;
    struct work_record work;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, now_ms);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_work(statement, &work) && !visit(context, &work))
            break;
    return sqlite_finish(backend, statement, status, error);
}

static bool read_client(sqlite3_stmt *statement, struct client_record *client)
{
    struct client_totals *totals = &client->totals;
    memset(client, 0, sizeof *client);
    if (!sqlite_read_key(statement, 0, client->account.key))
        return false;
    for (int type = 0; type < WORK_TYPES; type++) {
        totals->rewarded.of[type] = read_count(statement, 1 + type);
        totals->hashes.of[type] = read_count(statement, 3 + type);
        totals->snapshot.of[type] = read_count(statement, 5 + type);
    }
    totals->has_snapshot = sqlite3_column_type(statement, 5) != SQLITE_NULL;
    client->last_ms = sqlite3_column_int64(statement, 7);
    client->ban.until_ms = sqlite3_column_int64(statement, 8);
    sqlite_read_text(statement, 9, client->ban.reason, sizeof client->ban.reason);
    client->invalid = read_count(statement, 10);
    return true;
}

bool sqlite_each_client(struct store_backend *common, size_t limit,
                        bool (*visit)(void *context, const struct client_record *client),
                        void *context, struct error *error)
{
    static const char text[] =
        "SELECT account, precache, ondemand, hashes_precache, hashes_ondemand, snapshot_precache,"
        " snapshot_ondemand, last_ms, ban_until_ms, ban_reason, invalid FROM clients"
        " ORDER BY last_ms DESC LIMIT ?1";
    struct sqlite_backend *backend = (struct sqlite_backend *)common;
    struct client_record client;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_client(statement, &client) && !visit(context, &client))
            break;
    return sqlite_finish(backend, statement, status, error);
}

bool sqlite_read_clients(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char text[] =
        "SELECT account, precache, ondemand, hashes_precache, hashes_ondemand, snapshot_precache,"
        " snapshot_ondemand, last_ms, ban_until_ms, ban_reason, invalid FROM clients"
        " WHERE ?1 IS NULL OR account = ?1 ORDER BY last_ms DESC LIMIT ?2";
    struct client_record client;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    if (op->read.account != NULL)
        sqlite_bind_key(statement, 1, op->read.account->key);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)op->read.limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_client(statement, &client))
            op->read.visit.client(op->read.context, &client);
    return sqlite_finish(backend, statement, status, error);
}

bool sqlite_read_balance(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char text[] = "SELECT kind, sum(amount) FROM credit_entries WHERE service = ?1"
                               " GROUP BY kind";
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    memset(op->balance.added, 0, sizeof op->balance.added);
    (void)sqlite3_bind_int64(statement, 1, op->balance.service_id);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        const int kind = sqlite3_column_int(statement, 0);
        if (kind >= 0 && kind < CREDIT_KINDS)
            op->balance.added[kind] = sqlite3_column_int64(statement, 1);
    }
    return sqlite_finish(backend, statement, status, error);
}

static bool read_frontier(sqlite3_stmt *statement, struct frontier_record *record)
{
    memset(record, 0, sizeof *record);
    if (!sqlite_read_key(statement, 0, record->account.key) ||
        !sqlite_read_key(statement, 1, record->frontier.bytes))
        return false;
    record->height = read_count(statement, 2);
    record->service_id = sqlite3_column_int64(statement, 3);
    record->used_ms = sqlite3_column_int64(statement, 4);
    record->expires_ms = sqlite3_column_int64(statement, 5);
    return true;
}

bool sqlite_each_frontier(struct store_backend *common, int64_t now_ms,
                          bool (*visit)(void *context, const struct frontier_record *frontier),
                          void *context, struct error *error)
{
    static const char text[] = "SELECT account, frontier, height, service, used_ms, expires_ms"
                               " FROM frontiers WHERE expires_ms > ?1 ORDER BY expires_ms DESC";
    struct sqlite_backend *backend = (struct sqlite_backend *)common;
    struct frontier_record record;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, now_ms);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_frontier(statement, &record) && !visit(context, &record))
            break;
    return sqlite_finish(backend, statement, status, error);
}

static void read_series(sqlite3_stmt *statement, struct series_record *record)
{
    memset(record, 0, sizeof *record);
    record->start_s = sqlite3_column_int64(statement, 0);
    for (int type = 0; type < WORK_TYPES; type++) {
        record->answered.of[type] = read_count(statement, 1 + type);
        record->rewarded.of[type] = read_count(statement, 3 + type);
    }
    record->timeouts = read_count(statement, 5);
    record->refused = read_count(statement, 6);
    record->multiplier_sum = sqlite3_column_double(statement, 7);
    const void *latency = sqlite3_column_blob(statement, 8);
    const int bytes = sqlite3_column_bytes(statement, 8);
    if (latency == NULL || bytes < 0 || bytes > SERIES_LATENCY_MAX)
        return;
    memcpy(record->latency, latency, (size_t)bytes);
    record->latency_bytes = (size_t)bytes;
}

bool sqlite_each_series(struct store_backend *common, enum series_resolution resolution,
                        int64_t from_s,
                        bool (*visit)(void *context, const struct series_record *series),
                        void *context, struct error *error)
{
    static const char text[] =
        "SELECT start_s, precache, ondemand, rewarded_precache, rewarded_ondemand, timeouts,"
        " refused, multiplier_sum, latency FROM series WHERE resolution = ?1 AND start_s >= ?2"
        " ORDER BY start_s";
    struct sqlite_backend *backend = (struct sqlite_backend *)common;
    struct series_record record;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int(statement, 1, (int)resolution);
    (void)sqlite3_bind_int64(statement, 2, from_s);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        read_series(statement, &record);
        record.resolution = resolution;
        if (!visit(context, &record))
            break;
    }
    return sqlite_finish(backend, statement, status, error);
}

bool sqlite_totals(struct store_backend *common, struct work_counts *totals, struct error *error)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)common;
    sqlite3_stmt *statement = NULL;
    int status;
    memset(totals, 0, sizeof *totals);
    if (!sqlite_prepare(backend, "SELECT type, rewarded FROM totals", &statement, error))
        return false;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        totals->of[read_type(statement, 0)] = read_count(statement, 1);
    return sqlite_finish(backend, statement, status, error);
}

bool sqlite_read_credits(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char text[] = "SELECT id, service, kind, amount, note, created_ms"
                               " FROM credit_entries WHERE ?1 = 0 OR service = ?1"
                               " ORDER BY id DESC LIMIT ?2";
    struct credit_record record;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, op->read.service_id);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)op->read.limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        const int kind = sqlite3_column_int(statement, 2);
        record.id = sqlite3_column_int64(statement, 0);
        record.service_id = sqlite3_column_int64(statement, 1);
        record.kind = kind >= 0 && kind < CREDIT_KINDS ? (enum credit_kind)kind : CREDIT_CORRECTED;
        record.amount = sqlite3_column_int64(statement, 3);
        sqlite_read_text(statement, 4, record.note, sizeof record.note);
        record.created_ms = sqlite3_column_int64(statement, 5);
        op->read.visit.credit(op->read.context, &record);
    }
    return sqlite_finish(backend, statement, status, error);
}

bool sqlite_read_audit(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char text[] = "SELECT id, at_ms, actor, command FROM audit"
                               " ORDER BY id DESC LIMIT ?1";
    struct audit_record record;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)op->read.limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        record.id = sqlite3_column_int64(statement, 0);
        record.at_ms = sqlite3_column_int64(statement, 1);
        sqlite_read_text(statement, 2, record.actor, sizeof record.actor);
        sqlite_read_text(statement, 3, record.command, sizeof record.command);
        op->read.visit.audit(op->read.context, &record);
    }
    return sqlite_finish(backend, statement, status, error);
}
