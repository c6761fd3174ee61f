/* Payouts once they are planned: each line's way to its block, taking a plan back, reading. */
#include "store/sqlite_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* Runs a statement on a line that is in force, and says whether it changed one. */
static bool run_on_line(struct sqlite_backend *backend, struct store_op *op, const char *text,
                        const uint8_t key[32], struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, op->payout.id);
    sqlite_bind_key(statement, 2, op->payout.account.key);
    sqlite_bind_key(statement, 3, key);
    (void)sqlite3_bind_int64(statement, 4, op->payout.now_ms);
    const bool done = sqlite_step_through(backend, statement, error);
    (void)sqlite3_finalize(statement);
    if (done && sqlite3_changes(backend->database) == 0)
        op->status = STORE_CONFLICT;
    return done;
}

/* A line is tried only from the account of the tries before: another wallet would not know its send
 * id, and would pay it again. */
static bool try_line(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char line_text[] =
        "UPDATE payout_lines SET tried_ms = iif(tried_ms = 0, ?4, tried_ms)"
        " WHERE payout = ?1 AND account = ?2 AND state = 0 AND EXISTS (SELECT 1 FROM payouts"
        "  WHERE id = ?1 AND cancelled_ms = 0 AND (source IS NULL OR source = ?3))";
    static const char source_text[] = "UPDATE payouts SET source = ?2 WHERE id = ?1";
    sqlite3_stmt *statement = NULL;
    if (!run_on_line(backend, op, line_text, op->payout.source.key, error))
        return false;
    if (op->status == STORE_CONFLICT)
        return true;
    if (!sqlite_prepare(backend, source_text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, op->payout.id);
    sqlite_bind_key(statement, 2, op->payout.source.key);
    const bool done = sqlite_step_through(backend, statement, error);
    (void)sqlite3_finalize(statement);
    return done;
}

static bool send_line(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char text[] =
        "UPDATE payout_lines SET state = max(state, 1), block = ?3,"
        " sent_ms = iif(sent_ms = 0, ?4, sent_ms)"
        " WHERE payout = ?1 AND account = ?2 AND (block IS NULL OR block = ?3)"
        " AND EXISTS (SELECT 1 FROM payouts WHERE id = ?1 AND cancelled_ms = 0)"
        " AND NOT EXISTS (SELECT 1 FROM payout_lines AS o"
        "  WHERE o.block = ?3 AND (o.payout <> ?1 OR o.account <> ?2))";
    return run_on_line(backend, op, text, op->payout.block.bytes, error);
}

static bool confirm_line(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char text[] = "UPDATE payout_lines SET state = 2,"
                               " confirmed_ms = iif(confirmed_ms = 0, ?4, confirmed_ms)"
                               " WHERE payout = ?1 AND account = ?2 AND block = ?3";
    return run_on_line(backend, op, text, op->payout.block.bytes, error);
}

static bool run_on_payout(struct sqlite_backend *backend, const struct store_op *op,
                          const char *text, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, op->payout.id);
    if (sqlite3_bind_parameter_count(statement) > 1)
        (void)sqlite3_bind_int64(statement, 2, op->payout.now_ms);
    const bool done = sqlite_step_through(backend, statement, error);
    (void)sqlite3_finalize(statement);
    return done;
}

/* What it took is due again; who had never been paid has never been paid. */
static bool cancel(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    static const char cancel_text[] =
        "UPDATE payouts SET cancelled_ms = ?2 WHERE id = ?1 AND cancelled_ms = 0"
        " AND source IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM payout_lines WHERE payout = ?1 AND (state <> 0 OR tried_ms <> 0))";
    static const char dues_text[] =
        "UPDATE clients SET snapshot_precache = snapshot_precache - l.precache,"
        " snapshot_ondemand = snapshot_ondemand - l.ondemand,"
        " snapshot_hashes_precache = snapshot_hashes_precache - l.hashes_precache,"
        " snapshot_hashes_ondemand = snapshot_hashes_ondemand - l.hashes_ondemand"
        " FROM payout_lines AS l WHERE l.payout = ?1 AND l.account = clients.account";
    static const char never_text[] =
        "UPDATE clients SET snapshot_precache = NULL, snapshot_ondemand = NULL"
        " WHERE account IN (SELECT account FROM payout_lines WHERE payout = ?1)"
        " AND NOT EXISTS (SELECT 1 FROM payout_lines AS l JOIN payouts AS p ON p.id = l.payout"
        "  WHERE l.account = clients.account AND p.cancelled_ms = 0)"
        " AND NOT EXISTS (SELECT 1 FROM openings AS o"
        "  WHERE o.account = clients.account AND o.snapshot_precache IS NOT NULL)";
    if (!run_on_payout(backend, op, cancel_text, error))
        return false;
    if (sqlite3_changes(backend->database) == 0) {
        op->status = STORE_CONFLICT;
        return true;
    }
    return run_on_payout(backend, op, dues_text, error) &&
           run_on_payout(backend, op, never_text, error);
}

bool sqlite_apply_payout(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    switch (op->kind) {
    case STORE_PAYOUT_PLAN:
        return sqlite_plan_payout(backend, op, error);
    case STORE_PAYOUT_CANCEL:
        return cancel(backend, op, error);
    case STORE_PAYOUT_TRY:
        return try_line(backend, op, error);
    case STORE_PAYOUT_ORIGINAL:
        return sqlite_record_payout(backend, op, error);
    case STORE_PAYOUT_SENT:
        return send_line(backend, op, error);
    default:
        return confirm_line(backend, op, error);
    }
}

static enum payout_state read_state(sqlite3_stmt *statement, int column)
{
    const int state = sqlite3_column_int(statement, column);
    return state >= 0 && state < PAYOUT_STATES ? (enum payout_state)state : PAYOUT_SENT;
}

static void read_payout(sqlite3_stmt *statement, struct payout_record *record)
{
    memset(record, 0, sizeof *record);
    record->id = sqlite3_column_int64(statement, 0);
    const int rule = sqlite3_column_int(statement, 1);
    record->rule = rule >= 0 && rule < PAYOUT_RULES ? (enum payout_rule)rule : PAYOUT_WORKS;
    (void)sqlite_read_u128(statement, 2, &record->budget);
    (void)sqlite_read_u128(statement, 3, &record->minimum);
    record->threshold = (uint64_t)sqlite3_column_int64(statement, 4);
    record->created_ms = sqlite3_column_int64(statement, 5);
    record->cancelled_ms = sqlite3_column_int64(statement, 6);
    record->has_source = sqlite_read_key(statement, 7, record->source.key);
}

/* A line of the payout. Sums that do not fit stay at the largest number: far beyond a budget. */
static void add_line(sqlite3_stmt *statement, struct payout_record *record)
{
    u128 amount;
    if (!sqlite_read_u128(statement, 9, &amount))
        return;
    const enum payout_state state = read_state(statement, 8);
    record->lines[state]++;
    if (!u128_add(record->amounts[state], amount, &record->amounts[state]))
        record->amounts[state] = ~(u128)0;
}

static bool each_payout(struct sqlite_backend *backend, int64_t id, size_t limit,
                        void (*visit)(void *context, const struct payout_record *record),
                        void *context, struct error *error)
{
    static const char text[] =
        "SELECT p.id, p.rule, p.budget, p.minimum, p.threshold, p.created_ms, p.cancelled_ms,"
        " p.source, l.state, l.amount FROM"
        " (SELECT * FROM payouts WHERE ?1 = 0 OR id = ?1 ORDER BY id DESC LIMIT ?2) AS p"
        " LEFT JOIN payout_lines AS l ON l.payout = p.id ORDER BY p.id DESC";
    struct payout_record record = {.id = 0};
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, id);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        if (sqlite3_column_int64(statement, 0) != record.id) {
            if (record.id != 0)
                visit(context, &record);
            read_payout(statement, &record);
        }
        add_line(statement, &record);
    }
    if (status == SQLITE_DONE && record.id != 0)
        visit(context, &record);
    return sqlite_finish(backend, statement, status, error);
}

bool sqlite_read_payouts(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    return each_payout(backend, op->read.payout_id, op->read.limit, op->read.visit.payout,
                       op->read.context, error);
}

static void check_payout(void *context, const struct payout_record *record)
{
    const struct store_op *op = context;
    char text[128];
    u128 sum = 0;
    bool fits = true;
    for (int state = 0; state < PAYOUT_STATES; state++)
        fits = fits && u128_add(sum, record->amounts[state], &sum);
    if (fits && sum <= record->budget)
        return;
    (void)snprintf(text, sizeof text, "the lines of payout %" PRId64 " exceed its budget",
                   record->id);
    op->read.visit.fault(op->read.context, text);
}

bool sqlite_check_payouts(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    return each_payout(backend, 0, SIZE_MAX >> 1, check_payout, op, error);
}

static bool read_line(sqlite3_stmt *statement, struct payout_line *line)
{
    memset(line, 0, sizeof *line);
    if (!sqlite_read_key(statement, 0, line->account.key) ||
        !sqlite_read_u128(statement, 5, &line->amount))
        return false;
    for (int type = 0; type < WORK_TYPES; type++) {
        line->works.of[type] = (uint64_t)sqlite3_column_int64(statement, 1 + type);
        line->hashes.of[type] = (uint64_t)sqlite3_column_int64(statement, 3 + type);
    }
    sqlite_read_text(statement, 6, line->send_id, sizeof line->send_id);
    line->state = read_state(statement, 7);
    line->has_block = sqlite_read_key(statement, 8, line->block.bytes);
    line->tried_ms = sqlite3_column_int64(statement, 9);
    line->sent_ms = sqlite3_column_int64(statement, 10);
    line->confirmed_ms = sqlite3_column_int64(statement, 11);
    return true;
}

bool sqlite_read_payout_lines(struct sqlite_backend *backend, struct store_op *op,
                              struct error *error)
{
    static const char text[] =
        "SELECT account, precache, ondemand, hashes_precache, hashes_ondemand, amount, send_id,"
        " state, block, tried_ms, sent_ms, confirmed_ms FROM payout_lines"
        " WHERE payout = ?1 AND (?2 IS NULL OR account > ?2) ORDER BY account LIMIT ?3";
    struct payout_line line;
    sqlite3_stmt *statement = NULL;
    int status;
    if (!sqlite_prepare(backend, text, &statement, error))
        return false;
    (void)sqlite3_bind_int64(statement, 1, op->read.payout_id);
    if (op->read.account != NULL)
        sqlite_bind_key(statement, 2, op->read.account->key);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)op->read.limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_line(statement, &line))
            op->read.visit.payout_line(op->read.context, &line);
    return sqlite_finish(backend, statement, status, error);
}
