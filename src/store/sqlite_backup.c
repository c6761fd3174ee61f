#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between steps the writer of a running hub gets its turn. */
enum { PAGES_A_STEP = 1024, BUSY_MS = 10000, PATH_MAX_BYTES = 4096 };

static bool copy_pages(sqlite3 *source, sqlite3 *target, struct error *error)
{
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", source, "main");
    if (backup == NULL)
        return sqlite_failed(target, "cannot begin the copy", error);
    int status;
    do {
        status = sqlite3_backup_step(backup, PAGES_A_STEP);
        if (status == SQLITE_BUSY || status == SQLITE_LOCKED)
            (void)sqlite3_sleep(5);
    } while (status == SQLITE_OK || status == SQLITE_BUSY || status == SQLITE_LOCKED);
    (void)sqlite3_backup_finish(backup);
    return status == SQLITE_DONE || sqlite_failed(target, "cannot copy", error);
}

static bool is_sound(sqlite3 *database, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    bool sound = false;
    if (sqlite3_prepare_v2(database, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        sound = text != NULL && strcmp((const char *)text, "ok") == 0;
    }
    (void)sqlite3_finalize(statement);
    return sound || error_set(error, ERROR_SYSTEM, "the copy is damaged");
}

/* One connection reads all pages in one transaction, so that the copy is of one moment: without it
 * SQLite would begin anew whenever the hub commits. */
static bool copy(sqlite3 *source, sqlite3 *target, struct error *error)
{
    if (sqlite3_exec(source, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) !=
        SQLITE_OK)
        return sqlite_failed(source, "cannot read it", error);
    const bool copied = copy_pages(source, target, error);
    (void)sqlite3_exec(source, "ROLLBACK", NULL, NULL, NULL);
    /* The copy is one file: it needs no write-ahead log until it is used. */
    if (copied &&
        sqlite3_exec(target, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_failed(target, "cannot end the copy", error);
    return copied && is_sound(target, error);
}

static bool copy_file(const char *path, const char *copy_path, struct error *error)
{
    sqlite3 *source = NULL;
    sqlite3 *target = NULL;
    struct error reason;
    const mode_t before = umask(0077);
    bool good = (sqlite3_open_v2(path, &source, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ||
                 sqlite_failed(source, "cannot open it", &reason)) &&
                (sqlite3_open_v2(copy_path, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                 NULL) == SQLITE_OK ||
                 sqlite_failed(target, "cannot open the copy", &reason));
    (void)umask(before);
    if (good) {
        (void)sqlite3_busy_timeout(source, BUSY_MS);
        good = copy(source, target, &reason);
    }
    (void)sqlite3_close(source);
    (void)sqlite3_close(target);
    return good || error_set(error, reason.code, "backup of %.80s: %.140s", path, reason.text);
}

static bool sync_file(const char *path)
{
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    const bool good = descriptor >= 0 && fsync(descriptor) == 0;
    if (descriptor >= 0)
        (void)close(descriptor);
    return good;
}

/* link() and not rename(): a file that came there meanwhile is not overwritten. */
bool sqlite_backup(const char *path, const char *copy, struct error *error)
{
    char temporary[PATH_MAX_BYTES];
    const int length = snprintf(temporary, sizeof temporary, "%s.part", copy);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return error_set(error, ERROR_INVALID, "backup: the path may have at most %d bytes",
                         PATH_MAX_BYTES - 6);
    if (access(copy, F_OK) == 0)
        return error_set(error, ERROR_EXISTS, "backup: %.200s exists already", copy);
    if (access(path, R_OK) != 0)
        return error_set(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_SYSTEM,
                         "backup: cannot read %.160s: %s", path, strerror(errno));
    (void)unlink(temporary);
    bool good = copy_file(path, temporary, error);
    if (good && (!sync_file(temporary) || link(temporary, copy) != 0))
        good = error_set(error, ERROR_SYSTEM, "backup: cannot write %.160s: %s", copy,
                         strerror(errno));
    (void)unlink(temporary);
    return good;
}
