/* Payouts that another system has made, as its files have them: they are recorded as lines, and
 * what was paid of an account is raised to their sum. */
#include "store/sqlite_internal.h"

/* What is known of an account before its line is added. */
struct standing {
    int64_t totals[WORK_TYPES];
    int64_t snapshot[WORK_TYPES];
    int64_t recorded[WORK_TYPES]; /* Paid by such lines already. */
};

enum original_statement { KNOWN, STANDING, LINE, OPENING, SNAPSHOT, ORIGINAL_STATEMENTS };

static const char *const texts[ORIGINAL_STATEMENTS] = {
    [KNOWN] = "SELECT 1 FROM payout_lines WHERE send_id = ?1",
    [STANDING] =
        "SELECT precache, ondemand, coalesce(snapshot_precache, 0), coalesce(snapshot_ondemand, 0),"
        " (SELECT sum(l.precache) FROM payout_lines AS l JOIN payouts AS p ON p.id = l.payout"
        "  WHERE l.account = ?1 AND p.rule = 2),"
        " (SELECT sum(l.ondemand) FROM payout_lines AS l JOIN payouts AS p ON p.id = l.payout"
        "  WHERE l.account = ?1 AND p.rule = 2) FROM clients WHERE account = ?1",
    [LINE] = "INSERT INTO payout_lines (account, precache, ondemand, payout, amount, send_id,"
             " confirmed_ms, hashes_precache, hashes_ondemand, state)"
             " VALUES (?1, ?2, ?3, ?4, zeroblob(16), ?5, ?6, 0, 0, 2)",
    /* So that lines and openings add up to the snapshots. */
    [OPENING] = "INSERT INTO openings (account, snapshot_precache, snapshot_ondemand, created_ms,"
                " precache, ondemand) VALUES (?1, ?2, ?3, ?4, 0, 0)",
    [SNAPSHOT] = "UPDATE clients SET snapshot_precache = ?2, snapshot_ondemand = ?3"
                 " WHERE account = ?1",
};

static bool prepare(struct sqlite_backend *backend, sqlite3_stmt *statements[ORIGINAL_STATEMENTS],
                    struct error *error)
{
    for (int i = 0; i < ORIGINAL_STATEMENTS; i++)
        if (!sqlite_prepare(backend, texts[i], &statements[i], error))
            return false;
    return true;
}

/* The status of the first step; the columns are to be read before the reset. */
static bool look(struct sqlite_backend *backend, sqlite3_stmt *statement, bool *found,
                 struct error *error)
{
    const int status = sqlite3_step(statement);
    *found = status == SQLITE_ROW;
    return status == SQLITE_ROW || status == SQLITE_DONE ||
           sqlite_failed(backend->database, "cannot read", error);
}

static bool any_known(struct sqlite_backend *backend, sqlite3_stmt *statement,
                      const struct store_op *op, bool *known, struct error *error)
{
    *known = false;
    for (size_t i = 0; i < op->payout_original.count && !*known; i++) {
        sqlite_bind_text(statement, 1, op->payout_original.lines[i].send_id);
        if (!look(backend, statement, known, error))
            return false;
        (void)sqlite3_reset(statement);
    }
    return true;
}

static bool read_standing(struct sqlite_backend *backend, sqlite3_stmt *statement,
                          const struct account *account, struct standing *standing, bool *found,
                          struct error *error)
{
    sqlite_bind_key(statement, 1, account->key);
    if (!look(backend, statement, found, error))
        return false;
    for (int type = 0; type < WORK_TYPES && *found; type++) {
        standing->totals[type] = sqlite3_column_int64(statement, type);
        standing->snapshot[type] = sqlite3_column_int64(statement, 2 + type);
        standing->recorded[type] = sqlite3_column_int64(statement, 4 + type);
    }
    (void)sqlite3_reset(statement);
    return true;
}

/* Never lowered, and never above the total. */
static int64_t raised(int64_t snapshot, int64_t paid, int64_t total)
{
    const int64_t most = paid < total ? paid : total;
    return most > snapshot ? most : snapshot;
}

static bool write_line(struct sqlite_backend *backend, sqlite3_stmt *const *statements,
                       const struct store_op *op, const struct payout_line *line,
                       const struct standing *standing, struct error *error)
{
    const struct payout_record *record = &op->payout_original.record;
    for (int i = LINE; i <= SNAPSHOT; i++)
        sqlite_bind_key(statements[i], 1, line->account.key);
    for (int type = 0; type < WORK_TYPES; type++) {
        const int64_t works = (int64_t)line->works.of[type];
        const int64_t before = standing->snapshot[type];
        const int64_t after =
            raised(before, standing->recorded[type] + works, standing->totals[type]);
        (void)sqlite3_bind_int64(statements[LINE], 2 + type, works);
        (void)sqlite3_bind_int64(statements[OPENING], 2 + type, after - before - works);
        (void)sqlite3_bind_int64(statements[SNAPSHOT], 2 + type, after);
    }
    (void)sqlite3_bind_int64(statements[LINE], 4, record->id);
    sqlite_bind_text(statements[LINE], 5, line->send_id);
    (void)sqlite3_bind_int64(statements[LINE], 6, record->created_ms);
    (void)sqlite3_bind_int64(statements[OPENING], 4, record->created_ms);
    return sqlite_step_through(backend, statements[LINE], error) &&
           sqlite_step_through(backend, statements[OPENING], error) &&
           sqlite_step_through(backend, statements[SNAPSHOT], error);
}

static bool write_lines(struct sqlite_backend *backend, sqlite3_stmt *const *statements,
                        struct store_op *op, struct error *error)
{
    struct payout_record *record = &op->payout_original.record;
    record->lines[PAYOUT_CONFIRMED] = 0;
    for (size_t i = 0; i < op->payout_original.count; i++) {
        const struct payout_line *line = &op->payout_original.lines[i];
        struct standing standing = {{0}, {0}, {0}};
        bool found;
        if (!read_standing(backend, statements[STANDING], &line->account, &standing, &found, error))
            return false;
        if (!found)
            continue;
        if (!write_line(backend, statements, op, line, &standing, error))
            return false;
        record->lines[PAYOUT_CONFIRMED]++;
    }
    return true;
}

bool sqlite_record_payout(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    sqlite3_stmt *statements[ORIGINAL_STATEMENTS] = {NULL};
    bool known = false;
    op->payout_original.record.rule = PAYOUT_ORIGINAL;
    bool good = prepare(backend, statements, error) &&
                any_known(backend, statements[KNOWN], op, &known, error);
    if (good && known)
        op->status = STORE_CONFLICT;
    else
        good = good && sqlite_write_plan(backend, &op->payout_original.record, error) &&
               write_lines(backend, statements, op, error);
    for (int i = 0; i < ORIGINAL_STATEMENTS; i++)
        (void)sqlite3_finalize(statements[i]);
    return good;
}
