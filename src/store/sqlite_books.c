#include "store/sqlite_internal.h"

#include "base/clock.h"

bool sqlite_add_credits(struct sqlite_backend *backend, struct credit_record *record,
                        int64_t *balance, struct error *error)
{
    sqlite3_stmt *change = backend->statements[CREDIT_CHANGE];
    sqlite3_stmt *add = backend->statements[CREDIT_ADD];
    (void)sqlite3_bind_int64(change, 1, record->service_id);
    (void)sqlite3_bind_int64(change, 2, record->amount);
    const int status = sqlite3_step(change);
    *balance = status == SQLITE_ROW ? sqlite3_column_int64(change, 0) : -1;
    if (status != SQLITE_ROW && status != SQLITE_DONE)
        (void)sqlite_failed(backend->database, "cannot write", error);
    (void)sqlite3_reset(change);
    if (status != SQLITE_ROW)
        return status == SQLITE_DONE;
    (void)sqlite3_bind_int64(add, 1, record->service_id);
    (void)sqlite3_bind_int(add, 2, (int)record->kind);
    (void)sqlite3_bind_int64(add, 3, record->amount);
    sqlite_bind_text(add, 4, record->note);
    (void)sqlite3_bind_int64(add, 5, record->created_ms);
    if (!sqlite_run(backend, CREDIT_ADD, error))
        return false;
    record->id = sqlite3_last_insert_rowid(backend->database);
    return true;
}

static bool change_credits(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    if (!sqlite_add_credits(backend, &op->credit.record, &op->credit.balance, error))
        return false;
    if (op->credit.balance < 0)
        op->status = STORE_CONFLICT;
    return true;
}

static bool ban_client(struct sqlite_backend *backend, const struct client_record *client,
                       struct error *error)
{
    sqlite3_stmt *statement = backend->statements[CLIENT_BAN];
    sqlite_bind_key(statement, 1, client->account.key);
    (void)sqlite3_bind_int64(statement, 2, client->ban.until_ms);
    sqlite_bind_text(statement, 3, client->ban.reason);
    return sqlite_run(backend, CLIENT_BAN, error);
}

static bool count_invalid(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    sqlite3_stmt *statement = backend->statements[CLIENT_INVALID];
    sqlite_bind_key(statement, 1, op->client.account.key);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)op->client.invalid);
    return sqlite_run_changing(backend, CLIENT_INVALID, op, error);
}

static bool add_opening(struct sqlite_backend *backend, const struct account *account,
                        const struct work_counts *counts, const struct work_counts *snapshot,
                        struct error *error)
{
    sqlite3_stmt *statement = backend->statements[OPENING_ADD];
    if (account != NULL)
        sqlite_bind_key(statement, 1, account->key);
    else
        (void)sqlite3_bind_null(statement, 1);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)counts->of[WORK_PRECACHE]);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)counts->of[WORK_ONDEMAND]);
    (void)sqlite3_bind_int64(statement, 4, clock_wall_ms());
    for (int type = 0; type < WORK_TYPES; type++) {
        if (snapshot != NULL)
            (void)sqlite3_bind_int64(statement, 5 + type, (sqlite3_int64)snapshot->of[type]);
        else
            (void)sqlite3_bind_null(statement, 5 + type);
    }
    return sqlite_run(backend, OPENING_ADD, error);
}

static bool import_client(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    const struct client_record *client = &op->client;
    const struct client_totals *totals = &client->totals;
    sqlite3_stmt *statement = backend->statements[CLIENT_IMPORT];
    sqlite_bind_key(statement, 1, client->account.key);
    for (int type = 0; type < WORK_TYPES; type++) {
        (void)sqlite3_bind_int64(statement, 2 + type, (sqlite3_int64)totals->rewarded.of[type]);
        if (totals->has_snapshot)
            (void)sqlite3_bind_int64(statement, 4 + type, (sqlite3_int64)totals->snapshot.of[type]);
        else
            (void)sqlite3_bind_null(statement, 4 + type);
    }
    (void)sqlite3_bind_int64(statement, 6, client->last_ms);
    if (!sqlite_run_changing(backend, CLIENT_IMPORT, op, error))
        return false;
    return op->status == STORE_CONFLICT ||
           add_opening(backend, &client->account, &totals->rewarded,
                       totals->has_snapshot ? &totals->snapshot : NULL, error);
}

static bool import_totals(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    const struct work_counts *totals = &op->totals;
    sqlite3_stmt *statement = backend->statements[TOTALS_OPEN];
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)totals->of[WORK_PRECACHE]);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)totals->of[WORK_ONDEMAND]);
    if (!sqlite_run_changing(backend, TOTALS_OPEN, op, error))
        return false;
    return op->status == STORE_CONFLICT || add_opening(backend, NULL, totals, NULL, error);
}

static bool put_frontier(struct sqlite_backend *backend, enum statement which, struct store_op *op,
                         struct error *error)
{
    const struct frontier_record *record = &op->frontier;
    sqlite3_stmt *statement = backend->statements[which];
    sqlite_bind_key(statement, 1, record->account.key);
    sqlite_bind_key(statement, 2, record->frontier.bytes);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)record->height);
    (void)sqlite3_bind_int64(statement, 4, record->service_id);
    (void)sqlite3_bind_int64(statement, 5, record->used_ms);
    (void)sqlite3_bind_int64(statement, 6, record->expires_ms);
    if (which == FRONTIER_IMPORT) /* what has expired but is not deleted yet may be replaced */
        (void)sqlite3_bind_int64(statement, 7, clock_wall_ms());
    return sqlite_run_changing(backend, which, op, error);
}

static bool put_series(struct sqlite_backend *backend, const struct series_record *record,
                       struct error *error)
{
    sqlite3_stmt *statement = backend->statements[SERIES_PUT];
    (void)sqlite3_bind_int(statement, 1, (int)record->resolution);
    (void)sqlite3_bind_int64(statement, 2, record->start_s);
    for (int type = 0; type < WORK_TYPES; type++) {
        (void)sqlite3_bind_int64(statement, 3 + type, (sqlite3_int64)record->answered.of[type]);
        (void)sqlite3_bind_int64(statement, 5 + type, (sqlite3_int64)record->rewarded.of[type]);
    }
    (void)sqlite3_bind_int64(statement, 7, (sqlite3_int64)record->timeouts);
    (void)sqlite3_bind_int64(statement, 8, (sqlite3_int64)record->refused);
    (void)sqlite3_bind_double(statement, 9, record->multiplier_sum);
    (void)sqlite3_bind_blob(statement, 10, record->latency, (int)record->latency_bytes,
                            SQLITE_TRANSIENT);
    return sqlite_run(backend, SERIES_PUT, error);
}

bool sqlite_apply_book(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    switch (op->kind) {
    case STORE_CREDIT:
        return change_credits(backend, op, error);
    case STORE_CLIENT_BAN:
        return ban_client(backend, &op->client, error);
    case STORE_CLIENT_INVALID:
        return count_invalid(backend, op, error);
    case STORE_CLIENT_IMPORT:
        return import_client(backend, op, error);
    case STORE_TOTALS_IMPORT:
        return import_totals(backend, op, error);
    case STORE_FRONTIER:
        return put_frontier(backend, FRONTIER_PUT, op, error);
    case STORE_FRONTIER_IMPORT:
        return put_frontier(backend, FRONTIER_IMPORT, op, error);
    default:
        return put_series(backend, op->series, error);
    }
}

bool sqlite_write_audit(struct sqlite_backend *backend, const struct audit_record *record,
                        struct error *error)
{
    sqlite3_stmt *statement = backend->statements[AUDIT_ADD];
    (void)sqlite3_bind_int64(statement, 1, record->at_ms);
    sqlite_bind_text(statement, 2, record->actor);
    sqlite_bind_text(statement, 3, record->command);
    return sqlite_run(backend, AUDIT_ADD, error);
}
