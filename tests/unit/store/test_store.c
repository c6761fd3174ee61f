#include "test.h"

#include "base/random.h"
#include "store/store.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

/* After every date on which this runs: the store deletes works that have expired. */
#define FUTURE_MS ((int64_t)1 << 50)

/* A database of its own for each test, and what the store's thread has told. */
struct place {
    char directory[64];
    char path[96];
    char url[112];
    struct store *store;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned wakes;
    int health; /* How often commits were said to fail, and how often to work again. */
    int recoveries;
};

static void on_done(void *context)
{
    struct place *place = context;
    (void)pthread_mutex_lock(&place->mutex);
    place->wakes++;
    (void)pthread_cond_signal(&place->changed);
    (void)pthread_mutex_unlock(&place->mutex);
}

static void on_health(void *context, const char *reason)
{
    struct place *place = context;
    (void)pthread_mutex_lock(&place->mutex);
    if (reason != NULL)
        place->health++;
    else
        place->recoveries++;
    (void)pthread_cond_signal(&place->changed);
    (void)pthread_mutex_unlock(&place->mutex);
}

static void open_store(struct place *place)
{
    struct error error;
    place->store = store_open(place->url, &quiet, &error);
    if (place->store == NULL)
        fail_msg("%s", error.text);
}

static void start_store(struct place *place)
{
    struct error error;
    const struct store_callbacks callbacks = {on_done, on_health, place};
    assert_true(store_start(place->store, &callbacks, &error));
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/dpow-store-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->path, sizeof place->path, "%s/dpow.db", place->directory);
    (void)snprintf(place->url, sizeof place->url, "sqlite:%s", place->path);
    (void)pthread_mutex_init(&place->mutex, NULL);
    (void)pthread_cond_init(&place->changed, NULL);
    open_store(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    struct place *place = *state;
    store_close(place->store);
    for (size_t i = 0; i < COUNT(endings); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", place->path, endings[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
    (void)pthread_cond_destroy(&place->changed);
    (void)pthread_mutex_destroy(&place->mutex);
    free(place);
    return 0;
}

/* Submits one operation and waits until it has ended. */
static void run(struct place *place, struct store_op *op)
{
    struct store_op *done;
    store_submit(place->store, op);
    (void)pthread_mutex_lock(&place->mutex);
    while ((done = store_take_done(place->store)) == NULL)
        (void)pthread_cond_wait(&place->changed, &place->mutex);
    (void)pthread_mutex_unlock(&place->mutex);
    assert_ptr_equal(done, op);
    assert_null(store_op_next(done));
}

static struct service_record service_named(const char *name)
{
    struct service_record service = {
        .is_public = true, .rate_per_s = 2.5, .weight = 1, .unlimited = true, .created_ms = 123};
    (void)snprintf(service.name, sizeof service.name, "%s", name);
    (void)snprintf(service.display, sizeof service.display, "Display of %s \xc3\xa9", name);
    (void)snprintf(service.website, sizeof service.website, "https://example.org/%s", name);
    (void)snprintf(service.keys[0].hash, sizeof service.keys[0].hash, "hash of %s", name);
    return service;
}

static int64_t add_service(struct place *place, const char *name)
{
    struct service_record service = service_named(name);
    struct store_op op = {.kind = STORE_SERVICE_ADD, .service = &service};
    run(place, &op);
    assert_int_equal(op.status, STORE_DONE);
    return service.id;
}

static struct store_op work_op(uint8_t root, uint64_t nonce, int account, int64_t expires_ms)
{
    struct store_op op = {.kind = STORE_WORK};
    op.work.record.root.bytes[0] = root;
    op.work.record.nonce = nonce;
    op.work.record.value = work_value(nonce, &op.work.record.root);
    op.work.record.threshold = 0xfffffff800000000;
    op.work.record.type = WORK_ONDEMAND;
    op.work.record.solved_ms = 1000;
    op.work.record.expires_ms = expires_ms;
    op.work.has_account = account >= 0;
    op.work.account.key[0] = (uint8_t)account;
    return op;
}

struct seen {
    size_t count;
    struct service_record services[4];
    struct work_record works[16];
};

static bool see_service(void *context, const struct service_record *service)
{
    struct seen *seen = context;
    seen->services[seen->count++] = *service;
    return true;
}

static bool see_work(void *context, const struct work_record *work)
{
    struct seen *seen = context;
    seen->works[seen->count++] = *work;
    return true;
}

static void reopen(struct place *place)
{
    store_close(place->store);
    open_store(place);
}

static void services_and_their_counts_come_back(void **state)
{
    struct place *place = *state;
    struct error error;
    start_store(place);
    const int64_t first = add_service(place, "first");
    const int64_t second = add_service(place, "second");
    assert_true(first != second);
    for (int i = 0; i < 3; i++) {
        struct store_op op = {.kind = STORE_ANSWER,
                              .answer = {.service_id = second, .type = WORK_ONDEMAND}};
        run(place, &op);
        assert_int_equal(op.status, STORE_DONE);
    }
    struct store_op taken = {.kind = STORE_UNANSWER,
                             .answer = {.service_id = second, .type = WORK_ONDEMAND}};
    run(place, &taken);
    assert_int_equal(taken.status, STORE_DONE);
    reopen(place);
    struct seen seen = {0};
    assert_true(store_each_service(place->store, see_service, &seen, &error));
    assert_int_equal(seen.count, 2);
    const struct service_record expected = service_named("second");
    assert_string_equal(seen.services[0].name, "first");
    assert_string_equal(seen.services[1].display, expected.display);
    assert_string_equal(seen.services[1].website, expected.website);
    assert_string_equal(seen.services[1].keys[0].hash, expected.keys[0].hash);
    assert_true(seen.services[1].rate_per_s == 2.5);
    assert_true(seen.services[1].is_public);
    assert_int_equal(seen.services[1].id, second);
    assert_int_equal(seen.services[1].answered.of[WORK_ONDEMAND], 2);
    assert_int_equal(seen.services[1].answered.of[WORK_PRECACHE], 0);
}

static void conflicts_change_nothing(void **state)
{
    struct place *place = *state;
    struct error error;
    start_store(place);
    (void)add_service(place, "one");
    struct service_record again = service_named("one");
    struct store_op add = {.kind = STORE_SERVICE_ADD, .service = &again};
    run(place, &add);
    assert_int_equal(add.status, STORE_CONFLICT);
    struct store_op nobody = {.kind = STORE_ANSWER,
                              .answer = {.service_id = 4711, .type = WORK_PRECACHE}};
    run(place, &nobody);
    assert_int_equal(nobody.status, STORE_CONFLICT);
    struct store_op nothing = {.kind = STORE_UNANSWER,
                               .answer = {.service_id = 1, .type = WORK_PRECACHE}};
    run(place, &nothing);
    assert_int_equal(nothing.status, STORE_CONFLICT);
    reopen(place);
    struct seen seen = {0};
    assert_true(store_each_service(place->store, see_service, &seen, &error));
    assert_int_equal(seen.count, 1);
}

static void a_work_is_rewarded_once_and_its_totals_come_back(void **state)
{
    struct place *place = *state;
    struct error error;
    start_store(place);
    struct store_op first = work_op(1, 100, 7, FUTURE_MS + 5000);
    struct store_op same = work_op(1, 100, 8, FUTURE_MS + 5000);
    struct store_op other = work_op(2, 200, 7, FUTURE_MS + 5000);
    struct store_op nobody = work_op(3, 300, -1, FUTURE_MS + 5000);
    other.work.record.type = WORK_PRECACHE;
    run(place, &first);
    assert_true(first.work.rewarded);
    assert_int_equal(first.work.totals.rewarded.of[WORK_ONDEMAND], 1);
    assert_false(first.work.totals.has_snapshot);
    run(place, &same);
    assert_false(same.work.rewarded);
    run(place, &other);
    assert_true(other.work.rewarded);
    assert_int_equal(other.work.totals.rewarded.of[WORK_ONDEMAND], 1);
    assert_int_equal(other.work.totals.rewarded.of[WORK_PRECACHE], 1);
    run(place, &nobody);
    assert_false(nobody.work.rewarded);
    reopen(place);
    struct work_counts totals;
    assert_true(store_totals(place->store, &totals, &error));
    assert_int_equal(totals.of[WORK_ONDEMAND], 1);
    assert_int_equal(totals.of[WORK_PRECACHE], 1);
}

static void the_best_work_of_a_root_is_kept_until_it_expires(void **state)
{
    struct place *place = *state;
    struct error error;
    start_store(place);
    uint64_t nonces[2] = {1, 2};
    const struct root root = {{9}};
    if (work_value(nonces[0], &root) > work_value(nonces[1], &root)) {
        nonces[0] = 2;
        nonces[1] = 1;
    }
    struct store_op better = work_op(9, nonces[1], -1, FUTURE_MS + 5000);
    struct store_op weaker = work_op(9, nonces[0], -1, FUTURE_MS + 6000);
    struct store_op expired = work_op(10, 3, -1, FUTURE_MS + 1500);
    run(place, &better);
    run(place, &weaker);
    run(place, &expired);
    reopen(place);
    struct seen seen = {0};
    assert_true(store_each_work(place->store, FUTURE_MS + 2000, 16, see_work, &seen, &error));
    assert_int_equal(seen.count, 1);
    assert_true(seen.works[0].nonce == nonces[1]);
    assert_true(seen.works[0].value == work_value(nonces[1], &root));
    assert_int_equal(seen.works[0].expires_ms, FUTURE_MS + 5000);
}

static int64_t query(const char *path, const char *text)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(database);
    return number;
}

static void every_total_can_be_recomputed_from_the_rewards(void **state)
{
    struct place *place = *state;
    struct random random;
    random_seed(&random, 6);
    start_store(place);
    for (int i = 0; i < 300; i++) {
        struct store_op op = work_op((uint8_t)random_below(&random, 40), random_below(&random, 5),
                                     (int)random_below(&random, 4) - 1, FUTURE_MS + 5000);
        op.work.record.type = (enum work_type)random_below(&random, 2);
        run(place, &op);
    }
    reopen(place);
    assert_true(query(place->path, "SELECT count(*) FROM rewards") > 100);
    assert_int_equal(query(place->path,
                           "SELECT count(*) FROM (SELECT account, sum(type = 0), sum(type = 1)"
                           " FROM rewards GROUP BY account EXCEPT"
                           " SELECT account, precache, ondemand FROM clients)"),
                     0);
    assert_int_equal(query(place->path,
                           "SELECT count(*) FROM (SELECT type, count(*) FROM rewards GROUP BY type"
                           " EXCEPT SELECT type, rewarded FROM totals)"),
                     0);
}

static void expired_works_are_deleted_and_their_rewards_are_not(void **state)
{
    struct place *place = *state;
    struct store_op expired = work_op(1, 1, 1, 2000);
    struct store_op current = work_op(2, 2, 1, FUTURE_MS);
    start_store(place);
    run(place, &expired);
    store_stop(place->store, 0);
    assert_int_equal(query(place->path, "SELECT count(*) FROM works"), 0);
    reopen(place);
    start_store(place);
    run(place, &current);
    store_stop(place->store, 0);
    assert_int_equal(query(place->path, "SELECT count(*) FROM works"), 1);
    assert_int_equal(query(place->path, "SELECT count(*) FROM rewards"), 2);
    assert_int_equal(query(place->path, "SELECT sum(ondemand) FROM clients"), 2);
}

static void operations_come_back_in_the_order_of_submission(void **state)
{
    static struct store_op ops[500];
    struct place *place = *state;
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = work_op(1, i, 1, FUTURE_MS);
        ops[i].token = i;
        store_submit(place->store, &ops[i]);
    }
    start_store(place);
    store_stop(place->store, 0);
    uint64_t next = 0;
    for (struct store_op *op = store_take_done(place->store); op != NULL; op = store_op_next(op)) {
        assert_int_equal(op->token, next++);
        assert_int_equal(op->status, STORE_DONE);
        assert_int_equal(op->work.totals.rewarded.of[WORK_ONDEMAND], next);
    }
    assert_int_equal(next, COUNT(ops));
    assert_int_equal(place->wakes, 1);
}

static void an_operation_can_be_applied_without_the_thread(void **state)
{
    struct place *place = *state;
    struct error error;
    struct service_record service = service_named("direct");
    struct store_op op = {.kind = STORE_SERVICE_ADD, .service = &service};
    assert_true(store_apply(place->store, &op, &error));
    assert_int_equal(op.status, STORE_DONE);
    reopen(place);
    struct seen seen = {0};
    assert_true(store_each_service(place->store, see_service, &seen, &error));
    assert_int_equal(seen.count, 1);
}

static void what_cannot_be_opened_is_refused_with_the_reason(void **state)
{
    struct place *place = *state;
    struct error error;
    char url[160];
    assert_null(store_open(place->url, &quiet, &error));
    assert_non_null(strstr(error.text, "in use"));
    assert_null(store_open("redis://localhost", &quiet, &error));
    assert_non_null(strstr(error.text, "sqlite:PATH"));
    (void)snprintf(url, sizeof url, "sqlite:%s/none/dpow.db", place->directory);
    assert_null(store_open(url, &quiet, &error));
    assert_non_null(strstr(error.text, "No such file"));
    store_close(place->store);
    place->store = NULL;
    (void)query(place->path, "SELECT 1");
    sqlite3 *database;
    assert_int_equal(sqlite3_open(place->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA user_version = 99", NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(database);
    assert_null(store_open(place->url, &quiet, &error));
    assert_non_null(strstr(error.text, "newer dpow"));
    FILE *file = fopen(place->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 500; i++)
        assert_true(fputs("this is no database ", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_null(store_open(place->url, &quiet, &error));
    assert_non_null(strstr(error.text, "not a database"));
}

static void another_program_s_database_is_refused_and_left_as_it_is(void **state)
{
    struct place *place = *state;
    struct error error;
    sqlite3 *database;
    char path[160];
    char url[192];
    (void)snprintf(path, sizeof path, "%s/other.db", place->directory);
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "CREATE TABLE bookmarks (url TEXT)", NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(database);
    assert_null(store_open(url, &quiet, &error));
    assert_non_null(strstr(error.text, "another program"));
    assert_non_null(strstr(error.text, path));
    assert_int_equal(query(path, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(
        query(path, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'delete'"), 1);
    assert_int_equal(unlink(path), 0);
    (void)strncat(path, ".lock", sizeof path - strlen(path) - 1);
    assert_int_equal(unlink(path), 0);
}

static void a_url_must_name_a_file(void **state)
{
    static const char *const urls[] = {"sqlite:", "sqlite::memory:"};
    struct error error;
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        assert_null(store_open(urls[i], &quiet, &error));
        assert_non_null(strstr(error.text, "must name a file"));
    }
}

static void the_file_is_for_its_owner_only(void **state)
{
    struct place *place = *state;
    struct stat status;
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void work_that_cannot_be_committed_waits_until_it_can(void **state)
{
    struct place *place = *state;
    struct rlimit before;
    struct rlimit small = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    start_store(place);
    (void)add_service(place, "before");
    small.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct store_op op = work_op(1, 1, 1, FUTURE_MS + 5000);
    store_submit(place->store, &op);
    (void)pthread_mutex_lock(&place->mutex);
    while (place->health == 0)
        (void)pthread_cond_wait(&place->changed, &place->mutex);
    (void)pthread_mutex_unlock(&place->mutex);
    assert_null(store_take_done(place->store));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    struct store_op *done;
    (void)pthread_mutex_lock(&place->mutex);
    while ((done = store_take_done(place->store)) == NULL)
        (void)pthread_cond_wait(&place->changed, &place->mutex);
    (void)pthread_mutex_unlock(&place->mutex);
    assert_ptr_equal(done, &op);
    assert_int_equal(op.status, STORE_DONE);
    assert_true(op.work.rewarded);
    assert_int_equal(op.work.totals.rewarded.of[WORK_ONDEMAND], 1);
    assert_int_equal(place->health, 1);
    assert_int_equal(place->recoveries, 1);
}

static void what_is_left_when_patience_ends_is_handed_back_as_abandoned(void **state)
{
    struct place *place = *state;
    struct rlimit before;
    struct rlimit small = {.rlim_cur = 1};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    start_store(place);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct store_op ops[3];
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = work_op(1, i, 1, FUTURE_MS + 5000);
        store_submit(place->store, &ops[i]);
    }
    store_stop(place->store, 100);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    const struct store_op *op = store_take_done(place->store);
    for (size_t i = 0; i < COUNT(ops); i++, op = store_op_next(op)) {
        assert_ptr_equal(op, &ops[i]);
        assert_int_equal(op->status, STORE_ABANDONED);
    }
    assert_null(op);
    reopen(place);
    assert_int_equal(query(place->path, "SELECT count(*) FROM rewards"), 0);
}

/* The child: submits works without end, of nonces that no child before it has used, and tells
 * those that are handed back. */
static void submit_and_tell(struct place *place, uint64_t next, int told)
{
    static struct store_op ops[256];
    open_store(place);
    start_store(place);
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = work_op(0, next++, 1, FUTURE_MS);
        ops[i].token = next - 1;
        store_submit(place->store, &ops[i]);
    }
    for (;;) {
        struct store_op *following;
        for (struct store_op *op = store_take_done(place->store); op != NULL; op = following) {
            following = store_op_next(op);
            const uint64_t token = op->token;
            if (op->status != STORE_DONE || !op->work.rewarded ||
                write(told, &token, sizeof token) != sizeof token)
                _exit(1);
            *op = work_op(0, next, 1, FUTURE_MS);
            op->token = next++;
            store_submit(place->store, op);
        }
    }
}

static void what_was_told_survives_a_kill_at_any_moment(void **state)
{
    struct place *place = *state;
    struct random random;
    random_seed(&random, 8);
    store_close(place->store);
    place->store = NULL;
    uint64_t first = 0;
    for (int round = 0; round < 20; round++) {
        int told[2];
        char text[128];
        assert_int_equal(pipe(told), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            submit_and_tell(place, first, told[1]);
        (void)close(told[1]);
        uint64_t token;
        uint64_t last = first;
        const uint64_t enough = first + 50 + random_below(&random, 2000);
        while (last < enough && read(told[0], &token, sizeof token) == sizeof token)
            last = token;
        (void)kill(child, SIGKILL);
        while (read(told[0], &token, sizeof token) == sizeof token)
            last = token;
        (void)close(told[0]);
        (void)waitpid(child, NULL, 0);
        assert_true(last >= enough);
        open_store(place);
        store_close(place->store);
        place->store = NULL;
        (void)snprintf(text, sizeof text,
                       "SELECT count(*) FROM rewards WHERE nonce BETWEEN x'%016llx' AND x'%016llx'",
                       (unsigned long long)first, (unsigned long long)last);
        assert_int_equal(query(place->path, text), (int64_t)(last - first + 1));
        const int64_t rewards = query(place->path, "SELECT count(*) FROM rewards");
        assert_int_equal(query(place->path, "SELECT sum(ondemand) FROM clients"), rewards);
        assert_int_equal(query(place->path, "SELECT sum(rewarded) FROM totals"), rewards);
        first = last + 100000; /* more than a child can have in hand untold */
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(services_and_their_counts_come_back),
        TEST(conflicts_change_nothing),
        TEST(a_work_is_rewarded_once_and_its_totals_come_back),
        TEST(the_best_work_of_a_root_is_kept_until_it_expires),
        TEST(every_total_can_be_recomputed_from_the_rewards),
        TEST(expired_works_are_deleted_and_their_rewards_are_not),
        TEST(operations_come_back_in_the_order_of_submission),
        TEST(an_operation_can_be_applied_without_the_thread),
        TEST(what_cannot_be_opened_is_refused_with_the_reason),
        TEST(another_program_s_database_is_refused_and_left_as_it_is),
        TEST(a_url_must_name_a_file),
        TEST(the_file_is_for_its_owner_only),
        TEST(work_that_cannot_be_committed_waits_until_it_can),
        TEST(what_is_left_when_patience_ends_is_handed_back_as_abandoned),
        TEST(what_was_told_survives_a_kill_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
