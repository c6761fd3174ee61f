/* clients: the workers' accounts in memory. */
#include "test.h"

#include "base/random.h"
#include "hub/clients.h"

#include <string.h>

enum { LIMIT = 500, HOUR_MS = 3600000 };

#define NOW_MS INT64_C(1700000000000)

static const uint8_t seed[TABLE_SEED_SIZE] = {1};

static struct account account_of(unsigned number)
{
    struct account account = {{0}};
    memcpy(account.key, &number, sizeof number);
    return account;
}

/* A moment of a world in which both clocks agree. */
static struct clients_moment at(int64_t ms)
{
    return (struct clients_moment){NOW_MS + ms, 5000000 + ms * 1000};
}

static struct clients *create(size_t limit)
{
    struct error error;
    struct clients *clients = clients_create(limit, seed, &error);
    assert_non_null(clients);
    return clients;
}

static void load(struct clients *clients, unsigned number, uint64_t works, int64_t age_ms)
{
    const struct clients_moment moment = at(0);
    const struct client_record record = {
        .account = account_of(number),
        .totals.rewarded.of = {works, 0},
        .last_ms = age_ms < 0 ? 0 : NOW_MS - age_ms,
    };
    assert_true(clients_load(clients, &moment, &record));
}

static void reward(struct clients *clients, unsigned number, uint64_t works, int64_t ms)
{
    const struct clients_moment moment = at(ms);
    const struct account account = account_of(number);
    const struct client_totals totals = {.rewarded.of = {0, works}, .hashes.of = {0, works * 16}};
    clients_reward(clients, &moment, &account, &totals);
}

static size_t active(struct clients *clients, int64_t ms)
{
    return clients_active_since(clients, at(ms - HOUR_MS).now_us);
}

static void accounts_are_found_with_what_the_store_said(void **state)
{
    (void)state;
    struct clients *clients = create(LIMIT);
    struct client_record record;
    const struct account known = account_of(7);
    const struct account unknown = account_of(8);
    load(clients, 7, 41, 1000);
    load(clients, 7, 99, 1000);
    assert_int_equal(clients_count(clients), 1);
    assert_null(clients_find(clients, &unknown));
    client_read(clients_find(clients, &known), &record);
    assert_int_equal(record.totals.rewarded.of[WORK_PRECACHE], 41);
    assert_int_equal(record.last_ms, NOW_MS - 1000);
    reward(clients, 7, 42, 500);
    client_read(clients_find(clients, &known), &record);
    assert_int_equal(record.totals.rewarded.of[WORK_ONDEMAND], 42);
    assert_int_equal(record.totals.hashes.of[WORK_ONDEMAND], 42 * 16);
    assert_int_equal(record.last_ms, NOW_MS + 500);
    clients_destroy(clients);
    clients_destroy(NULL);
}

static void who_was_rewarded_within_the_hour_is_active(void **state)
{
    (void)state;
    struct clients *clients = create(LIMIT);
    load(clients, 1, 1, 0);
    load(clients, 2, 1, 30 * 60000);
    load(clients, 3, 1, 61 * 60000);
    load(clients, 4, 0, -1);
    assert_int_equal(active(clients, 0), 2);
    assert_int_equal(active(clients, 31 * 60000), 1);
    assert_int_equal(active(clients, 0), 2); /* a question about the past */
    reward(clients, 3, 2, 60000);
    reward(clients, 4, 1, 60000);
    reward(clients, 5, 1, 60000);
    reward(clients, 5, 2, 60000);
    assert_int_equal(active(clients, 60000), 5);
    assert_int_equal(active(clients, 59 * 60000), 4);
    assert_int_equal(active(clients, 61 * 60000), 3);
    assert_int_equal(active(clients, 61 * 60000 + 1), 0);
    assert_int_equal(clients_count(clients), 5);
    clients_destroy(clients);
}

/* A wall clock that jumps moves what is shown, not who is active. */
static void the_wall_clock_may_jump(void **state)
{
    (void)state;
    struct clients *clients = create(LIMIT);
    const struct account account = account_of(1);
    const struct client_totals totals = {.rewarded.of = {1, 0}};
    const struct clients_moment jumped = {NOW_MS - (int64_t)1000 * HOUR_MS, 6000000};
    load(clients, 9, 3, -3600000 * 5); /* rewarded in a future that did not come */
    clients_reward(clients, &jumped, &account, &totals);
    assert_int_equal(clients_active_since(clients, 5999999), 1);
    clients_destroy(clients);
}

static void random_activity_is_counted_as_by_hand(void **state)
{
    (void)state;
    enum { ACCOUNTS = 300, EVENTS = 20000 };
    struct clients *clients = create(LIMIT);
    int64_t last[ACCOUNTS];
    struct random random;
    int64_t now_ms = 0;
    random_seed(&random, 3);
    for (int i = 0; i < ACCOUNTS; i++)
        last[i] = INT64_MIN / 2;
    for (int i = 0; i < EVENTS; i++) {
        const unsigned who = (unsigned)(random_unit(&random) * ACCOUNTS);
        now_ms += (int64_t)(random_unit(&random) * 60000);
        reward(clients, who, (uint64_t)i + 1, now_ms);
        last[who] = now_ms;
        size_t expected = 0;
        for (int j = 0; j < ACCOUNTS; j++)
            expected += last[j] >= now_ms - HOUR_MS;
        assert_int_equal(active(clients, now_ms), expected);
    }
    clients_destroy(clients);
}

static void the_top_is_in_order_of_works(void **state)
{
    (void)state;
    enum { ACCOUNTS = 250, EVENTS = 5000 };
    struct clients *clients = create(LIMIT);
    uint64_t works[ACCOUNTS] = {0};
    struct random random;
    random_seed(&random, 5);
    assert_null(clients_top(clients, 0));
    load(clients, 1000, 0, -1);
    assert_null(clients_top(clients, 0));
    for (int i = 0; i < EVENTS; i++) {
        const double unit = random_unit(&random);
        const unsigned who = (unsigned)(unit * unit * ACCOUNTS);
        reward(clients, who, ++works[who], i);
    }
    for (size_t place = 0; place < CLIENTS_TOP; place++) {
        struct client_record record;
        client_read(clients_top(clients, place), &record);
        const uint64_t told = record.totals.rewarded.of[WORK_ONDEMAND];
        size_t ahead = 0;
        size_t equal = 0;
        for (int i = 0; i < ACCOUNTS; i++) {
            ahead += works[i] > told;
            equal += works[i] == told;
        }
        assert_in_range(place, ahead, ahead + equal - 1);
        for (size_t other = 0; other < place; other++)
            assert_ptr_not_equal(clients_top(clients, other), clients_top(clients, place));
    }
    assert_null(clients_top(clients, CLIENTS_TOP));
    clients_destroy(clients);
}

static void bans_begin_and_end(void **state)
{
    (void)state;
    struct clients *clients = create(LIMIT);
    const struct account known = account_of(1);
    const struct account unknown = account_of(2);
    load(clients, 1, 5, 1000);
    assert_true(clients_ban(clients, &known, NOW_MS + 1000));
    assert_true(clients_ban(clients, &unknown, STORE_FOREVER_MS));
    assert_true(client_banned(clients, &known, NOW_MS + 999));
    assert_false(client_banned(clients, &known, NOW_MS + 1000));
    assert_true(client_banned(clients, &unknown, NOW_MS + 1000));
    assert_int_equal(clients_banned(clients), 2);
    reward(clients, 2, 1, 0);
    assert_true(client_banned(clients, &unknown, NOW_MS));
    assert_true(clients_unban(clients, &unknown));
    assert_true(clients_unban(clients, &(struct account){{9}}));
    assert_false(client_banned(clients, &unknown, NOW_MS));
    assert_int_equal(clients_banned(clients), 1);
    assert_int_equal(clients_count(clients), 2);
    clients_destroy(clients);
}

static void bans_of_the_store_are_known(void **state)
{
    (void)state;
    struct clients *clients = create(LIMIT);
    const struct clients_moment moment = at(0);
    const struct client_record record = {.account = account_of(1), .ban.until_ms = NOW_MS + 5};
    assert_true(clients_load(clients, &moment, &record));
    assert_true(client_banned(clients, &record.account, NOW_MS));
    assert_int_equal(clients_banned(clients), 1);
    clients_destroy(clients);
}

static void the_one_rewarded_longest_ago_makes_room(void **state)
{
    (void)state;
    struct clients *clients = create(LIMIT);
    const struct account banned = account_of(150);
    const struct clients_moment moment = at(0);
    const struct client_record more = {.account = account_of(9999)};
    for (unsigned i = 0; i < LIMIT; i++)
        load(clients, i, i < CLIENTS_TOP ? 1000 : 1, i * 10);
    assert_false(clients_load(clients, &moment, &more));
    assert_true(clients_ban(clients, &banned, STORE_FOREVER_MS));
    assert_int_equal(active(clients, 0), LIMIT);
    for (unsigned i = 0; i < 5000; i++)
        reward(clients, LIMIT + i, 2, i);
    assert_int_equal(clients_count(clients), LIMIT);
    assert_int_equal(active(clients, 5000), LIMIT);
    assert_true(client_banned(clients, &banned, NOW_MS));
    for (unsigned i = 0; i < LIMIT; i++) {
        const struct account account = account_of(i);
        const bool stays = i < CLIENTS_TOP || i == 150;
        assert_int_equal(clients_find(clients, &account) != NULL, stays);
    }
    clients_destroy(clients);
}

static void a_directory_full_of_bans_takes_no_more(void **state)
{
    (void)state;
    struct clients *clients = create(10);
    for (unsigned i = 0; i < 10; i++) {
        const struct account account = account_of(i);
        assert_true(clients_ban(clients, &account, STORE_FOREVER_MS));
    }
    const struct account more = account_of(10);
    assert_false(clients_ban(clients, &more, STORE_FOREVER_MS));
    reward(clients, 10, 1, 0);
    assert_null(clients_find(clients, &more));
    assert_int_equal(clients_count(clients), 10);
    clients_destroy(clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_are_found_with_what_the_store_said),
        cmocka_unit_test(who_was_rewarded_within_the_hour_is_active),
        cmocka_unit_test(the_wall_clock_may_jump),
        cmocka_unit_test(random_activity_is_counted_as_by_hand),
        cmocka_unit_test(the_top_is_in_order_of_works),
        cmocka_unit_test(bans_begin_and_end),
        cmocka_unit_test(bans_of_the_store_are_known),
        cmocka_unit_test(the_one_rewarded_longest_ago_makes_room),
        cmocka_unit_test(a_directory_full_of_bans_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
