/* Credits, keys, bans, imports, chains, series, the audit log, backups, older schemas. */
#include "test.h"

#include "base/clock.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

#define FUTURE_MS ((int64_t)1 << 50)

struct place {
    char directory[64];
    char path[96];
    char url[112];
    struct store *store;
};

static void open_store(struct place *place)
{
    struct error error;
    place->store = store_open(place->url, &quiet, &error);
    if (place->store == NULL)
        fail_msg("%s", error.text);
}

static void reopen(struct place *place)
{
    store_close(place->store);
    open_store(place);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/dpow-books-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->path, sizeof place->path, "%s/dpow.db", place->directory);
    (void)snprintf(place->url, sizeof place->url, "sqlite:%s", place->path);
    open_store(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"dpow.db", "dpow.db-wal", "dpow.db-shm", "dpow.db.lock",
                                        "copy.db"};
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

/* Applies an operation at once. */
static enum store_status apply(struct place *place, struct store_op *op)
{
    struct error error;
    if (!store_apply(place->store, op, &error))
        fail_msg("%s", error.text);
    return op->status;
}

static int64_t add_service(struct place *place, const char *name, int64_t credits)
{
    struct service_record service = {
        .rate_per_s = 1, .weight = 1, .unlimited = credits < 0, .created_ms = 5};
    (void)snprintf(service.name, sizeof service.name, "%s", name);
    (void)snprintf(service.keys[0].hash, KEY_HASH_SIZE, "hash of %s", name);
    service.credits = credits > 0 ? credits : 0;
    struct store_op op = {.kind = STORE_SERVICE_ADD, .service = &service};
    assert_int_equal(apply(place, &op), STORE_DONE);
    return service.id;
}

static struct store_op answer_op(int64_t service_id, uint8_t root, int64_t expires_ms)
{
    struct store_op op = {
        .kind = STORE_ANSWER,
        .answer = {.service_id = service_id, .type = WORK_ONDEMAND, .expires_ms = expires_ms}};
    op.answer.root.bytes[0] = root;
    return op;
}

static enum store_status answer(struct place *place, int64_t service_id, uint8_t root,
                                bool *charged)
{
    struct store_op op = answer_op(service_id, root, FUTURE_MS);
    const enum store_status status = apply(place, &op);
    *charged = op.answer.charged;
    return status;
}

static bool keep_service(void *context, const struct service_record *record)
{
    struct service_record *records = context;
    while (records->id != 0)
        records++;
    *records = *record;
    return true;
}

/* The services as the store has them, in order of their numbers; the last has number 0. */
static struct service_record *services_of(struct place *place)
{
    static struct service_record records[8];
    struct error error;
    memset(records, 0, sizeof records);
    assert_true(store_each_service(place->store, keep_service, records, &error));
    return records;
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
    struct store_op op = {.kind = STORE_CHECK,
                          .read = {.limit = 100, .begin = nothing_yet, .context = &count}};
    op.read.visit.fault = count_fault;
    assert_int_equal(apply(place, &op), STORE_DONE);
    return count;
}

static void a_credit_is_used_once_for_a_root_while_its_work_lives(void **state)
{
    struct place *place = *state;
    bool charged;
    const int64_t id = add_service(place, "s", 2);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    assert_true(charged);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    assert_false(charged);
    struct store_op past = answer_op(id, 2, 1);
    assert_int_equal(apply(place, &past), STORE_DONE);
    assert_true(past.answer.charged);
    assert_int_equal(services_of(place)[0].credits, 0);
    assert_int_equal(answer(place, id, 2, &charged), STORE_NO_CREDIT);
    assert_int_equal(answer(place, id, 3, &charged), STORE_NO_CREDIT);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    assert_int_equal(services_of(place)[0].answered.of[WORK_ONDEMAND], 4);
    assert_int_equal(faults(place), 0);
}

static void an_answer_that_is_taken_back_gives_its_credit_back(void **state)
{
    struct place *place = *state;
    bool charged;
    const int64_t id = add_service(place, "s", 1);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    struct store_op back = answer_op(id, 1, FUTURE_MS);
    back.kind = STORE_UNANSWER;
    back.answer.charged = true;
    assert_int_equal(apply(place, &back), STORE_DONE);
    assert_int_equal(services_of(place)[0].credits, 1);
    assert_int_equal(services_of(place)[0].answered.of[WORK_ONDEMAND], 0);
    assert_int_equal(apply(place, &back), STORE_CONFLICT);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    assert_true(charged);
    assert_int_equal(faults(place), 0);
}

static void unlimited_services_pay_nothing(void **state)
{
    struct place *place = *state;
    bool charged;
    const int64_t id = add_service(place, "s", -1);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    assert_false(charged);
    assert_int_equal(faults(place), 0);
}

static void on_done(void *context)
{
    (void)context;
}

static void on_health(void *context, const char *reason)
{
    (void)context;
    assert_null(reason);
}

/* More services than a transaction adds up in memory, each with one credit and three answers. */
static void a_transaction_of_many_services_counts_each_of_them(void **state)
{
    enum { SERVICES = 500, ANSWERS = 3 };
    static struct store_op ops[SERVICES * ANSWERS];
    static int64_t ids[SERVICES];
    struct place *place = *state;
    struct error error;
    for (int i = 0; i < SERVICES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "s%d", i);
        ids[i] = add_service(place, name, 1);
    }
    for (int i = 0; i < SERVICES * ANSWERS; i++) {
        ops[i] = answer_op(ids[i % SERVICES], (uint8_t)(i / SERVICES), FUTURE_MS);
        store_submit(place->store, &ops[i]);
    }
    const struct store_callbacks callbacks = {on_done, on_health, NULL};
    assert_true(store_start(place->store, &callbacks, &error));
    store_stop(place->store, 10000);
    size_t done = 0;
    for (struct store_op *op = store_take_done(place->store); op != NULL; op = store_op_next(op))
        done += op->status == STORE_DONE && op->answer.charged;
    assert_int_equal(done, SERVICES);
    reopen(place);
    assert_int_equal(faults(place), 0);
}

static void credits_are_lines_with_a_balance_that_is_never_negative(void **state)
{
    struct place *place = *state;
    const int64_t id = add_service(place, "s", 5);
    static const struct {
        enum credit_kind kind;
        int64_t amount;
        enum store_status status;
        int64_t balance;
    } cases[] = {{CREDIT_BOUGHT, 10, STORE_DONE, 15},
                 {CREDIT_CORRECTED, -16, STORE_CONFLICT, -1},
                 {CREDIT_CORRECTED, -15, STORE_DONE, 0},
                 {CREDIT_GRANTED, ((int64_t)1 << 53) + 1, STORE_CONFLICT, -1},
                 {CREDIT_GRANTED, (int64_t)1 << 53, STORE_DONE, (int64_t)1 << 53},
                 {CREDIT_GRANTED, 1, STORE_CONFLICT, -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store_op op = {
            .kind = STORE_CREDIT,
            .credit.record = {
                .service_id = id, .kind = cases[i].kind, .amount = cases[i].amount, .note = "n"}};
        assert_int_equal(apply(place, &op), cases[i].status);
        assert_int_equal(op.credit.balance, cases[i].balance);
    }
    struct store_op nobody = {.kind = STORE_CREDIT,
                              .credit.record = {.service_id = 99, .amount = 1}};
    assert_int_equal(apply(place, &nobody), STORE_CONFLICT);
    struct store_op sums = {.kind = STORE_READ_BALANCE, .balance.service_id = id};
    assert_int_equal(apply(place, &sums), STORE_DONE);
    assert_int_equal(sums.balance.added[CREDIT_BOUGHT], 10);
    assert_int_equal(sums.balance.added[CREDIT_CORRECTED], -15);
    assert_int_equal(sums.balance.added[CREDIT_GRANTED], ((int64_t)1 << 53) + 5);
    assert_int_equal(faults(place), 0);
}

static void keys_end_when_another_one_takes_over(void **state)
{
    struct place *place = *state;
    const int64_t id = add_service(place, "s", -1);
    struct store_op rotate = {.kind = STORE_KEY_ADD, .key = {id, "second", NULL, 6, 100}};
    assert_int_equal(apply(place, &rotate), STORE_DONE);
    struct store_op again = {.kind = STORE_KEY_ADD, .key = {id, "third", NULL, 7, 50}};
    assert_int_equal(apply(place, &again), STORE_DONE);
    struct store_op rehash = {.kind = STORE_KEY_REHASH, .key = {id, "better", "third", 0, 0}};
    assert_int_equal(apply(place, &rehash), STORE_DONE);
    assert_int_equal(apply(place, &rehash), STORE_CONFLICT);
    const struct service_record *service = services_of(place);
    static const char *const hashes[] = {"better", "second", "hash of s", ""};
    static const int64_t ends[] = {STORE_FOREVER_MS, 50, 50, 0};
    for (size_t i = 0; i < SERVICE_KEYS_MAX; i++) {
        assert_string_equal(service->keys[i].hash, hashes[i]);
        assert_int_equal(service->keys[i].expires_ms, ends[i]);
    }
}

static void a_removed_service_is_gone_but_stays_counted(void **state)
{
    struct place *place = *state;
    bool charged;
    const int64_t id = add_service(place, "s", 3);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    struct store_op op = {.kind = STORE_SERVICE_REMOVE, .service_id = id};
    assert_int_equal(apply(place, &op), STORE_DONE);
    assert_int_equal(apply(place, &op), STORE_CONFLICT);
    assert_int_equal(answer(place, id, 1, &charged), STORE_CONFLICT);
    struct store_op key = {.kind = STORE_KEY_ADD, .key = {id, "h", NULL, 6, 100}};
    assert_int_equal(apply(place, &key), STORE_CONFLICT);
    assert_int_equal(services_of(place)[0].id, 0);
    assert_true(add_service(place, "s", 0) != id);
    assert_int_equal(faults(place), 0);
}

static void edits_change_everything_but_name_keys_and_credits(void **state)
{
    struct place *place = *state;
    const int64_t id = add_service(place, "s", 3);
    struct service_record edited = {
        .id = id,
        .name = "ignored",
        .display = "D",
        .website = "https://w",
        .contact = "C",
        .is_public = true,
        .terms_ms = 9,
        .rate_per_s = 7,
        .weight = 2,
        .unlimited = true,
        .credits = 1000,
        .ban = {123, "why"},
        .precache = {PRECACHE_USED, true, 1, 2, 3},
    };
    struct store_op op = {.kind = STORE_SERVICE_EDIT, .service = &edited};
    assert_int_equal(apply(place, &op), STORE_DONE);
    const struct service_record *service = services_of(place);
    assert_string_equal(service->name, "s");
    assert_string_equal(service->display, "D");
    assert_string_equal(service->website, "https://w");
    assert_string_equal(service->contact, "C");
    assert_true(service->is_public && service->unlimited && service->precache.receive);
    assert_int_equal(service->terms_ms, 9);
    assert_true(service->rate_per_s == 7 && service->weight == 2);
    assert_int_equal(service->credits, 3);
    assert_int_equal(service->ban.until_ms, 123);
    assert_string_equal(service->ban.reason, "why");
    assert_int_equal(service->precache.mode, PRECACHE_USED);
    assert_int_equal(service->precache.accounts_max, 1);
    assert_int_equal(service->precache.works_per_hour, 2);
    assert_int_equal(service->precache.period_s, 3);
    edited.id = 99;
    assert_int_equal(apply(place, &op), STORE_CONFLICT);
}

static bool keep_client(void *context, const struct client_record *client)
{
    *(struct client_record *)context = *client;
    return true;
}

static struct client_record only_client(struct place *place)
{
    struct client_record client = {0};
    struct error error;
    assert_true(store_each_client(place->store, 10, keep_client, &client, &error));
    return client;
}

static void clients_are_imported_once_and_banned(void **state)
{
    struct place *place = *state;
    struct store_op import = {
        .kind = STORE_CLIENT_IMPORT,
        .client = {.account = {{4}},
                   .totals = {.rewarded = {{10, 20}}, .snapshot = {{1, 2}}, .has_snapshot = true},
                   .last_ms = 3}};
    assert_int_equal(apply(place, &import), STORE_DONE);
    assert_int_equal(apply(place, &import), STORE_CONFLICT);
    struct store_op ban = {.kind = STORE_CLIENT_BAN,
                           .client = {.account = {{4}}, .ban = {FUTURE_MS, "r"}}};
    assert_int_equal(apply(place, &ban), STORE_DONE);
    struct store_op invalid = {.kind = STORE_CLIENT_INVALID,
                               .client = {.account = {{4}}, .invalid = 3}};
    assert_int_equal(apply(place, &invalid), STORE_DONE);
    assert_int_equal(apply(place, &invalid), STORE_DONE);
    invalid.client.account.key[0] = 5;
    assert_int_equal(apply(place, &invalid), STORE_CONFLICT);
    reopen(place);
    const struct client_record client = only_client(place);
    assert_int_equal(client.invalid, 6);
    assert_int_equal(client.totals.rewarded.of[WORK_PRECACHE], 10);
    assert_int_equal(client.totals.snapshot.of[WORK_ONDEMAND], 2);
    assert_int_equal(client.ban.until_ms, FUTURE_MS);
    assert_string_equal(client.ban.reason, "r");
    assert_int_equal(faults(place), 0);
}

static void totals_are_imported_once_as_opening_rows(void **state)
{
    struct place *place = *state;
    struct error error;
    struct work_counts totals;
    struct store_op import = {.kind = STORE_TOTALS_IMPORT, .totals = {{100, 200}}};
    struct store_op client = {.kind = STORE_CLIENT_IMPORT,
                              .client = {.account = {{4}}, .totals = {.rewarded = {{10, 20}}}}};
    assert_int_equal(apply(place, &client), STORE_DONE);
    assert_int_equal(apply(place, &import), STORE_DONE);
    reopen(place);
    assert_int_equal(apply(place, &import), STORE_CONFLICT);
    assert_true(store_totals(place->store, &totals, &error));
    assert_int_equal(totals.of[WORK_PRECACHE], 100);
    assert_int_equal(totals.of[WORK_ONDEMAND], 200);
    assert_int_equal(faults(place), 0);
}

static bool keep_frontier(void *context, const struct frontier_record *frontier)
{
    *(struct frontier_record *)context = *frontier;
    return true;
}

static void chains_come_back_until_they_expire(void **state)
{
    struct place *place = *state;
    struct error error;
    struct store_op op = {.kind = STORE_FRONTIER, .frontier = {{{1}}, {{2}}, 3, 4, 5, FUTURE_MS}};
    assert_int_equal(apply(place, &op), STORE_DONE);
    op.frontier.frontier.bytes[0] = 9;
    assert_int_equal(apply(place, &op), STORE_DONE);
    struct frontier_record seen = {0};
    assert_true(store_each_frontier(place->store, 1, keep_frontier, &seen, &error));
    assert_memory_equal(&seen, &op.frontier, sizeof seen);
    struct frontier_record none = {0};
    assert_true(store_each_frontier(place->store, FUTURE_MS, keep_frontier, &none, &error));
    assert_int_equal(none.expires_ms, 0);
    /* Those that expire last come first. */
    struct store_op earlier = {.kind = STORE_FRONTIER,
                               .frontier = {{{0}}, {{2}}, 3, 4, 5, FUTURE_MS - 1}};
    assert_int_equal(apply(place, &earlier), STORE_DONE);
    assert_true(store_each_frontier(place->store, 1, keep_frontier, &seen, &error));
    assert_memory_equal(&seen, &earlier.frontier, sizeof seen);
}

static void a_chain_is_imported_where_none_is(void **state)
{
    struct place *place = *state;
    struct error error;
    const int64_t past_ms = clock_wall_ms() - 1;
    struct store_op known = {.kind = STORE_FRONTIER,
                             .frontier = {{{1}}, {{2}}, 3, 4, 5, FUTURE_MS}};
    struct store_op import = {.kind = STORE_FRONTIER_IMPORT,
                              .frontier = {{{1}}, {{9}}, 0, 6, 7, FUTURE_MS + 1}};
    struct frontier_record seen = {0};
    assert_int_equal(apply(place, &known), STORE_DONE);
    assert_int_equal(apply(place, &import), STORE_CONFLICT);
    assert_true(store_each_frontier(place->store, 1, keep_frontier, &seen, &error));
    assert_memory_equal(&seen, &known.frontier, sizeof seen);
    known.frontier.expires_ms = past_ms;
    assert_int_equal(apply(place, &known), STORE_DONE);
    assert_int_equal(apply(place, &import), STORE_DONE);
    assert_true(store_each_frontier(place->store, 1, keep_frontier, &seen, &error));
    assert_memory_equal(&seen, &import.frontier, sizeof seen);
}

static void a_work_without_a_finder_is_kept_unless_a_better_one_is_there(void **state)
{
    struct place *place = *state;
    struct store_op op = {.kind = STORE_WORK};
    op.work.record = (struct work_record){
        .root = {{1}}, .nonce = 5, .value = 50, .solved_ms = 9, .expires_ms = FUTURE_MS};
    assert_int_equal(apply(place, &op), STORE_DONE);
    assert_int_equal(apply(place, &op), STORE_CONFLICT);
    op.work.record.value = 49;
    assert_int_equal(apply(place, &op), STORE_CONFLICT);
    op.work.record.value = 51;
    assert_int_equal(apply(place, &op), STORE_DONE);
    assert_int_equal(faults(place), 0);
}

/* What is applied together, and whether it is meant to last. */
struct together {
    struct place *place;
    bool lasts;
};

static bool add_two(void *context, struct error *error)
{
    const struct together *together = context;
    struct service_record records[3] = {0};
    const struct audit_record audit = {.at_ms = 1, .actor = "a", .command = "c"};
    struct store_op op = {.kind = STORE_TOTALS_IMPORT,
                          .totals = {{1, 2}},
                          .status = STORE_ABANDONED,
                          .audit = &audit};
    (void)add_service(together->place, "one", 3);
    (void)add_service(together->place, "two", -1);
    assert_int_equal(apply(together->place, &op), STORE_DONE);
    assert_int_equal(apply(together->place, &op), STORE_CONFLICT);
    assert_true(store_each_service(together->place->store, keep_service, records, error));
    assert_string_equal(records[1].name, "two");
    return together->lasts || error_set(error, ERROR_INVALID, "changed its mind");
}

static void what_is_applied_together_lasts_or_leaves_no_trace(void **state)
{
    struct place *place = *state;
    struct together together = {place, false};
    struct work_counts totals;
    struct error error;
    struct service_record records[3] = {0};
    assert_false(store_apply_together(place->store, add_two, &together, &error));
    assert_string_equal(error.text, "changed its mind");
    assert_true(store_each_service(place->store, keep_service, records, &error));
    assert_true(store_totals(place->store, &totals, &error));
    assert_int_equal(records[0].id, 0);
    assert_int_equal(totals.of[WORK_ONDEMAND], 0);
    together.lasts = true;
    assert_true(store_apply_together(place->store, add_two, &together, &error));
    reopen(place);
    assert_true(store_each_service(place->store, keep_service, records, &error));
    assert_true(store_totals(place->store, &totals, &error));
    assert_string_equal(records[0].name, "one");
    assert_int_equal(totals.of[WORK_ONDEMAND], 2);
    assert_int_equal(faults(place), 0);
}

static bool keep_series(void *context, const struct series_record *series)
{
    *(struct series_record *)context = *series;
    return true;
}

static void a_period_is_written_over_and_comes_back(void **state)
{
    struct place *place = *state;
    struct error error;
    static struct series_record written = {SERIES_HOUR, 7200, {{1, 2}}, {{3, 4}},  5,
                                           6,           7.5,  3,        {8, 9, 10}};
    static struct series_record seen;
    struct store_op op = {.kind = STORE_SERIES, .series = &written};
    assert_int_equal(apply(place, &op), STORE_DONE);
    written.timeouts = 50;
    assert_int_equal(apply(place, &op), STORE_DONE);
    assert_true(store_each_series(place->store, SERIES_HOUR, 7200, keep_series, &seen, &error));
    assert_memory_equal(&seen, &written, sizeof seen);
    memset(&seen, 0, sizeof seen);
    assert_true(store_each_series(place->store, SERIES_MINUTE, 0, keep_series, &seen, &error));
    assert_int_equal(seen.start_s, 0);
}

static void see_audit(void *context, const struct audit_record *record)
{
    unsigned *count = context;
    assert_string_equal(record->actor, "me");
    assert_string_equal(record->command, "did it");
    assert_int_equal(record->at_ms, 12);
    ++*count;
}

static void only_what_was_done_is_in_the_audit_log(void **state)
{
    struct place *place = *state;
    const struct audit_record audit = {.at_ms = 12, .actor = "me", .command = "did it"};
    unsigned count = 77;
    struct store_op remove = {.kind = STORE_SERVICE_REMOVE, .audit = &audit};
    remove.service_id = add_service(place, "s", -1);
    assert_int_equal(apply(place, &remove), STORE_DONE);
    assert_int_equal(apply(place, &remove), STORE_CONFLICT);
    struct store_op read = {.kind = STORE_READ_AUDIT,
                            .read = {.limit = 10, .begin = nothing_yet, .context = &count}};
    read.read.visit.audit = see_audit;
    assert_int_equal(apply(place, &read), STORE_DONE);
    assert_int_equal(count, 1);
}

static void the_check_sees_every_kind_of_difference(void **state)
{
    struct place *place = *state;
    static const char *const changes[] = {
        "UPDATE services SET credits = credits + 1",
        "UPDATE service_counts SET answered = answered + 1",
        "UPDATE answers SET used = 7",
        "UPDATE clients SET precache = precache + 1",
        "UPDATE clients SET hashes_ondemand = 1",
        "UPDATE totals SET rewarded = 5 WHERE type = 0",
        "INSERT INTO openings (account, precache, ondemand, created_ms) VALUES (NULL, 1, 0, 0)",
    };
    bool charged;
    const int64_t id = add_service(place, "s", 3);
    assert_int_equal(answer(place, id, 1, &charged), STORE_DONE);
    struct store_op client = {.kind = STORE_CLIENT_IMPORT, .client = {.account = {{4}}}};
    assert_int_equal(apply(place, &client), STORE_DONE);
    assert_int_equal(faults(place), 0);
    for (size_t i = 0; i < COUNT(changes); i++) {
        char copy[128];
        struct error error;
        sqlite3 *database = NULL;
        (void)snprintf(copy, sizeof copy, "%s/copy.db", place->directory);
        (void)unlink(copy);
        assert_true(store_backup(place->url, copy, &error));
        assert_int_equal(sqlite3_open(copy, &database), SQLITE_OK);
        assert_int_equal(sqlite3_exec(database, changes[i], NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(database);
        store_close(place->store);
        assert_int_equal(rename(copy, place->path), 0);
        open_store(place);
        assert_true(faults(place) > 0);
    }
}

static void a_backup_is_whole_new_and_its_owner_s(void **state)
{
    struct place *place = *state;
    struct error error;
    struct stat status;
    char copy[128];
    char url[160];
    (void)add_service(place, "s", 3);
    (void)snprintf(copy, sizeof copy, "%s/copy.db", place->directory);
    assert_true(store_backup(place->url, copy, &error));
    assert_int_equal(stat(copy, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_false(store_backup(place->url, copy, &error));
    assert_int_equal(error.code, ERROR_EXISTS);
    assert_false(store_backup("sqlite:/nowhere/dpow.db", "/tmp/x", &error));
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    assert_false(store_backup(place->url, "/nowhere/copy.db", &error));
    assert_false(store_backup("postgres:x", copy, &error));
    (void)snprintf(url, sizeof url, "sqlite:%s", copy);
    struct store *store = store_open(url, &quiet, &error);
    assert_non_null(store);
    struct service_record records[2] = {0};
    assert_true(store_each_service(store, keep_service, records, &error));
    assert_int_equal(records[0].credits, 3);
    store_close(store);
    (void)snprintf(url, sizeof url, "%s.lock", copy);
    (void)unlink(url);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    (void)fclose(file);
    return text;
}

static bool count_work(void *context, const struct work_record *work)
{
    assert_int_equal(work->service_id, 0);
    ++*(unsigned *)context;
    return true;
}

/* Whatever version 1 kept is there, in the books of the present version. */
static void a_store_of_version_1_is_brought_forward(void **state)
{
    struct place *place = *state;
    char path[1024];
    sqlite3 *database = NULL;
    struct error error;
    unsigned works = 0;
    store_close(place->store);
    assert_int_equal(unlink(place->path), 0);
    (void)snprintf(path, sizeof path, "%s/stores/version-1.sql", getenv("DPOW_TEST_VECTORS"));
    char *text = read_file(path);
    assert_int_equal(sqlite3_open(place->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(database);
    free(text);
    open_store(place);
    const struct service_record *services = services_of(place);
    assert_int_equal(services[0].answered.of[WORK_PRECACHE], 4);
    assert_int_equal(services[0].answered.of[WORK_ONDEMAND], 7);
    assert_true(services[0].unlimited && services[0].weight == 1);
    assert_int_equal(services[0].precache.mode, PRECACHE_ALWAYS);
    assert_int_equal(services[1].id, 3);
    assert_string_equal(services[1].keys[0].hash, "hash of third");
    assert_int_equal(services[1].keys[0].expires_ms, STORE_FOREVER_MS);
    assert_true(store_each_work(place->store, 0, 10, count_work, &works, &error));
    assert_int_equal(works, 3);
    assert_int_equal(faults(place), 0);
    bool charged;
    assert_int_equal(answer(place, 1, 1, &charged), STORE_DONE);
    reopen(place);
    assert_int_equal(faults(place), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_credit_is_used_once_for_a_root_while_its_work_lives),
        TEST(an_answer_that_is_taken_back_gives_its_credit_back),
        TEST(unlimited_services_pay_nothing),
        TEST(a_transaction_of_many_services_counts_each_of_them),
        TEST(credits_are_lines_with_a_balance_that_is_never_negative),
        TEST(keys_end_when_another_one_takes_over),
        TEST(a_removed_service_is_gone_but_stays_counted),
        TEST(edits_change_everything_but_name_keys_and_credits),
        TEST(clients_are_imported_once_and_banned),
        TEST(totals_are_imported_once_as_opening_rows),
        TEST(a_chain_is_imported_where_none_is),
        TEST(a_work_without_a_finder_is_kept_unless_a_better_one_is_there),
        TEST(what_is_applied_together_lasts_or_leaves_no_trace),
        TEST(chains_come_back_until_they_expire),
        TEST(a_period_is_written_over_and_comes_back),
        TEST(only_what_was_done_is_in_the_audit_log),
        TEST(the_check_sees_every_kind_of_difference),
        TEST(a_backup_is_whole_new_and_its_owner_s),
        TEST(a_store_of_version_1_is_brought_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
