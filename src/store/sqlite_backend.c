#include "store/sqlite_internal.h"
#include "store/store_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum statement {
    WORK_PUT,
    REWARD_ADD,
    CLIENT_ADD,
    TOTAL_ADD,
    ANSWER_ADD,
    ANSWER_TAKE,
    SERVICE_ADD,
    KEY_ADD,
    WORKS_PURGE,
    STATEMENTS,
};

/* A better work replaces a weaker one of the same root, and one that is no longer handed out. */
static const char *const statement_texts[STATEMENTS] = {
    [WORK_PUT] = "INSERT INTO works VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                 " ON CONFLICT (root) DO UPDATE SET nonce = excluded.nonce, value = excluded.value,"
                 " type = excluded.type, solved_ms = excluded.solved_ms,"
                 " expires_ms = excluded.expires_ms"
                 " WHERE excluded.value > value OR expires_ms <= excluded.solved_ms",
    [REWARD_ADD] = "INSERT INTO rewards VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    [CLIENT_ADD] = "INSERT INTO clients VALUES (?1, ?2, ?3, NULL, NULL, ?4)"
                   " ON CONFLICT (account) DO UPDATE SET precache = precache + excluded.precache,"
                   " ondemand = ondemand + excluded.ondemand, last_ms = excluded.last_ms"
                   " RETURNING precache, ondemand, snapshot_precache, snapshot_ondemand",
    [TOTAL_ADD] = "UPDATE totals SET rewarded = rewarded + 1 WHERE type = ?1",
    [ANSWER_ADD] = "INSERT INTO service_counts SELECT id, ?2, 1 FROM services WHERE id = ?1"
                   " ON CONFLICT (service, type) DO UPDATE SET answered = answered + 1",
    [ANSWER_TAKE] = "UPDATE service_counts SET answered = answered - 1"
                    " WHERE service = ?1 AND type = ?2 AND answered > 0",
    [SERVICE_ADD] =
        "INSERT INTO services (name, display, website, is_public, rate_per_s, created_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
    [KEY_ADD] = "INSERT INTO service_keys (service, hash, created_ms) VALUES (?1, ?2, ?3)",
    [WORKS_PURGE] = "DELETE FROM works WHERE root IN"
                    " (SELECT root FROM works WHERE expires_ms <= ?1 LIMIT ?2)",
};

/* How long a commit waits for another process that reads the file, such as a backup. */
enum { BUSY_TIMEOUT_MS = 1000 };

struct sqlite_backend {
    struct store_backend common;
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    int lock; /* Descriptor whose flock says that this process owns the file; -1 for none. */
};

static struct sqlite_backend *from_common(struct store_backend *backend)
{
    return (struct sqlite_backend *)backend;
}

static bool execute(struct sqlite_backend *backend, const char *text, const char *doing,
                    struct error *error)
{
    if (sqlite3_exec(backend->database, text, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return sqlite_failed(backend->database, doing, error);
}

static void bind_u64(sqlite3_stmt *statement, int index, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 7; i >= 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
    (void)sqlite3_bind_blob(statement, index, bytes, sizeof bytes, SQLITE_TRANSIENT);
}

static void bind_key(sqlite3_stmt *statement, int index, const uint8_t key[32])
{
    (void)sqlite3_bind_blob(statement, index, key, 32, SQLITE_TRANSIENT);
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
}

/* Runs a statement whose parameters are bound, to its end. */
static bool run(struct sqlite_backend *backend, enum statement which, struct error *error)
{
    sqlite3_stmt *statement = backend->statements[which];
    int status;
    do {
        status = sqlite3_step(statement);
    } while (status == SQLITE_ROW);
    if (status != SQLITE_DONE)
        (void)sqlite_failed(backend->database, "cannot write", error);
    (void)sqlite3_reset(statement);
    return status == SQLITE_DONE;
}

static bool put_work(struct sqlite_backend *backend, const struct work_record *record,
                     struct error *error)
{
    sqlite3_stmt *statement = backend->statements[WORK_PUT];
    bind_key(statement, 1, record->root.bytes);
    bind_u64(statement, 2, record->nonce);
    bind_u64(statement, 3, record->value);
    (void)sqlite3_bind_int(statement, 4, (int)record->type);
    (void)sqlite3_bind_int64(statement, 5, record->solved_ms);
    (void)sqlite3_bind_int64(statement, 6, record->expires_ms);
    return run(backend, WORK_PUT, error);
}

static bool add_reward(struct sqlite_backend *backend, const struct store_op *op, bool *added,
                       struct error *error)
{
    const struct work_record *record = &op->work.record;
    sqlite3_stmt *statement = backend->statements[REWARD_ADD];
    bind_key(statement, 1, record->root.bytes);
    bind_u64(statement, 2, record->nonce);
    bind_key(statement, 3, op->work.account.key);
    (void)sqlite3_bind_int(statement, 4, (int)record->type);
    bind_u64(statement, 5, record->threshold);
    (void)sqlite3_bind_int64(statement, 6, record->solved_ms);
    if (!run(backend, REWARD_ADD, error))
        return false;
    *added = sqlite3_changes(backend->database) > 0;
    return true;
}

static bool add_to_client(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    const bool ondemand = op->work.record.type == WORK_ONDEMAND;
    struct client_totals *totals = &op->work.totals;
    sqlite3_stmt *statement = backend->statements[CLIENT_ADD];
    bind_key(statement, 1, op->work.account.key);
    (void)sqlite3_bind_int(statement, 2, ondemand ? 0 : 1);
    (void)sqlite3_bind_int(statement, 3, ondemand ? 1 : 0);
    (void)sqlite3_bind_int64(statement, 4, op->work.record.solved_ms);
    /* To step on after a failure would run the statement again, and outside the transaction if
     * SQLite has rolled it back. */
    if (sqlite3_step(statement) != SQLITE_ROW) {
        (void)sqlite_failed(backend->database, "cannot write", error);
        (void)sqlite3_reset(statement);
        return false;
    }
    totals->rewarded.of[WORK_PRECACHE] = (uint64_t)sqlite3_column_int64(statement, 0);
    totals->rewarded.of[WORK_ONDEMAND] = (uint64_t)sqlite3_column_int64(statement, 1);
    totals->has_snapshot = sqlite3_column_type(statement, 2) != SQLITE_NULL;
    totals->snapshot.of[WORK_PRECACHE] = (uint64_t)sqlite3_column_int64(statement, 2);
    totals->snapshot.of[WORK_ONDEMAND] = (uint64_t)sqlite3_column_int64(statement, 3);
    return run(backend, CLIENT_ADD, error);
}

static bool apply_work(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    op->work.rewarded = false;
    if (!put_work(backend, &op->work.record, error))
        return false;
    if (!op->work.has_account)
        return true;
    if (!add_reward(backend, op, &op->work.rewarded, error))
        return false;
    if (!op->work.rewarded)
        return true;
    (void)sqlite3_bind_int(backend->statements[TOTAL_ADD], 1, (int)op->work.record.type);
    return add_to_client(backend, op, error) && run(backend, TOTAL_ADD, error);
}

static bool apply_answer(struct sqlite_backend *backend, struct store_op *op, enum statement which,
                         struct error *error)
{
    sqlite3_stmt *statement = backend->statements[which];
    (void)sqlite3_bind_int64(statement, 1, op->answer.service_id);
    (void)sqlite3_bind_int(statement, 2, (int)op->answer.type);
    if (!run(backend, which, error))
        return false;
    if (sqlite3_changes(backend->database) == 0)
        op->status = STORE_CONFLICT;
    return true;
}

static bool add_key(struct sqlite_backend *backend, const struct service_record *service,
                    struct error *error)
{
    sqlite3_stmt *statement = backend->statements[KEY_ADD];
    (void)sqlite3_bind_int64(statement, 1, service->id);
    bind_text(statement, 2, service->key_hash);
    (void)sqlite3_bind_int64(statement, 3, service->created_ms);
    return run(backend, KEY_ADD, error);
}

static bool apply_service(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    struct service_record *service = op->service;
    sqlite3_stmt *statement = backend->statements[SERVICE_ADD];
    bind_text(statement, 1, service->name);
    bind_text(statement, 2, service->display);
    bind_text(statement, 3, service->website);
    (void)sqlite3_bind_int(statement, 4, service->is_public ? 1 : 0);
    (void)sqlite3_bind_double(statement, 5, service->rate_per_s);
    (void)sqlite3_bind_int64(statement, 6, service->created_ms);
    if (!run(backend, SERVICE_ADD, error))
        return false;
    if (sqlite3_changes(backend->database) == 0) {
        op->status = STORE_CONFLICT;
        return true;
    }
    service->id = sqlite3_last_insert_rowid(backend->database);
    return add_key(backend, service, error);
}

static bool apply(struct store_backend *common, struct store_op *op, struct error *error)
{
    struct sqlite_backend *backend = from_common(common);
    switch (op->kind) {
    case STORE_WORK:
        return apply_work(backend, op, error);
    case STORE_ANSWER:
        return apply_answer(backend, op, ANSWER_ADD, error);
    case STORE_UNANSWER:
        return apply_answer(backend, op, ANSWER_TAKE, error);
    case STORE_SERVICE_ADD:
        return apply_service(backend, op, error);
    }
    return error_set(error, ERROR_INVALID, "unknown store operation %d", (int)op->kind);
}

static bool begin(struct store_backend *common, struct error *error)
{
    return execute(from_common(common), "BEGIN IMMEDIATE", "cannot begin a transaction", error);
}

static bool commit(struct store_backend *common, struct error *error)
{
    return execute(from_common(common), "COMMIT", "cannot commit", error);
}

/* SQLite may have rolled back by itself already, when the disk was full. */
static void rollback(struct store_backend *common)
{
    sqlite3 *database = from_common(common)->database;
    if (sqlite3_get_autocommit(database) == 0)
        (void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
}

static bool purge(struct store_backend *common, int64_t now_ms, size_t limit, size_t *purged,
                  struct error *error)
{
    struct sqlite_backend *backend = from_common(common);
    (void)sqlite3_bind_int64(backend->statements[WORKS_PURGE], 1, now_ms);
    (void)sqlite3_bind_int64(backend->statements[WORKS_PURGE], 2, (sqlite3_int64)limit);
    if (!run(backend, WORKS_PURGE, error))
        return false;
    *purged = (size_t)sqlite3_changes(backend->database);
    return true;
}

static bool prepare(struct sqlite_backend *backend, const char *text, sqlite3_stmt **statement,
                    struct error *error)
{
    if (sqlite3_prepare_v2(backend->database, text, -1, statement, NULL) == SQLITE_OK)
        return true;
    return sqlite_failed(backend->database, "cannot read", error);
}

static bool finish_reading(struct sqlite_backend *backend, sqlite3_stmt *statement, int status,
                           struct error *error)
{
    const bool good = status == SQLITE_DONE || status == SQLITE_ROW;
    if (!good)
        (void)sqlite_failed(backend->database, "cannot read", error);
    (void)sqlite3_finalize(statement);
    return good;
}

static void copy_text(sqlite3_stmt *statement, int column, char *text, size_t size)
{
    const unsigned char *value = sqlite3_column_text(statement, column);
    (void)snprintf(text, size, "%s", value != NULL ? (const char *)value : "");
}

static void read_service(sqlite3_stmt *statement, struct service_record *service)
{
    memset(service, 0, sizeof *service);
    service->id = sqlite3_column_int64(statement, 0);
    copy_text(statement, 1, service->name, sizeof service->name);
    copy_text(statement, 2, service->display, sizeof service->display);
    copy_text(statement, 3, service->website, sizeof service->website);
    service->is_public = sqlite3_column_int(statement, 4) != 0;
    service->rate_per_s = sqlite3_column_double(statement, 5);
    service->created_ms = sqlite3_column_int64(statement, 6);
    copy_text(statement, 7, service->key_hash, sizeof service->key_hash);
    service->answered.of[WORK_PRECACHE] = (uint64_t)sqlite3_column_int64(statement, 8);
    service->answered.of[WORK_ONDEMAND] = (uint64_t)sqlite3_column_int64(statement, 9);
}

static bool each_service(struct store_backend *common,
                         bool (*visit)(void *context, const struct service_record *service),
                         void *context, struct error *error)
{
    static const char text[] =
        "SELECT id, name, display, website, is_public, rate_per_s, created_ms,"
        " (SELECT hash FROM service_keys WHERE service = services.id ORDER BY id DESC LIMIT 1),"
        " (SELECT answered FROM service_counts WHERE service = services.id AND type = 0),"
        " (SELECT answered FROM service_counts WHERE service = services.id AND type = 1)"
        " FROM services ORDER BY id";
    struct sqlite_backend *backend = from_common(common);
    struct service_record service;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!prepare(backend, text, &statement, error))
        return false;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        read_service(statement, &service);
        if (!visit(context, &service))
            break;
    }
    return finish_reading(backend, statement, status, error);
}

static bool read_u64(sqlite3_stmt *statement, int column, uint64_t *value)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    if (bytes == NULL || sqlite3_column_bytes(statement, column) != 8)
        return false;
    *value = 0;
    for (int i = 0; i < 8; i++)
        *value = *value << 8 | bytes[i];
    return true;
}

/* The file may have been edited by other hands: a value is what its nonce really has. */
static bool read_work(sqlite3_stmt *statement, struct work_record *work)
{
    const void *root = sqlite3_column_blob(statement, 0);
    memset(work, 0, sizeof *work);
    if (root == NULL || sqlite3_column_bytes(statement, 0) != 32 ||
        !read_u64(statement, 1, &work->nonce))
        return false;
    memcpy(work->root.bytes, root, 32);
    work->value = work_value(work->nonce, &work->root);
    work->type = sqlite3_column_int(statement, 2) == 0 ? WORK_PRECACHE : WORK_ONDEMAND;
    work->solved_ms = sqlite3_column_int64(statement, 3);
    work->expires_ms = sqlite3_column_int64(statement, 4);
    return true;
}

static bool each_work(struct store_backend *common, int64_t now_ms, size_t limit,
                      bool (*visit)(void *context, const struct work_record *work), void *context,
                      struct error *error)
{
    static const char text[] = "SELECT root, nonce, type, solved_ms, expires_ms FROM works"
                               " WHERE expires_ms > ?1 ORDER BY expires_ms DESC LIMIT ?2";
    struct sqlite_backend *backend = from_common(common);
    struct work_record work;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, now_ms);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_work(statement, &work) && !visit(context, &work))
            break;
    return finish_reading(backend, statement, status, error);
}

static bool totals(struct store_backend *common, struct work_counts *totals, struct error *error)
{
    struct sqlite_backend *backend = from_common(common);
    sqlite3_stmt *statement = NULL;
    int status;
    memset(totals, 0, sizeof *totals);
    if (!prepare(backend, "SELECT type, rewarded FROM totals", &statement, error))
        return false;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        totals->of[sqlite3_column_int(statement, 0) == 0 ? WORK_PRECACHE : WORK_ONDEMAND] =
            (uint64_t)sqlite3_column_int64(statement, 1);
    return finish_reading(backend, statement, status, error);
}

static void close_backend(struct store_backend *common)
{
    struct sqlite_backend *backend = from_common(common);
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(backend->statements[i]);
    (void)sqlite3_close(backend->database);
    if (backend->lock >= 0)
        (void)close(backend->lock);
    free(backend);
}

static bool take_lock(struct sqlite_backend *backend, const char *path, struct error *error)
{
    char lock_path[4096];
    const int length = snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    if (length < 0 || (size_t)length >= sizeof lock_path)
        return error_set(error, ERROR_INVALID, "store: the path has more than 4090 characters");
    backend->lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (backend->lock < 0)
        return error_set(error, ERROR_SYSTEM, "cannot open %.160s: %s", lock_path, strerror(errno));
    if (flock(backend->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return error_set(error, ERROR_EXISTS,
                         "%.160s is in use: another dpow process works on this store", path);
    return error_set(error, ERROR_SYSTEM, "cannot lock %.160s: %s", lock_path, strerror(errno));
}

/* Some file systems cannot have a write-ahead log; SQLite then goes on without and says so only
 * here. */
static bool use_write_ahead_log(struct sqlite_backend *backend, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (!prepare(backend, "PRAGMA journal_mode = WAL", &statement, error))
        return false;
    const int status = sqlite3_step(statement);
    const unsigned char *mode = status == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    const bool good = mode != NULL && strcmp((const char *)mode, "wal") == 0;
    if (status != SQLITE_ROW)
        (void)sqlite_failed(backend->database, "cannot use a write-ahead log", error);
    else if (!good)
        (void)error_set(error, ERROR_SYSTEM, "its file system cannot have a write-ahead log");
    (void)sqlite3_finalize(statement);
    return good;
}

static bool prepare_all(struct sqlite_backend *backend, struct error *error)
{
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(backend->database, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &backend->statements[i], NULL) != SQLITE_OK)
            return sqlite_failed(backend->database, "its tables are damaged", error);
    return true;
}

static bool open_database(struct sqlite_backend *backend, const char *path, struct error *error)
{
    const mode_t before = umask(0077);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int status = sqlite3_open_v2(path, &backend->database, flags, NULL);
    (void)umask(before);
    if (status != SQLITE_OK)
        return error_set(error, ERROR_SYSTEM, "cannot open %.160s: %s", path,
                         sqlite3_errmsg(backend->database));
    struct error reason;
    /* What is not ours is refused before anything in the file is changed. */
    (void)sqlite3_busy_timeout(backend->database, BUSY_TIMEOUT_MS);
    /* Bringing the log into the file stalls a commit for milliseconds. Every 8,000 pages (32 MiB)
     * instead of SQLite's 1,000 keeps that out of the slowest hundredth of the answers. */
    if (execute(backend,
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                "PRAGMA wal_autocheckpoint = 8000;",
                "cannot set it up", &reason) &&
        sqlite_schema_update(backend->database, &reason) && use_write_ahead_log(backend, &reason) &&
        prepare_all(backend, &reason))
        return true;
    return error_set(error, reason.code, "store %.100s: %.140s", path, reason.text);
}

struct store_backend *sqlite_backend_open(const char *path, struct error *error)
{
    static const struct store_backend_ops ops = {
        .close = close_backend,
        .begin = begin,
        .apply = apply,
        .commit = commit,
        .rollback = rollback,
        .purge = purge,
        .each_service = each_service,
        .each_work = each_work,
        .totals = totals,
    };
    /* To SQLite an empty name and one that begins with a colon are no files (":memory:"). */
    if (path[0] == '\0' || path[0] == ':') {
        (void)error_set(error, ERROR_INVALID, "store: sqlite:PATH must name a file");
        return NULL;
    }
    struct sqlite_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the store");
        return NULL;
    }
    backend->common.ops = &ops;
    backend->lock = -1;
    if (!take_lock(backend, path, error) || !open_database(backend, path, error)) {
        close_backend(&backend->common);
        return NULL;
    }
    return &backend->common;
}
