#include "store/sqlite_internal.h"

#include "nano/difficulty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a commit waits for another process that reads the file, such as a backup. */
enum { BUSY_TIMEOUT_MS = 1000 };

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

static bool apply_read(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    op->read.begin(op->read.context);
    switch (op->kind) {
    case STORE_READ_CREDITS:
        return sqlite_read_credits(backend, op, error);
    case STORE_READ_CLIENTS:
        return sqlite_read_clients(backend, op, error);
    case STORE_READ_AUDIT:
        return sqlite_read_audit(backend, op, error);
    case STORE_READ_PAYOUTS:
        return sqlite_read_payouts(backend, op, error);
    case STORE_READ_PAYOUT_LINES:
        return sqlite_read_payout_lines(backend, op, error);
    default:
        return sqlite_check(backend, op, error);
    }
}

static bool apply_one(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    switch (op->kind) {
    case STORE_WORK:
        return sqlite_apply_work(backend, op, error);
    case STORE_ANSWER:
    case STORE_UNANSWER:
        return sqlite_apply_answer(backend, op, error);
    case STORE_ANSWERS:
        return sqlite_apply_answers(backend, op, error);
    case STORE_SERVICE_ADD:
    case STORE_SERVICE_EDIT:
    case STORE_SERVICE_REMOVE:
    case STORE_KEY_ADD:
    case STORE_KEY_REHASH:
        return sqlite_apply_service(backend, op, error);
    case STORE_CREDIT:
    case STORE_CLIENT_BAN:
    case STORE_CLIENT_INVALID:
    case STORE_CLIENT_IMPORT:
    case STORE_TOTALS_IMPORT:
    case STORE_FRONTIER:
    case STORE_FRONTIER_IMPORT:
    case STORE_SERIES:
        return sqlite_apply_book(backend, op, error);
    case STORE_PAYOUT_PLAN:
    case STORE_PAYOUT_CANCEL:
    case STORE_PAYOUT_TRY:
    case STORE_PAYOUT_SENT:
    case STORE_PAYOUT_CONFIRMED:
    case STORE_PAYOUT_ORIGINAL:
        return sqlite_apply_payout(backend, op, error);
    case STORE_NOTE:
        return true;
    case STORE_READ_BALANCE:
        return sqlite_read_balance(backend, op, error);
    case STORE_READ_CREDITS:
    case STORE_READ_CLIENTS:
    case STORE_READ_AUDIT:
    case STORE_READ_PAYOUTS:
    case STORE_READ_PAYOUT_LINES:
    case STORE_CHECK:
        return apply_read(backend, op, error);
    }
    return error_set(error, ERROR_INVALID, "unknown store operation %d", (int)op->kind);
}

/* Works and answers do not read what is tallied; all else may. */
static bool apply(struct store_backend *common, struct store_op *op, struct error *error)
{
    struct sqlite_backend *backend = from_common(common);
    if (op->kind > STORE_ANSWERS && !sqlite_write_tallies(backend, error))
        return false;
    if (!apply_one(backend, op, error))
        return false;
    return op->audit == NULL || op->status != STORE_DONE ||
           sqlite_write_audit(backend, op->audit, error);
}

static bool begin(struct store_backend *common, struct error *error)
{
    struct sqlite_backend *backend = from_common(common);
    checkpointer_between(backend->checkpointer);
    return execute(backend, "BEGIN IMMEDIATE", "cannot begin a transaction", error);
}

static bool commit(struct store_backend *common, struct error *error)
{
    struct sqlite_backend *backend = from_common(common);
    return sqlite_write_tallies(backend, error) &&
           execute(backend, "COMMIT", "cannot commit", error);
}

/* SQLite may have rolled back by itself already, when the disk was full. */
static void rollback(struct store_backend *common)
{
    sqlite3 *database = from_common(common)->database;
    sqlite_forget_tallies(from_common(common));
    if (sqlite3_get_autocommit(database) == 0)
        (void)sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
}

static bool purge(struct store_backend *common, int64_t now_ms, size_t limit, size_t *purged,
                  struct error *error)
{
    struct sqlite_backend *backend = from_common(common);
    *purged = 0;
    for (enum statement which = WORKS_PURGE; which <= SERIES_PURGE; which++) {
        (void)sqlite3_bind_int64(backend->statements[which], 1, now_ms);
        (void)sqlite3_bind_int64(backend->statements[which], 2, (sqlite3_int64)limit);
        if (!sqlite_run(backend, which, error))
            return false;
        *purged += (size_t)sqlite3_changes(backend->database);
    }
    return true;
}

static void close_backend(struct store_backend *common)
{
    struct sqlite_backend *backend = from_common(common);
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(backend->statements[i]);
    checkpointer_stop(backend->checkpointer);
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
    if (!sqlite_prepare(backend, "PRAGMA journal_mode = WAL", &statement, error))
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

/* What a work with a stored threshold counts: the schema's updates and the check use it. */
static void expected_hashes(sqlite3_context *context, int count, sqlite3_value **values)
{
    const uint8_t *bytes = sqlite3_value_blob(values[0]);
    uint64_t threshold = 0;
    (void)count;
    if (bytes != NULL && sqlite3_value_bytes(values[0]) == 8)
        for (int i = 0; i < 8; i++)
            threshold = threshold << 8 | bytes[i];
    sqlite3_result_int64(context, (sqlite3_int64)difficulty_whole_hashes(threshold));
}

static bool add_functions(struct sqlite_backend *backend, struct error *error)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    if (sqlite3_create_function(backend->database, "expected_hashes", 1, flags, NULL,
                                expected_hashes, NULL, NULL) == SQLITE_OK)
        return true;
    return sqlite_failed(backend->database, "cannot set it up", error);
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
    if (execute(backend,
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
                "cannot set it up", &reason) &&
        add_functions(backend, &reason) && sqlite_schema_update(backend->database, &reason) &&
        use_write_ahead_log(backend, &reason) && sqlite_prepare_all(backend, &reason) &&
        (backend->checkpointer = checkpointer_start(backend->database, path, &reason)) != NULL)
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
        .each_service = sqlite_each_service,
        .each_work = sqlite_each_work,
        .each_client = sqlite_each_client,
        .each_frontier = sqlite_each_frontier,
        .each_series = sqlite_each_series,
        .totals = sqlite_totals,
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
