/* Payouts in the store: what is due is taken once, each line goes one way, a plan can be taken back
 * without a trace. */
#include "test.h"

#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES_MAX = 16, THRESHOLD_HASHES = 16 };

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

struct place {
    char directory[64];
    char path[96];
    char url[112];
    struct store *store;
    uint64_t works; /* Rewarded so far: each has a root of its own. */
};

static void open_store(struct place *place)
{
    struct error error;
    place->store = store_open(place->url, &quiet, &error);
    if (place->store == NULL)
        fail_msg("%s", error.text);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/dpow-payouts-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->path, sizeof place->path, "%s/dpow.db", place->directory);
    (void)snprintf(place->url, sizeof place->url, "sqlite:%s", place->path);
    open_store(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"dpow.db", "dpow.db-wal", "dpow.db-shm", "dpow.db.lock"};
    struct place *place = *state;
    store_close(place->store);
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", place->directory, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
    free(place);
    return 0;
}

static enum store_status apply(struct place *place, struct store_op *op)
{
    struct error error;
    if (!store_apply(place->store, op, &error))
        fail_msg("%s", error.text);
    return op->status;
}

static struct account account_of(uint8_t number)
{
    return (struct account){{number}};
}

/* Works of an account, each of 16 hashes; the totals after the last. */
static struct client_totals work(struct place *place, uint8_t account, enum work_type type,
                                 unsigned count)
{
    struct store_op op = {.kind = STORE_WORK};
    for (; count > 0; count--) {
        op.work.record = (struct work_record){.threshold = 0xf000000000000000, .type = type};
        place->works++;
        memcpy(op.work.record.root.bytes, &place->works, sizeof place->works);
        op.work.account = account_of(account);
        op.work.has_account = true;
        assert_int_equal(apply(place, &op), STORE_DONE);
        assert_true(op.work.rewarded);
    }
    return op.work.totals;
}

/* Divides as the tests can reckon it: to each line its works, or one in sixteen of its hashes. */
static bool one_each(const struct payout_record *record, struct payout_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct work_counts *counts =
            record->rule == PAYOUT_WORKS ? &lines[i].works : &lines[i].hashes;
        lines[i].amount = counts->of[WORK_PRECACHE] + counts->of[WORK_ONDEMAND];
        if (lines[i].amount < record->minimum)
            lines[i].amount = 0;
    }
    return true;
}

static struct store_op plan_op(uint64_t threshold, u128 minimum)
{
    return (struct store_op){.kind = STORE_PAYOUT_PLAN,
                             .payout_plan = {.record = {.budget = 1000000,
                                                        .minimum = minimum,
                                                        .threshold = threshold,
                                                        .created_ms = 5},
                                             .divide = one_each}};
}

/* The number of a new plan, 0 if there is none. */
static int64_t plan(struct place *place, uint64_t threshold, u128 minimum)
{
    struct store_op op = plan_op(threshold, minimum);
    return apply(place, &op) == STORE_DONE ? op.payout_plan.record.id : 0;
}

struct lines {
    size_t count;
    struct payout_line of[LINES_MAX];
};

static void no_lines(void *context)
{
    ((struct lines *)context)->count = 0;
}

static void keep_line(void *context, const struct payout_line *line)
{
    struct lines *lines = context;
    assert_true(lines->count < LINES_MAX);
    lines->of[lines->count++] = *line;
}

static struct lines lines_of(struct place *place, int64_t id)
{
    struct lines lines;
    struct store_op op = {.kind = STORE_READ_PAYOUT_LINES,
                          .read = {.payout_id = id,
                                   .limit = LINES_MAX,
                                   .begin = no_lines,
                                   .visit.payout_line = keep_line,
                                   .context = &lines}};
    assert_int_equal(apply(place, &op), STORE_DONE);
    return lines;
}

static void nothing_yet(void *context)
{
    *(unsigned *)context = 0;
}

static void count_fault(void *context, const char *text)
{
    (void)text;
    ++*(unsigned *)context;
}

static unsigned faults(struct place *place)
{
    unsigned count = 77;
    struct store_op op = {
        .kind = STORE_CHECK,
        .read = {
            .limit = 100, .begin = nothing_yet, .visit.fault = count_fault, .context = &count}};
    assert_int_equal(apply(place, &op), STORE_DONE);
    return count;
}

static void keep_client(void *context, const struct client_record *client)
{
    *(struct client_record *)context = *client;
}

static void no_client(void *context)
{
    memset(context, 0, sizeof(struct client_record));
}

static struct client_totals totals_of(struct place *place, uint8_t number)
{
    const struct account account = account_of(number);
    struct client_record record;
    struct store_op op = {.kind = STORE_READ_CLIENTS,
                          .read = {.account = &account,
                                   .limit = 1,
                                   .begin = no_client,
                                   .visit.client = keep_client,
                                   .context = &record}};
    assert_int_equal(apply(place, &op), STORE_DONE);
    return record.totals;
}

static enum store_status move(struct place *place, enum store_op_kind kind, int64_t id,
                              uint8_t account, uint8_t source_or_block)
{
    struct store_op op = {.kind = kind, .payout = {.id = id, .now_ms = 9}};
    op.payout.account = account_of(account);
    op.payout.source = account_of(source_or_block);
    op.payout.block.bytes[0] = source_or_block;
    return apply(place, &op);
}

static void keep_payout(void *context, const struct payout_record *record)
{
    *(struct payout_record *)context = *record;
}

static void no_payout(void *context)
{
    memset(context, 0, sizeof(struct payout_record));
}

static struct payout_record payout_of(struct place *place, int64_t id)
{
    struct payout_record record;
    struct store_op op = {.kind = STORE_READ_PAYOUTS,
                          .read = {.payout_id = id,
                                   .limit = 1,
                                   .begin = no_payout,
                                   .visit.payout = keep_payout,
                                   .context = &record}};
    assert_int_equal(apply(place, &op), STORE_DONE);
    return record;
}

static void a_plan_takes_what_is_due_and_rewards_tell_it(void **state)
{
    struct place *place = *state;
    (void)work(place, 1, WORK_PRECACHE, 3);
    assert_false(work(place, 1, WORK_ONDEMAND, 2).has_snapshot);
    (void)work(place, 2, WORK_ONDEMAND, 4);
    const int64_t id = plan(place, 0, 0);
    const struct lines lines = lines_of(place, id);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.of[0].works.of[WORK_PRECACHE], 3);
    assert_int_equal(lines.of[0].works.of[WORK_ONDEMAND], 2);
    assert_int_equal(lines.of[0].hashes.of[WORK_PRECACHE], 3 * THRESHOLD_HASHES);
    assert_true(lines.of[0].amount == 5 && lines.of[1].amount == 4);
    assert_int_equal(strlen(lines.of[0].send_id), 36);
    assert_string_not_equal(lines.of[0].send_id, lines.of[1].send_id);
    const struct client_totals totals = work(place, 1, WORK_ONDEMAND, 1);
    assert_true(totals.has_snapshot);
    assert_int_equal(totals.snapshot.of[WORK_PRECACHE], 3);
    assert_int_equal(totals.snapshot.of[WORK_ONDEMAND], 2);
    assert_int_equal(faults(place), 0);
    const struct lines next = lines_of(place, plan(place, 0, 0));
    assert_int_equal(next.count, 1);
    assert_true(next.of[0].amount == 1);
    assert_int_equal(plan(place, 0, 0), 0);
    assert_int_equal(faults(place), 0);
}

static void few_works_little_money_and_excluded_accounts_stay_due(void **state)
{
    struct place *place = *state;
    const struct account excluded[] = {account_of(3), account_of(9)};
    (void)work(place, 1, WORK_PRECACHE, 2);
    (void)work(place, 1, WORK_ONDEMAND, 5);
    (void)work(place, 2, WORK_ONDEMAND, 6);
    (void)work(place, 3, WORK_ONDEMAND, 9);
    struct store_op op = plan_op(3, 6);
    op.payout_plan.excluded = excluded;
    op.payout_plan.excluded_count = COUNT(excluded);
    assert_int_equal(apply(place, &op), STORE_DONE);
    const struct lines first = lines_of(place, op.payout_plan.record.id);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.of[0].account.key[0], 2);
    assert_false(totals_of(place, 1).has_snapshot);
    const struct lines second = lines_of(place, plan(place, 3, 0));
    assert_int_equal(second.count, 2);
    assert_int_equal(second.of[0].works.of[WORK_PRECACHE], 0);
    assert_int_equal(second.of[0].works.of[WORK_ONDEMAND], 5);
    const struct lines third = lines_of(place, plan(place, 0, 0));
    assert_int_equal(third.count, 1);
    assert_int_equal(third.of[0].works.of[WORK_PRECACHE], 2);
    assert_int_equal(faults(place), 0);
}

static void a_cancelled_plan_was_never_there(void **state)
{
    struct place *place = *state;
    (void)work(place, 1, WORK_PRECACHE, 2);
    const struct client_totals before = work(place, 1, WORK_ONDEMAND, 3);
    (void)work(place, 2, WORK_ONDEMAND, 3);
    const int64_t first = plan(place, 0, 0);
    (void)work(place, 2, WORK_ONDEMAND, 1);
    const int64_t second = plan(place, 0, 0);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, first, 0, 0), STORE_DONE);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, first, 0, 0), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, 77, 0, 0), STORE_CONFLICT);
    const struct client_totals after = totals_of(place, 1);
    assert_memory_equal(&after.rewarded, &before.rewarded, sizeof after.rewarded);
    assert_false(after.has_snapshot);
    assert_int_equal(totals_of(place, 2).snapshot.of[WORK_ONDEMAND], 1);
    assert_int_equal(faults(place), 0);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, second, 0, 0), STORE_DONE);
    assert_false(totals_of(place, 2).has_snapshot);
    const struct lines all = lines_of(place, plan(place, 0, 0));
    assert_true(all.of[0].amount == 5 && all.of[1].amount == 4);
    assert_int_equal(all.of[0].hashes.of[WORK_ONDEMAND], 3 * THRESHOLD_HASHES);
    assert_int_equal(faults(place), 0);
}

static void an_imported_snapshot_is_the_start_and_comes_back(void **state)
{
    struct place *place = *state;
    struct store_op op = {
        .kind = STORE_CLIENT_IMPORT,
        .client = {
            .totals = {.rewarded = {{70, 30}}, .snapshot = {{60, 0}}, .has_snapshot = true}}};
    op.client.account = account_of(1);
    assert_int_equal(apply(place, &op), STORE_DONE);
    assert_int_equal(faults(place), 0);
    const int64_t id = plan(place, 0, 0);
    assert_true(lines_of(place, id).of[0].amount == 40);
    assert_int_equal(faults(place), 0);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, id, 0, 0), STORE_DONE);
    const struct client_totals totals = totals_of(place, 1);
    assert_true(totals.has_snapshot);
    assert_int_equal(totals.snapshot.of[WORK_PRECACHE], 60);
    assert_int_equal(totals.snapshot.of[WORK_ONDEMAND], 0);
    assert_int_equal(faults(place), 0);
}

static void a_line_is_tried_from_one_account_sent_once_and_confirmed(void **state)
{
    struct place *place = *state;
    (void)work(place, 1, WORK_ONDEMAND, 1);
    (void)work(place, 2, WORK_ONDEMAND, 1);
    const int64_t id = plan(place, 0, 0);
    assert_int_equal(move(place, STORE_PAYOUT_CONFIRMED, id, 1, 5), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_TRY, id, 3, 8), STORE_CONFLICT);
    assert_false(payout_of(place, id).has_source);
    assert_int_equal(move(place, STORE_PAYOUT_TRY, id, 1, 8), STORE_DONE);
    assert_true(payout_of(place, id).has_source);
    assert_int_equal(move(place, STORE_PAYOUT_TRY, id, 2, 9), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_TRY, id, 1, 8), STORE_DONE);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, id, 0, 0), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_SENT, id, 1, 5), STORE_DONE);
    assert_int_equal(move(place, STORE_PAYOUT_SENT, id, 1, 5), STORE_DONE);
    assert_int_equal(move(place, STORE_PAYOUT_SENT, id, 1, 6), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_SENT, id, 2, 5), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_TRY, id, 1, 8), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_CONFIRMED, id, 1, 6), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_CONFIRMED, id, 1, 5), STORE_DONE);
    assert_int_equal(move(place, STORE_PAYOUT_SENT, id, 1, 5), STORE_DONE);
    const struct payout_record record = payout_of(place, id);
    assert_int_equal(record.lines[PAYOUT_PLANNED], 1);
    assert_int_equal(record.lines[PAYOUT_CONFIRMED], 1);
    assert_true(record.amounts[PAYOUT_CONFIRMED] == 1);
    assert_int_equal(faults(place), 0);
}

static void a_plan_that_is_imported_as_sent_cannot_be_taken_back(void **state)
{
    struct place *place = *state;
    (void)work(place, 1, WORK_ONDEMAND, 1);
    const int64_t id = plan(place, 0, 0);
    assert_int_equal(move(place, STORE_PAYOUT_SENT, id, 1, 5), STORE_DONE);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, id, 0, 0), STORE_CONFLICT);
    (void)work(place, 1, WORK_ONDEMAND, 1);
    const int64_t other = plan(place, 0, 0);
    assert_int_equal(move(place, STORE_PAYOUT_CANCEL, other, 0, 0), STORE_DONE);
    assert_int_equal(move(place, STORE_PAYOUT_SENT, other, 1, 6), STORE_CONFLICT);
    assert_int_equal(move(place, STORE_PAYOUT_TRY, other, 1, 6), STORE_CONFLICT);
}

static void large_amounts_come_back_whole(void **state)
{
    struct place *place = *state;
    (void)work(place, 1, WORK_ONDEMAND, 1);
    struct store_op op = plan_op(0, ((u128)7 << 100) + 1);
    op.payout_plan.record.budget = ~(u128)0;
    assert_int_equal(apply(place, &op), STORE_CONFLICT);
    op = plan_op(0, 1);
    op.payout_plan.record.budget = ~(u128)0 - 5;
    assert_int_equal(apply(place, &op), STORE_DONE);
    assert_true(payout_of(place, op.payout_plan.record.id).budget == ~(u128)0 - 5);
}

static void the_check_sees_payouts_that_do_not_add_up(void **state)
{
    static const char *const changes[] = {
        "UPDATE clients SET snapshot_ondemand = snapshot_ondemand + 1",
        "UPDATE clients SET snapshot_precache = NULL, snapshot_ondemand = NULL",
        "UPDATE clients SET snapshot_hashes_ondemand = 0",
        "UPDATE payout_lines SET ondemand = ondemand - 1",
        "UPDATE payout_lines SET amount = x'ff000000000000000000000000000000'",
        "UPDATE payouts SET budget = x'00000000000000000000000000000001'",
        "UPDATE payouts SET cancelled_ms = 1",
        "DELETE FROM payout_lines",
    };
    struct place *place = *state;
    (void)work(place, 1, WORK_ONDEMAND, 2);
    (void)plan(place, 0, 0);
    assert_int_equal(faults(place), 0);
    for (size_t i = 0; i < COUNT(changes); i++) {
        sqlite3 *database = NULL;
        store_close(place->store);
        assert_int_equal(sqlite3_open(place->path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database,
                                      "CREATE TABLE kept_c AS SELECT * FROM clients;"
                                      "CREATE TABLE kept_l AS SELECT * FROM payout_lines;"
                                      "CREATE TABLE kept_p AS SELECT * FROM payouts",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, changes[i], NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(database);
        open_store(place);
        if (faults(place) == 0)
            fail_msg("not seen: %s", changes[i]);
        store_close(place->store);
        assert_int_equal(sqlite3_open(place->path, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database,
                                      "DELETE FROM payout_lines; DELETE FROM clients;"
                                      "DELETE FROM payouts;"
                                      "INSERT INTO clients SELECT * FROM kept_c;"
                                      "INSERT INTO payouts SELECT * FROM kept_p;"
                                      "INSERT INTO payout_lines SELECT * FROM kept_l;"
                                      "DROP TABLE kept_c; DROP TABLE kept_l; DROP TABLE kept_p",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
        (void)sqlite3_close(database);
        open_store(place);
        assert_int_equal(faults(place), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_plan_takes_what_is_due_and_rewards_tell_it),
        TEST(few_works_little_money_and_excluded_accounts_stay_due),
        TEST(a_cancelled_plan_was_never_there),
        TEST(an_imported_snapshot_is_the_start_and_comes_back),
        TEST(a_line_is_tried_from_one_account_sent_once_and_confirmed),
        TEST(a_plan_that_is_imported_as_sent_cannot_be_taken_back),
        TEST(large_amounts_come_back_whole),
        TEST(the_check_sees_payouts_that_do_not_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
