/* Answers are by far the most frequent operation, and thousands may share a transaction: they are
 * added up by service in memory and written as one row each when the transaction ends, or before
 * anything that reads them. */
#include "store/sqlite_internal.h"

#include "base/clock.h"

#include <string.h>

static bool read_balance(struct sqlite_backend *backend, struct tally *tally, struct error *error)
{
    sqlite3_stmt *statement = backend->statements[SERVICE_BALANCE];
    (void)sqlite3_bind_int64(statement, 1, tally->service_id);
    const int status = sqlite3_step(statement);
    tally->exists = status == SQLITE_ROW;
    tally->unlimited = tally->exists && sqlite3_column_int(statement, 0) != 0;
    tally->credits = tally->exists ? sqlite3_column_int64(statement, 1) : 0;
    for (int type = 0; type < WORK_TYPES; type++)
        tally->before[type] = tally->exists ? sqlite3_column_int64(statement, 2 + type) : 0;
    if (status != SQLITE_ROW && status != SQLITE_DONE)
        (void)sqlite_failed(backend->database, "cannot read a service's credits", error);
    (void)sqlite3_reset(statement);
    return status == SQLITE_ROW || status == SQLITE_DONE;
}

/* The tally of a service, its balance read if it is new to this transaction. */
static struct tally *tally_of(struct sqlite_backend *backend, int64_t service_id,
                              struct error *error)
{
    if (backend->tally_count >= TALLIES_MAX && !sqlite_write_tallies(backend, error))
        return NULL;
    size_t slot = (size_t)service_id % TALLIES;
    while (backend->tallies[slot].service_id != 0) {
        if (backend->tallies[slot].service_id == service_id)
            return &backend->tallies[slot];
        slot = (slot + 1) % TALLIES;
    }
    struct tally *tally = &backend->tallies[slot];
    *tally = (struct tally){.service_id = service_id};
    if (read_balance(backend, tally, error)) {
        backend->tally_count++;
        return tally;
    }
    tally->service_id = 0;
    return NULL;
}

/* Whether an answer must be paid for: not again for a root within the life of its work. */
static bool add_charge(struct sqlite_backend *backend, const struct store_op *op, bool *due,
                       struct error *error)
{
    sqlite3_stmt *statement = backend->statements[CHARGE_ADD];
    sqlite_bind_key(statement, 1, op->answer.root.bytes);
    (void)sqlite3_bind_int64(statement, 2, op->answer.service_id);
    (void)sqlite3_bind_int64(statement, 3, op->answer.expires_ms);
    (void)sqlite3_bind_int64(statement, 4, clock_wall_ms());
    if (!sqlite_run(backend, CHARGE_ADD, error))
        return false;
    *due = sqlite3_changes(backend->database) > 0;
    return true;
}

static bool take_charge(struct sqlite_backend *backend, const struct store_op *op,
                        struct error *error)
{
    sqlite3_stmt *statement = backend->statements[CHARGE_TAKE];
    sqlite_bind_key(statement, 1, op->answer.root.bytes);
    (void)sqlite3_bind_int64(statement, 2, op->answer.service_id);
    return sqlite_run(backend, CHARGE_TAKE, error);
}

static bool charge(struct sqlite_backend *backend, struct store_op *op, struct tally *tally,
                   struct error *error)
{
    bool due = false;
    if (!tally->unlimited && !add_charge(backend, op, &due, error))
        return false;
    if (due && tally->credits <= 0) {
        op->status = STORE_NO_CREDIT;
        return take_charge(backend, op, error);
    }
    op->answer.charged = due;
    tally->credits -= due ? 1 : 0;
    tally->used += due ? 1 : 0;
    tally->counts[op->answer.type]++;
    return true;
}

static bool refund(struct sqlite_backend *backend, struct store_op *op, struct tally *tally,
                   struct error *error)
{
    if (tally->before[op->answer.type] + tally->counts[op->answer.type] <= 0) {
        op->status = STORE_CONFLICT;
        return true;
    }
    tally->counts[op->answer.type]--;
    if (!op->answer.charged)
        return true;
    tally->credits++;
    tally->used--;
    return take_charge(backend, op, error);
}

bool sqlite_apply_answer(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    struct tally *tally = tally_of(backend, op->answer.service_id, error);
    if (tally == NULL)
        return false;
    if (!tally->exists) {
        op->status = STORE_CONFLICT;
        return true;
    }
    if (op->kind == STORE_UNANSWER)
        return refund(backend, op, tally, error);
    op->answer.charged = false;
    return charge(backend, op, tally, error);
}

bool sqlite_apply_answers(struct sqlite_backend *backend, struct store_op *op, struct error *error)
{
    struct tally *tally = tally_of(backend, op->answers.service_id, error);
    if (tally == NULL)
        return false;
    if (!tally->exists)
        op->status = STORE_CONFLICT;
    for (int type = 0; tally->exists && type < WORK_TYPES; type++)
        tally->counts[type] += (int64_t)op->answers.counts.of[type];
    return true;
}

static bool write_counts(struct sqlite_backend *backend, const struct tally *tally,
                         struct error *error)
{
    sqlite3_stmt *statement = backend->statements[COUNT_ADD];
    for (int type = 0; type < WORK_TYPES; type++) {
        if (tally->counts[type] == 0)
            continue;
        (void)sqlite3_bind_int64(statement, 1, tally->service_id);
        (void)sqlite3_bind_int(statement, 2, type);
        (void)sqlite3_bind_int64(statement, 3, tally->counts[type]);
        if (!sqlite_run(backend, COUNT_ADD, error))
            return false;
    }
    return true;
}

static bool write_tally(struct sqlite_backend *backend, const struct tally *tally,
                        struct error *error)
{
    if (!tally->exists || (tally->counts[WORK_PRECACHE] == 0 && tally->counts[WORK_ONDEMAND] == 0 &&
                           tally->used == 0))
        return true;
    sqlite3_stmt *statement = backend->statements[ANSWERS_ADD];
    (void)sqlite3_bind_int64(statement, 1, tally->service_id);
    (void)sqlite3_bind_int64(statement, 2, tally->counts[WORK_PRECACHE]);
    (void)sqlite3_bind_int64(statement, 3, tally->counts[WORK_ONDEMAND]);
    (void)sqlite3_bind_int64(statement, 4, tally->used);
    (void)sqlite3_bind_int64(statement, 5, clock_wall_ms());
    if (!write_counts(backend, tally, error) || !sqlite_run(backend, ANSWERS_ADD, error))
        return false;
    if (tally->used == 0)
        return true;
    (void)sqlite3_bind_int64(backend->statements[CREDITS_USE], 1, tally->service_id);
    (void)sqlite3_bind_int64(backend->statements[CREDITS_USE], 2, tally->used);
    return sqlite_run(backend, CREDITS_USE, error);
}

bool sqlite_write_tallies(struct sqlite_backend *backend, struct error *error)
{
    if (backend->tally_count == 0)
        return true;
    for (size_t i = 0; i < TALLIES; i++)
        if (backend->tallies[i].service_id != 0 &&
            !write_tally(backend, &backend->tallies[i], error))
            return false;
    sqlite_forget_tallies(backend);
    return true;
}

void sqlite_forget_tallies(struct sqlite_backend *backend)
{
    if (backend->tally_count > 0)
        memset(backend->tallies, 0, sizeof backend->tallies);
    backend->tally_count = 0;
}
