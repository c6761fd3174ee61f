/* How a payout is planned: in one transaction what is due is read, divided, written as lines, and
 * counted as paid. */
#include "store/sqlite_internal.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

/* The lines of a plan while it is made. */
struct plan {
    const struct store_op *op;
    struct payout_line *lines;
    size_t count;
    size_t room;
};

static bool is_excluded(const struct store_op *op, const struct account *account)
{
    for (size_t i = 0; i < op->payout_plan.excluded_count; i++)
        if (memcmp(op->payout_plan.excluded[i].key, account->key, sizeof account->key) == 0)
            return true;
    return false;
}

static bool add_line(struct plan *plan, const struct payout_line *line, struct error *error)
{
    if (plan->count == plan->room) {
        const size_t room = plan->room > 0 ? 2 * plan->room : 256;
        struct payout_line *lines = realloc(plan->lines, room * sizeof *lines);
        if (lines == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for a payout of %zu accounts", room);
        plan->lines = lines;
        plan->room = room;
    }
    plan->lines[plan->count++] = *line;
    return true;
}

/* What is due to an account. Works of a type are taken all or none; with them their hashes, so that
 * the other rule does not pay for them again. */
static bool read_due(sqlite3_stmt *statement, const struct store_op *op, struct payout_line *line)
{
    const uint64_t threshold = op->payout_plan.record.threshold;
    bool due = false;
    memset(line, 0, sizeof *line);
    if (!sqlite_read_key(statement, 0, line->account.key) || is_excluded(op, &line->account))
        return false;
    for (int type = 0; type < WORK_TYPES; type++) {
        const sqlite3_int64 works = sqlite3_column_int64(statement, 1 + type);
        const sqlite3_int64 hashes = sqlite3_column_int64(statement, 3 + type);
        if (works <= 0 || (uint64_t)works < threshold)
            continue;
        line->works.of[type] = (uint64_t)works;
        line->hashes.of[type] = hashes > 0 ? (uint64_t)hashes : 0;
        due = true;
    }
    return due;
}

static bool read_dues(struct sqlite_backend *backend, struct plan *plan, struct error *error)
{
    static const char text[] =
        "SELECT account, precache - coalesce(snapshot_precache, 0),"
        " ondemand - coalesce(snapshot_ondemand, 0), hashes_precache - snapshot_hashes_precache,"
        " hashes_ondemand - snapshot_hashes_ondemand FROM clients ORDER BY account";
    struct payout_line line;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        if (read_due(statement, plan->op, &line) && !add_line(plan, &line, error)) {
            (void)sqlite3_finalize(statement);
            return false;
        }
    }
    return sqlite_finish(backend, statement, status, error);
}

/* Keeps the lines that are paid; false if they add up to more than the budget. */
static bool keep_paid(struct plan *plan, struct payout_record *record)
{
    size_t kept = 0;
    u128 *sum = &record->amounts[PAYOUT_PLANNED];
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->lines[i].amount == 0)
            continue;
        if (!u128_add(*sum, plan->lines[i].amount, sum) || *sum > record->budget)
            return false;
        plan->lines[kept++] = plan->lines[i];
    }
    plan->count = kept;
    record->lines[PAYOUT_PLANNED] = kept;
    return true;
}

/* A random UUID (version 4). */
static void make_send_id(char text[PAYOUT_SEND_ID_SIZE])
{
    uint8_t bytes[16];
    size_t length = 0;
    random_system(bytes, sizeof bytes);
    bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f));
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));
    for (int i = 0; i < 16; i++) {
        const bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        length += (size_t)snprintf(text + length, PAYOUT_SEND_ID_SIZE - length, "%s%02x",
                                   dash ? "-" : "", bytes[i]);
    }
}

bool sqlite_write_plan(struct sqlite_backend *backend, struct payout_record *record,
                       struct error *error)
{
    static const char text[] = "INSERT INTO payouts (rule, budget, minimum, threshold, created_ms)"
                               " VALUES (?1, ?2, ?3, ?4, ?5)";
    sqlite3_stmt *statement = NULL;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int(statement, 1, (int)record->rule);
    sqlite_bind_u128(statement, 2, record->budget);
    sqlite_bind_u128(statement, 3, record->minimum);
    (void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)record->threshold);
    (void)sqlite3_bind_int64(statement, 5, record->created_ms);
    const bool written = sqlite_step_through(backend, statement, error);
    (void)sqlite3_finalize(statement);
    record->id = sqlite3_last_insert_rowid(backend->database);
    return written;
}

static void bind_line(sqlite3_stmt *statement, const struct payout_line *line)
{
    sqlite_bind_key(statement, 1, line->account.key);
    for (int type = 0; type < WORK_TYPES; type++) {
        (void)sqlite3_bind_int64(statement, 2 + type, (sqlite3_int64)line->works.of[type]);
        (void)sqlite3_bind_int64(statement, 4 + type, (sqlite3_int64)line->hashes.of[type]);
    }
}

/* Each line, and that what it pays is no longer due. */
static bool write_lines(struct sqlite_backend *backend, struct plan *plan, int64_t id,
                        struct error *error)
{
    static const char add_text[] =
        "INSERT INTO payout_lines (account, precache, ondemand, hashes_precache, hashes_ondemand,"
        " payout, amount, send_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    static const char paid_text[] =
        "UPDATE clients SET snapshot_precache = coalesce(snapshot_precache, 0) + ?2,"
        " snapshot_ondemand = coalesce(snapshot_ondemand, 0) + ?3,"
        " snapshot_hashes_precache = snapshot_hashes_precache + ?4,"
        " snapshot_hashes_ondemand = snapshot_hashes_ondemand + ?5 WHERE account = ?1";
    sqlite3_stmt *add = NULL;
    sqlite3_stmt *paid = NULL;
    bool good = sqlite_prepare(backend, add_text, &add, error) &&
                sqlite_prepare(backend, paid_text, &paid, error);
    for (size_t i = 0; good && i < plan->count; i++) {
        struct payout_line *line = &plan->lines[i];
        make_send_id(line->send_id);
        bind_line(add, line);
        bind_line(paid, line);
        (void)sqlite3_bind_int64(add, 6, id);
        sqlite_bind_u128(add, 7, line->amount);
        sqlite_bind_text(add, 8, line->send_id);
        good =
            sqlite_step_through(backend, add, error) && sqlite_step_through(backend, paid, error);
    }
    (void)sqlite3_finalize(add);
    (void)sqlite3_finalize(paid);
    return good;
}

bool sqlite_plan_payout(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    struct payout_record *record = &op->payout_plan.record;
    struct plan plan = {.op = op};
    memset(record->lines, 0, sizeof record->lines);
    memset(record->amounts, 0, sizeof record->amounts);
    bool good = read_dues(backend, &plan, error);
    /* What cannot be divided is no failure of the store, which would try it again for ever. */
    const bool divided = good && plan.count > 0 &&
                         op->payout_plan.divide(record, plan.lines, plan.count) &&
                         keep_paid(&plan, record) && plan.count > 0;
    if (good && !divided)
        op->status = STORE_CONFLICT;
    else
        good = good && sqlite_write_plan(backend, record, error) &&
               write_lines(backend, &plan, record->id, error);
    free(plan.lines);
    return good;
}
