/* Accounts of services and what is made ahead for them, event by event (dpow.md 5.3). */
#include "test.h"

#include "hub/core.h"

#include <string.h>

#define S 1000000ULL
#define EASY ((uint64_t)1 << 63)
#define HARD ((uint64_t)0xfff << 52)

enum { SERVICE = 1 };

static int set_up(void **state)
{
    struct hub_core_options options = hub_core_options_default();
    struct precache_policy policy = precache_policy_default();
    struct error error;
    options.entries_max = 16;
    options.waiters_max = 8;
    options.chains_max = 4;
    options.precache_parallel = 2;
    options.send_threshold = EASY;
    options.receive_threshold = EASY;
    policy.accounts_max = 2;
    *state = hub_core_create(&options, &error);
    assert_non_null(*state);
    assert_true(hub_core_service(*state, SERVICE, &policy));
    return 0;
}

static int tear_down(void **state)
{
    hub_core_destroy(*state);
    return 0;
}

static struct root root_of(uint8_t number)
{
    return (struct root){{number, 0xab}};
}

static struct account account_of(uint8_t number)
{
    return (struct account){{number, 0xcd}};
}

static waiter_id ask(struct hub_core *core, uint64_t now, uint8_t root, uint8_t account,
                     uint64_t threshold)
{
    return hub_core_request(core, now,
                            &(struct hub_request){.service_id = SERVICE,
                                                  .root = root_of(root),
                                                  .threshold = threshold,
                                                  .start_us = now,
                                                  .deadline_us = now + 5 * S,
                                                  .has_account = account != 0,
                                                  .account = account_of(account)});
}

/* The kinds of the last event's actions, one letter each: p is a work that is asked for ahead. */
static const char *acted(const struct hub_core *core)
{
    static char letters[64];
    const struct hub_actions actions = hub_core_actions(core);
    for (size_t i = 0; i < actions.count; i++) {
        const struct hub_action *action = &actions.items[i];
        const bool ahead = action->kind == HUB_WORK && action->work.type == WORK_PRECACHE;
        letters[i] = ahead ? 'p' : "rwcSAURFN"[action->kind];
    }
    letters[actions.count] = '\0';
    return letters;
}

static uint64_t nonce_for(const struct root *root, uint64_t low, uint64_t high)
{
    uint64_t nonce = 0;
    while (work_value(nonce, root) < low || work_value(nonce, root) >= high)
        nonce++;
    return nonce;
}

/* A request that is answered, and everything about it recorded. */
static void ask_and_solve(struct hub_core *core, uint64_t now, uint8_t number, uint8_t account)
{
    const struct root root = root_of(number);
    const waiter_id waiter = ask(core, now, number, account, EASY);
    if (account != 0)
        hub_core_frontier_stored(core, now, &(struct account){{account, 0xcd}});
    assert_int_equal(hub_core_result(core, now, &root, nonce_for(&root, EASY, HARD), NULL),
                     HUB_RESULT_ACCEPTED);
    hub_core_work_stored(core, WORK_ONDEMAND, &root, NULL, NULL);
    hub_core_answer_stored(core, waiter, HUB_STORED, false);
}

static void confirm(struct hub_core *core, uint64_t now, uint8_t account, uint8_t previous,
                    uint8_t hash, uint64_t height)
{
    const struct hub_block block = {account_of(account), root_of(hash), root_of(previous), height};
    hub_core_confirmed(core, now, &block);
}

static void a_confirmed_block_asks_for_the_next_work(void **state)
{
    struct hub_core *core = *state;
    ask_and_solve(core, 0, 1, 1);
    confirm(core, S, 1, 1, 2, 0);
    assert_string_equal(acted(core), "Fp");
    confirm(core, S, 1, 1, 2, 0);
    assert_string_equal(acted(core), "");
}

static void an_older_block_is_told_by_its_height_or_asked_about(void **state)
{
    struct hub_core *core = *state;
    ask_and_solve(core, 0, 1, 1);
    confirm(core, S, 1, 1, 2, 7);
    hub_core_frontier_stored(core, S, &(struct account){{1, 0xcd}});
    confirm(core, S, 1, 8, 9, 6);
    assert_string_equal(acted(core), "");
    confirm(core, S, 1, 8, 9, 0);
    assert_string_equal(acted(core), "N");
    confirm(core, S, 1, 8, 9, 8);
    assert_string_equal(acted(core), "cFp");
}

static void a_node_that_knows_no_block_of_an_account_changes_nothing(void **state)
{
    struct hub_core *core = *state;
    const struct account account = account_of(1);
    ask_and_solve(core, 0, 1, 1);
    hub_core_frontier(core, S, &account, &(struct root){{0}});
    assert_string_equal(acted(core), "");
    hub_core_frontier(core, S, &account, &(struct root){{2, 0xab}});
    assert_string_equal(acted(core), "Fp");
}

/* The account that is given up had the very root that is being asked for. */
static void an_account_that_makes_room_takes_no_request_along(void **state)
{
    struct hub_core *core = *state;
    ask_and_solve(core, 0, 1, 1);
    ask_and_solve(core, S, 2, 2);
    const waiter_id strong = ask(core, 2 * S, 1, 3, HARD);
    assert_true(strong != 0);
    const struct root root = root_of(1);
    const uint64_t nonce = nonce_for(&root, HARD, UINT64_MAX);
    assert_int_equal(hub_core_result(core, 3 * S, &root, nonce, NULL), HUB_RESULT_ACCEPTED);
    hub_core_work_stored(core, WORK_ONDEMAND, &root, NULL, NULL);
    hub_core_answer_stored(core, strong, HUB_STORED, false);
    assert_string_equal(acted(core), "r");
    struct hub_core_stats stats;
    hub_core_stats(core, &stats);
    assert_int_equal(stats.chains, 2);
    assert_int_equal(stats.entries, 2);
    assert_int_equal(stats.wanted, 0);
}

static void a_fresh_request_survives_the_account_that_makes_room_for_it(void **state)
{
    struct hub_core *core = *state;
    const waiter_id first = ask(core, 0, 1, 1, EASY);
    assert_true(hub_core_leave(core, 0, first));
    hub_core_timer(core, 4 * S); /* the root is forgotten, the account is not */
    ask_and_solve(core, 60 * S, 2, 2);
    hub_core_timer(core, 100 * S);
    const waiter_id second = ask(core, 100 * S, 1, 3, EASY);
    assert_true(second != 0);
    const struct root root = root_of(1);
    assert_int_equal(
        hub_core_result(core, 100 * S, &root, nonce_for(&root, EASY, UINT64_MAX), NULL),
        HUB_RESULT_ACCEPTED);
}

static void what_follows_a_root_is_found_without_an_account(void **state)
{
    struct hub_core *core = *state;
    ask_and_solve(core, 0, 1, 0);
    confirm(core, S, 5, 1, 2, 3);
    assert_string_equal(acted(core), "Fp");
    confirm(core, S, 6, 7, 8, 3);
    assert_string_equal(acted(core), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_confirmed_block_asks_for_the_next_work, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_older_block_is_told_by_its_height_or_asked_about, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_node_that_knows_no_block_of_an_account_changes_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_account_that_makes_room_takes_no_request_along, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fresh_request_survives_the_account_that_makes_room_for_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_follows_a_root_is_found_without_an_account, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
