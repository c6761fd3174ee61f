#include "store/sqlite_internal.h"

#include <stdio.h>

/* One text a version, each applied to the schema before it. A version that was released never
 * changes. 64-bit values that use all their bits (nonce, value, threshold) are blobs of 8 bytes,
 * most significant first: SQLite's integers are signed, and blobs sort as the numbers do. Roots and
 * account keys are blobs of 32 bytes. Times are milliseconds since 1970, UTC. */
static const char *const migrations[] = {
    "CREATE TABLE services ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE,"
    "  display TEXT NOT NULL,"
    "  website TEXT NOT NULL,"
    "  is_public INTEGER NOT NULL CHECK (is_public IN (0, 1)),"
    "  rate_per_s REAL NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE service_keys ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  service INTEGER NOT NULL REFERENCES services (id),"
    "  hash TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX service_keys_by_service ON service_keys (service);"
    "CREATE TABLE service_counts ("
    "  service INTEGER NOT NULL REFERENCES services (id),"
    "  type INTEGER NOT NULL CHECK (type IN (0, 1)),"
    "  answered INTEGER NOT NULL CHECK (answered >= 0),"
    "  PRIMARY KEY (service, type)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE works ("
    "  root BLOB NOT NULL PRIMARY KEY CHECK (length(root) = 32),"
    "  nonce BLOB NOT NULL CHECK (length(nonce) = 8),"
    "  value BLOB NOT NULL CHECK (length(value) = 8),"
    "  type INTEGER NOT NULL CHECK (type IN (0, 1)),"
    "  solved_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX works_by_expiry ON works (expires_ms);"
    /* Append-only: what every total can be recomputed from. */
    "CREATE TABLE rewards ("
    "  root BLOB NOT NULL CHECK (length(root) = 32),"
    "  nonce BLOB NOT NULL CHECK (length(nonce) = 8),"
    "  account BLOB NOT NULL CHECK (length(account) = 32),"
    "  type INTEGER NOT NULL CHECK (type IN (0, 1)),"
    "  threshold BLOB NOT NULL CHECK (length(threshold) = 8),"
    "  rewarded_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (root, nonce)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE clients ("
    "  account BLOB NOT NULL PRIMARY KEY CHECK (length(account) = 32),"
    "  precache INTEGER NOT NULL,"
    "  ondemand INTEGER NOT NULL,"
    "  snapshot_precache INTEGER,"
    "  snapshot_ondemand INTEGER,"
    "  last_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE totals ("
    "  type INTEGER PRIMARY KEY CHECK (type IN (0, 1)),"
    "  rewarded INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO totals VALUES (0, 0), (1, 0);",

    "ALTER TABLE services ADD COLUMN contact TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE services ADD COLUMN terms_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE services ADD COLUMN weight REAL NOT NULL DEFAULT 1;"
    "ALTER TABLE services ADD COLUMN unlimited INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE services ADD COLUMN credits INTEGER NOT NULL DEFAULT 0 CHECK (credits >= 0);"
    "ALTER TABLE services ADD COLUMN ban_until_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE services ADD COLUMN ban_reason TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE services ADD COLUMN precache_mode INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE services ADD COLUMN precache_receive INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE services ADD COLUMN precache_accounts INTEGER NOT NULL DEFAULT 10000;"
    "ALTER TABLE services ADD COLUMN precache_per_hour INTEGER NOT NULL DEFAULT 3600;"
    "ALTER TABLE services ADD COLUMN precache_period_s INTEGER NOT NULL DEFAULT 604800;"
    /* When it ended; its name is then followed by ~ and its number, which no name can hold. */
    "ALTER TABLE services ADD COLUMN removed_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE service_keys ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 9223372036854775807;"
    "ALTER TABLE works ADD COLUMN service INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rewards ADD COLUMN hashes INTEGER NOT NULL DEFAULT 0;"
    "UPDATE rewards SET hashes = expected_hashes(threshold);"
    "ALTER TABLE clients ADD COLUMN hashes_precache INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE clients ADD COLUMN hashes_ondemand INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE clients ADD COLUMN invalid INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE clients ADD COLUMN ban_until_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE clients ADD COLUMN ban_reason TEXT NOT NULL DEFAULT '';"
    "UPDATE clients SET hashes_precache = s.precache, hashes_ondemand = s.ondemand FROM"
    " (SELECT account, sum(iif(type = 0, hashes, 0)) AS precache,"
    "  sum(iif(type = 1, hashes, 0)) AS ondemand FROM rewards GROUP BY account) AS s"
    " WHERE s.account = clients.account;"
    "CREATE INDEX clients_by_last ON clients (last_ms);"
    /* Append-only: one row a service and commit. */
    "CREATE TABLE answers ("
    "  id INTEGER PRIMARY KEY,"
    "  service INTEGER NOT NULL REFERENCES services (id),"
    "  precache INTEGER NOT NULL,"
    "  ondemand INTEGER NOT NULL,"
    "  used INTEGER NOT NULL,"
    "  committed_ms INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO answers (service, precache, ondemand, used, committed_ms)"
    " SELECT service, sum(iif(type = 0, answered, 0)), sum(iif(type = 1, answered, 0)), 0, 0"
    " FROM service_counts GROUP BY service;"
    /* Append-only: credits used are in answers. */
    "CREATE TABLE credit_entries ("
    "  id INTEGER PRIMARY KEY,"
    "  service INTEGER NOT NULL REFERENCES services (id),"
    "  kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),"
    "  amount INTEGER NOT NULL,"
    "  note TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX credit_entries_by_service ON credit_entries (service, id);"
    /* What a service has paid for, for as long as it need not pay again. */
    "CREATE TABLE charges ("
    "  root BLOB NOT NULL CHECK (length(root) = 32),"
    "  service INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (root, service)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX charges_by_expiry ON charges (expires_ms);"
    /* Append-only: what other systems counted before this one; without an account, the pool's. */
    "CREATE TABLE openings ("
    "  id INTEGER PRIMARY KEY,"
    "  account BLOB CHECK (length(account) = 32),"
    "  precache INTEGER NOT NULL,"
    "  ondemand INTEGER NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX openings_by_account ON openings (account);"
    "CREATE TABLE frontiers ("
    "  account BLOB NOT NULL PRIMARY KEY CHECK (length(account) = 32),"
    "  frontier BLOB NOT NULL CHECK (length(frontier) = 32),"
    "  height INTEGER NOT NULL,"
    "  service INTEGER NOT NULL,"
    "  used_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX frontiers_by_expiry ON frontiers (expires_ms);"
    "CREATE TABLE audit ("
    "  id INTEGER PRIMARY KEY,"
    "  at_ms INTEGER NOT NULL,"
    "  actor TEXT NOT NULL,"
    "  command TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE series ("
    "  resolution INTEGER NOT NULL,"
    "  start_s INTEGER NOT NULL,"
    "  precache INTEGER NOT NULL,"
    "  ondemand INTEGER NOT NULL,"
    "  rewarded_precache INTEGER NOT NULL,"
    "  rewarded_ondemand INTEGER NOT NULL,"
    "  timeouts INTEGER NOT NULL,"
    "  refused INTEGER NOT NULL,"
    "  multiplier_sum REAL NOT NULL,"
    "  latency BLOB NOT NULL,"
    "  PRIMARY KEY (resolution, start_s)"
    ") STRICT, WITHOUT ROWID;",

    "ALTER TABLE clients ADD COLUMN snapshot_hashes_precache INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE clients ADD COLUMN snapshot_hashes_ondemand INTEGER NOT NULL DEFAULT 0;"
    /* What another system had paid already; NULL if it never had paid. */
    "ALTER TABLE openings ADD COLUMN snapshot_precache INTEGER;"
    "ALTER TABLE openings ADD COLUMN snapshot_ondemand INTEGER;"
    "INSERT INTO openings (account, precache, ondemand, created_ms, snapshot_precache,"
    " snapshot_ondemand) SELECT account, 0, 0, 0, coalesce(snapshot_precache, 0),"
    " coalesce(snapshot_ondemand, 0) FROM clients"
    " WHERE snapshot_precache IS NOT NULL OR snapshot_ondemand IS NOT NULL;"
    /* Amounts are blobs of 16 bytes, most significant first. */
    "CREATE TABLE payouts ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  rule INTEGER NOT NULL CHECK (rule IN (0, 1, 2)),"
    "  budget BLOB NOT NULL CHECK (length(budget) = 16),"
    "  minimum BLOB NOT NULL CHECK (length(minimum) = 16),"
    "  threshold INTEGER NOT NULL,"
    "  created_ms INTEGER NOT NULL,"
    "  cancelled_ms INTEGER NOT NULL DEFAULT 0,"
    "  source BLOB CHECK (length(source) = 32)"
    ") STRICT;"
    /* Counts and amounts never change. The state goes from 0 (planned) to 1 (sent) to 2. What
     * another hub paid (rule 2) has state 2, no block and no amount. */
    "CREATE TABLE payout_lines ("
    "  payout INTEGER NOT NULL REFERENCES payouts (id),"
    "  account BLOB NOT NULL CHECK (length(account) = 32),"
    "  precache INTEGER NOT NULL CHECK (precache >= 0),"
    "  ondemand INTEGER NOT NULL CHECK (ondemand >= 0),"
    "  hashes_precache INTEGER NOT NULL,"
    "  hashes_ondemand INTEGER NOT NULL,"
    "  amount BLOB NOT NULL CHECK (length(amount) = 16),"
    "  send_id TEXT NOT NULL UNIQUE,"
    "  state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),"
    "  block BLOB CHECK (length(block) = 32),"
    "  tried_ms INTEGER NOT NULL DEFAULT 0,"
    "  sent_ms INTEGER NOT NULL DEFAULT 0,"
    "  confirmed_ms INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (payout, account),"
    "  CHECK (CASE state WHEN 0 THEN block IS NULL WHEN 1 THEN block IS NOT NULL ELSE 1 END)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX payout_lines_by_account ON payout_lines (account);"
    "CREATE UNIQUE INDEX payout_lines_by_block ON payout_lines (block);",
};

enum { VERSION = sizeof migrations / sizeof migrations[0] };

static bool read_number(sqlite3 *database, const char *text, int *number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, text, -1, &statement, NULL) != SQLITE_OK)
        return sqlite_failed(database, "cannot read the schema's version", error);
    const bool good = sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *number = sqlite3_column_int(statement, 0);
    else
        (void)sqlite_failed(database, "cannot read the schema's version", error);
    (void)sqlite3_finalize(statement);
    return good;
}

static bool migrate(sqlite3 *database, int from, struct error *error)
{
    char finish[64];
    (void)snprintf(finish, sizeof finish, "PRAGMA user_version = %d; COMMIT", VERSION);
    if (sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_failed(database, "cannot update the schema", error);
    for (int i = from; i < VERSION; i++) {
        if (sqlite3_exec(database, migrations[i], NULL, NULL, NULL) != SQLITE_OK) {
            (void)sqlite_failed(database, "cannot update the schema", error);
            (void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
            return false;
        }
    }
    if (sqlite3_exec(database, finish, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    (void)sqlite_failed(database, "cannot update the schema", error);
    (void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

bool sqlite_schema_update(sqlite3 *database, struct error *error)
{
    int version = 0;
    int tables = 0;
    if (!read_number(database, "PRAGMA user_version", &version, error) ||
        !read_number(database, "SELECT count(*) FROM sqlite_schema", &tables, error))
        return false;
    if (version == 0 && tables > 0)
        return error_set(error, ERROR_INVALID, "it is the database of another program");
    if (version < 0 || version > VERSION)
        return error_set(error, ERROR_INVALID,
                         "the database has schema version %d; this program knows up to %d: use a "
                         "newer dpow",
                         version, VERSION);
    return version == VERSION || migrate(database, version, error);
}
