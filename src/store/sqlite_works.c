#include "store/sqlite_internal.h"

#include "nano/difficulty.h"

static bool put_work(struct sqlite_backend *backend, const struct work_record *record,
                     struct error *error)
{
    sqlite3_stmt *statement = backend->statements[WORK_PUT];
    sqlite_bind_key(statement, 1, record->root.bytes);
    sqlite_bind_u64(statement, 2, record->nonce);
    sqlite_bind_u64(statement, 3, record->value);
    (void)sqlite3_bind_int(statement, 4, (int)record->type);
    (void)sqlite3_bind_int64(statement, 5, record->solved_ms);
    (void)sqlite3_bind_int64(statement, 6, record->expires_ms);
    (void)sqlite3_bind_int64(statement, 7, record->service_id);
    return sqlite_run(backend, WORK_PUT, error);
}

static bool add_reward(struct sqlite_backend *backend, const struct store_op *op, bool *added,
                       struct error *error)
{
    const struct work_record *record = &op->work.record;
    sqlite3_stmt *statement = backend->statements[REWARD_ADD];
    sqlite_bind_key(statement, 1, record->root.bytes);
    sqlite_bind_u64(statement, 2, record->nonce);
    sqlite_bind_key(statement, 3, op->work.account.key);
    (void)sqlite3_bind_int(statement, 4, (int)record->type);
    sqlite_bind_u64(statement, 5, record->threshold);
    (void)sqlite3_bind_int64(statement, 6, record->solved_ms);
    (void)sqlite3_bind_int64(statement, 7,
                             (sqlite3_int64)difficulty_whole_hashes(record->threshold));
    if (!sqlite_run(backend, REWARD_ADD, error))
        return false;
    *added = sqlite3_changes(backend->database) > 0;
    return true;
}

static void read_totals(sqlite3_stmt *statement, struct client_totals *totals)
{
    totals->rewarded.of[WORK_PRECACHE] = (uint64_t)sqlite3_column_int64(statement, 0);
    totals->rewarded.of[WORK_ONDEMAND] = (uint64_t)sqlite3_column_int64(statement, 1);
    totals->has_snapshot = sqlite3_column_type(statement, 2) != SQLITE_NULL;
    totals->snapshot.of[WORK_PRECACHE] = (uint64_t)sqlite3_column_int64(statement, 2);
    totals->snapshot.of[WORK_ONDEMAND] = (uint64_t)sqlite3_column_int64(statement, 3);
    totals->hashes.of[WORK_PRECACHE] = (uint64_t)sqlite3_column_int64(statement, 4);
    totals->hashes.of[WORK_ONDEMAND] = (uint64_t)sqlite3_column_int64(statement, 5);
}

static bool add_to_client(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    const struct work_record *record = &op->work.record;
    const int64_t hashes = (int64_t)difficulty_whole_hashes(record->threshold);
    sqlite3_stmt *statement = backend->statements[CLIENT_ADD];
    sqlite_bind_key(statement, 1, op->work.account.key);
    for (int type = 0; type < WORK_TYPES; type++) {
        const bool this_one = (int)record->type == type;
        (void)sqlite3_bind_int(statement, 2 + type, this_one ? 1 : 0);
        (void)sqlite3_bind_int64(statement, 5 + type, this_one ? hashes : 0);
    }
    (void)sqlite3_bind_int64(statement, 4, record->solved_ms);
    /* To step on after a failure would run the statement again, and outside the transaction if
     * SQLite has rolled it back. */
    if (sqlite3_step(statement) != SQLITE_ROW) {
        (void)sqlite_failed(backend->database, "cannot write", error);
        (void)sqlite3_reset(statement);
        return false;
    }
    read_totals(statement, &op->work.totals);
    return sqlite_run(backend, CLIENT_ADD, error);
}

bool sqlite_apply_work(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    op->work.rewarded = false;
    if (!put_work(backend, &op->work.record, error))
        return false;
    if (!op->work.has_account) {
        if (sqlite3_changes(backend->database) == 0)
            op->status = STORE_CONFLICT;
        return true;
    }
    if (!add_reward(backend, op, &op->work.rewarded, error))
        return false;
    if (!op->work.rewarded)
        return true;
    (void)sqlite3_bind_int(backend->statements[TOTAL_ADD], 1, (int)op->work.record.type);
    return add_to_client(backend, op, error) && sqlite_run(backend, TOTAL_ADD, error);
}
