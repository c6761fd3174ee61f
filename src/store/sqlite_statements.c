#include "store/sqlite_internal.h"

#include <stdio.h>
#include <string.h>

/* A better work replaces a weaker one of the same root, and one that is no longer handed out. */
static const char *const statement_texts[STATEMENTS] = {
    [WORK_PUT] = "INSERT INTO works VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
                 " ON CONFLICT (root) DO UPDATE SET nonce = excluded.nonce, value = excluded.value,"
                 " type = excluded.type, solved_ms = excluded.solved_ms,"
                 " expires_ms = excluded.expires_ms, service = excluded.service"
                 " WHERE excluded.value > value OR expires_ms <= excluded.solved_ms",
    [REWARD_ADD] = "INSERT INTO rewards VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    [CLIENT_ADD] = "INSERT INTO clients (account, precache, ondemand, last_ms, hashes_precache,"
                   "  hashes_ondemand) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                   " ON CONFLICT (account) DO UPDATE SET precache = precache + excluded.precache,"
                   " ondemand = ondemand + excluded.ondemand, last_ms = excluded.last_ms,"
                   " hashes_precache = hashes_precache + excluded.hashes_precache,"
                   " hashes_ondemand = hashes_ondemand + excluded.hashes_ondemand"
                   " RETURNING precache, ondemand, snapshot_precache, snapshot_ondemand,"
                   " hashes_precache, hashes_ondemand",
    [TOTAL_ADD] = "UPDATE totals SET rewarded = rewarded + 1 WHERE type = ?1",
    [SERVICE_BALANCE] =
        "SELECT unlimited, credits,"
        " (SELECT answered FROM service_counts WHERE service = services.id AND type = 0),"
        " (SELECT answered FROM service_counts WHERE service = services.id AND type = 1)"
        " FROM services WHERE id = ?1 AND removed_ms = 0",
    [CHARGE_ADD] = "INSERT INTO charges VALUES (?1, ?2, ?3) ON CONFLICT (root, service) DO UPDATE"
                   " SET expires_ms = excluded.expires_ms WHERE expires_ms <= ?4",
    [CHARGE_TAKE] = "DELETE FROM charges WHERE root = ?1 AND service = ?2",
    [COUNT_ADD] = "INSERT INTO service_counts VALUES (?1, ?2, max(?3, 0)) ON CONFLICT"
                  " (service, type) DO UPDATE SET answered = answered + ?3",
    [ANSWERS_ADD] = "INSERT INTO answers (service, precache, ondemand, used, committed_ms)"
                    " VALUES (?1, ?2, ?3, ?4, ?5)",
    [CREDITS_USE] = "UPDATE services SET credits = credits - ?2 WHERE id = ?1",
    [SERVICE_ADD] =
        "INSERT INTO services (name, display, website, is_public, rate_per_s, created_ms, contact,"
        " terms_ms, weight, unlimited, ban_until_ms, ban_reason, precache_mode, precache_receive,"
        " precache_accounts, precache_per_hour, precache_period_s)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
        " ON CONFLICT (name) DO NOTHING",
    [SERVICE_EDIT] =
        "UPDATE services SET display = ?2, website = ?3, is_public = ?4, rate_per_s = ?5,"
        " contact = ?7, terms_ms = ?8, weight = ?9, unlimited = ?10, ban_until_ms = ?11,"
        " ban_reason = ?12, precache_mode = ?13, precache_receive = ?14, precache_accounts = ?15,"
        " precache_per_hour = ?16, precache_period_s = ?17 WHERE id = ?6 AND removed_ms = 0",
    [SERVICE_REMOVE] = "UPDATE services SET removed_ms = ?2, name = name || '~' || id"
                       " WHERE id = ?1 AND removed_ms = 0",
    [KEYS_REMOVE] = "DELETE FROM service_keys WHERE service = ?1",
    [KEYS_EXPIRE] = "UPDATE service_keys SET expires_ms = min(expires_ms, ?2) WHERE service = ?1",
    [KEY_ADD] = "INSERT INTO service_keys (service, hash, created_ms)"
                " SELECT id, ?2, ?3 FROM services WHERE id = ?1 AND removed_ms = 0",
    [KEY_REHASH] = "UPDATE service_keys SET hash = ?3 WHERE service = ?1 AND hash = ?2",
    [CREDIT_CHANGE] = "UPDATE services SET credits = credits + ?2"
                      " WHERE id = ?1 AND removed_ms = 0 AND credits + ?2 BETWEEN 0 AND (1 << 53)"
                      " RETURNING credits",
    [CREDIT_ADD] = "INSERT INTO credit_entries (service, kind, amount, note, created_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)",
    [CLIENT_BAN] = "INSERT INTO clients (account, precache, ondemand, last_ms, ban_until_ms,"
                   " ban_reason) VALUES (?1, 0, 0, 0, ?2, ?3) ON CONFLICT (account) DO UPDATE"
                   " SET ban_until_ms = excluded.ban_until_ms, ban_reason = excluded.ban_reason",
    [CLIENT_INVALID] = "UPDATE clients SET invalid = invalid + ?2 WHERE account = ?1",
    [CLIENT_IMPORT] = "INSERT INTO clients (account, precache, ondemand, snapshot_precache,"
                      " snapshot_ondemand, last_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                      " ON CONFLICT (account) DO NOTHING",
    [OPENING_ADD] = "INSERT INTO openings (account, precache, ondemand, created_ms,"
                    " snapshot_precache, snapshot_ondemand) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [TOTALS_OPEN] = "UPDATE totals SET rewarded = rewarded + iif(type = 0, ?1, ?2)"
                    " WHERE NOT EXISTS (SELECT 1 FROM openings WHERE account IS NULL)",
    [FRONTIER_PUT] = "INSERT OR REPLACE INTO frontiers VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [FRONTIER_IMPORT] =
        "INSERT INTO frontiers VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account) DO UPDATE"
        " SET frontier = excluded.frontier, height = excluded.height, service = excluded.service,"
        " used_ms = excluded.used_ms, expires_ms = excluded.expires_ms"
        " WHERE expires_ms <= ?7",
    [SERIES_PUT] = "INSERT OR REPLACE INTO series VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [AUDIT_ADD] = "INSERT INTO audit (at_ms, actor, command) VALUES (?1, ?2, ?3)",
    [WORKS_PURGE] = "DELETE FROM works WHERE root IN"
                    " (SELECT root FROM works WHERE expires_ms <= ?1 LIMIT ?2)",
    [CHARGES_PURGE] = "DELETE FROM charges WHERE (root, service) IN"
                      " (SELECT root, service FROM charges WHERE expires_ms <= ?1 LIMIT ?2)",
    [FRONTIERS_PURGE] = "DELETE FROM frontiers WHERE account IN"
                        " (SELECT account FROM frontiers WHERE expires_ms <= ?1 LIMIT ?2)",
    [KEYS_PURGE] = "DELETE FROM service_keys WHERE id IN"
                   " (SELECT id FROM service_keys WHERE expires_ms <= ?1 LIMIT ?2)",
    /* Minutes are kept for two days, hours for 400; days for ever. */
    [SERIES_PURGE] = "DELETE FROM series WHERE (resolution, start_s) IN"
                     " (SELECT resolution, start_s FROM series WHERE"
                     "  (resolution = 60 AND start_s < ?1 / 1000 - 172800) OR"
                     "  (resolution = 3600 AND start_s < ?1 / 1000 - 34560000) LIMIT ?2)",
};

bool sqlite_failed(sqlite3 *database, const char *doing, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, "%s: %s", doing, sqlite3_errmsg(database));
}

bool sqlite_prepare_all(struct sqlite_backend *backend, struct error *error)
{
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(backend->database, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &backend->statements[i], NULL) != SQLITE_OK)
            return sqlite_failed(backend->database, "its tables are damaged", error);
    return true;
}

bool sqlite_prepare(struct sqlite_backend *backend, const char *text, sqlite3_stmt **statement,
                    struct error *error)
{
    if (sqlite3_prepare_v2(backend->database, text, -1, statement, NULL) == SQLITE_OK)
        return true;
    return sqlite_failed(backend->database, "cannot read", error);
}

bool sqlite_finish(struct sqlite_backend *backend, sqlite3_stmt *statement, int status,
                   struct error *error)
{
    const bool good = status == SQLITE_DONE || status == SQLITE_ROW;
    if (!good)
        (void)sqlite_failed(backend->database, "cannot read", error);
    (void)sqlite3_finalize(statement);
    return good;
}

bool sqlite_run(struct sqlite_backend *backend, enum statement which, struct error *error)
{
    return sqlite_step_through(backend, backend->statements[which], error);
}

bool sqlite_run_changing(struct sqlite_backend *backend, enum statement which, struct store_op *op,
                         struct error *error)
{
    if (!sqlite_run(backend, which, error))
        return false;
    if (sqlite3_changes(backend->database) == 0)
        op->status = STORE_CONFLICT;
    return true;
}

void sqlite_bind_u64(sqlite3_stmt *statement, int index, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 7; i >= 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
    (void)sqlite3_bind_blob(statement, index, bytes, sizeof bytes, SQLITE_TRANSIENT);
}

void sqlite_bind_u128(sqlite3_stmt *statement, int index, u128 value)
{
    uint8_t bytes[16];
    for (int i = 15; i >= 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
    (void)sqlite3_bind_blob(statement, index, bytes, sizeof bytes, SQLITE_TRANSIENT);
}

bool sqlite_read_u128(sqlite3_stmt *statement, int column, u128 *value)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    if (bytes == NULL || sqlite3_column_bytes(statement, column) != 16)
        return false;
    *value = 0;
    for (int i = 0; i < 16; i++)
        *value = *value << 8 | bytes[i];
    return true;
}

bool sqlite_step_through(struct sqlite_backend *backend, sqlite3_stmt *statement,
                         struct error *error)
{
    int status;
    do {
        status = sqlite3_step(statement);
    } while (status == SQLITE_ROW);
    if (status != SQLITE_DONE)
        (void)sqlite_failed(backend->database, "cannot write", error);
    (void)sqlite3_reset(statement);
    return status == SQLITE_DONE;
}

void sqlite_bind_key(sqlite3_stmt *statement, int index, const uint8_t key[32])
{
    (void)sqlite3_bind_blob(statement, index, key, 32, SQLITE_TRANSIENT);
}

void sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
}

bool sqlite_read_u64(sqlite3_stmt *statement, int column, uint64_t *value)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    if (bytes == NULL || sqlite3_column_bytes(statement, column) != 8)
        return false;
    *value = 0;
    for (int i = 0; i < 8; i++)
        *value = *value << 8 | bytes[i];
    return true;
}

bool sqlite_read_key(sqlite3_stmt *statement, int column, uint8_t key[32])
{
    const void *bytes = sqlite3_column_blob(statement, column);
    if (bytes == NULL || sqlite3_column_bytes(statement, column) != 32)
        return false;
    memcpy(key, bytes, 32);
    return true;
}

void sqlite_read_text(sqlite3_stmt *statement, int column, char *text, size_t size)
{
    const unsigned char *value = sqlite3_column_text(statement, column);
    (void)snprintf(text, size, "%s", value != NULL ? (const char *)value : "");
}
