/* What is made ahead: chains, confirmed blocks, limits, turns. */
#include "test.h"

#include "hub/core.h"

#include <stdlib.h>
#include <string.h>

#define S 1000000ULL
#define HOUR (3600 * S)
#define SEND ((uint64_t)0xf << 60)
#define RECEIVE ((uint64_t)1 << 63)
#define HARD ((uint64_t)0xff << 56)

enum { SERVICE = 5, OTHER = 6 };

static const struct account account = {{9}};
static const struct root zero = {{0}};

static struct root block(uint8_t number)
{
    return (struct root){{number, 77}};
}

static bool is_block(const struct root *root, uint8_t number)
{
    const struct root expected = block(number);
    return memcmp(root, &expected, sizeof expected) == 0;
}

static int set_up(void **state)
{
    struct hub_core_options options = hub_core_options_default();
    const struct precache_policy policy = {PRECACHE_ALWAYS, false, 3, 1000, 60};
    struct error error;
    options.entries_max = 64;
    options.waiters_max = 8;
    options.chains_max = 4;
    options.precache_parallel = 2;
    options.send_threshold = SEND;
    options.receive_threshold = RECEIVE;
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

static const char *acted(const struct hub_core *core)
{
    static char letters[64];
    const struct hub_actions actions = hub_core_actions(core);
    for (size_t i = 0; i < actions.count; i++)
        letters[i] = "rwcSAUKRFN"[actions.items[i].kind];
    letters[actions.count] = '\0';
    return letters;
}

static const struct hub_action *action(const struct hub_core *core, size_t index)
{
    assert_true(index < hub_core_actions(core).count);
    return &hub_core_actions(core).items[index];
}

static waiter_id ask(struct hub_core *core, uint64_t now, struct root root,
                     const struct account *of, uint64_t threshold)
{
    struct hub_request request = {.service_id = SERVICE,
                                  .root = root,
                                  .threshold = threshold,
                                  .start_us = now,
                                  .deadline_us = now + 5 * S,
                                  .has_account = of != NULL};
    if (of != NULL)
        request.account = *of;
    return hub_core_request(core, now, &request);
}

static uint64_t nonce_for(struct root root, uint64_t low, uint64_t high)
{
    uint64_t nonce = 0;
    while (work_value(nonce, &root) < low || work_value(nonce, &root) >= high)
        nonce++;
    return nonce;
}

static void find(struct hub_core *core, uint64_t now, struct root root, uint64_t threshold)
{
    const uint64_t nonce = nonce_for(root, threshold, UINT64_MAX);
    assert_int_equal(hub_core_result(core, now, &root, nonce, &account), HUB_RESULT_ACCEPTED);
}

/* A service asks for a block's work and gets it; its chain is known from then on. */
static void serve(struct hub_core *core, uint64_t now, struct root root, const struct account *of)
{
    const waiter_id waiter = ask(core, now, root, of, SEND);
    if (of != NULL)
        hub_core_frontier_stored(core, now, of);
    find(core, now, root, SEND);
    hub_core_work_stored(core, &(struct hub_stored_work){.root = root, .durable = true});
    hub_core_answer_stored(core, waiter, HUB_STORED, false);
}

static void confirm(struct hub_core *core, uint64_t now, struct account of, struct root hash,
                    struct root previous, uint64_t height)
{
    hub_core_confirmed(
        core, now,
        &(struct hub_block){.account = of, .hash = hash, .previous = previous, .height = height});
}

static struct hub_core_stats stats_of(const struct hub_core *core)
{
    struct hub_core_stats stats;
    hub_core_stats(core, &stats);
    return stats;
}

static void the_next_work_of_an_account_is_made_ahead_and_handed_out(void **state)
{
    struct hub_core *core = *state;
    const waiter_id first = ask(core, 0, block(1), &account, SEND);
    assert_string_equal(acted(core), "wF");
    assert_int_equal(action(core, 1)->store_frontier.service_id, SERVICE);
    assert_memory_equal(&action(core, 1)->store_frontier.account, &account, sizeof account);
    find(core, 0, block(1), SEND);
    assert_int_equal(action(core, 1)->store_work.service_id, SERVICE);
    hub_core_answer_stored(core, first, HUB_STORED, false);
    hub_core_frontier_stored(core, 0, &account);
    confirm(core, S, account, block(2), block(1), 2);
    assert_string_equal(acted(core), "Fw");
    assert_true(is_block(&action(core, 0)->store_frontier.frontier, 2));
    assert_int_equal(action(core, 0)->store_frontier.height, 2);
    assert_int_equal(action(core, 1)->work.type, WORK_PRECACHE);
    assert_true(action(core, 1)->work.threshold == SEND);
    find(core, 2 * S, block(2), SEND);
    assert_string_equal(acted(core), "cS");
    assert_int_equal(action(core, 0)->work.type, WORK_PRECACHE);
    assert_int_equal(action(core, 1)->store_work.type, WORK_PRECACHE);
    (void)ask(core, 3 * S, block(2), &account, SEND);
    assert_string_equal(acted(core), "A");
    assert_int_equal(action(core, 0)->store_answer.type, WORK_PRECACHE);
    confirm(core, 4 * S, account, block(3), block(2), 3);
    assert_int_equal(stats_of(core).precache_used, 1);
    assert_int_equal(stats_of(core).precache_unused, 0);
}

static void an_unknown_account_is_known_by_its_block_s_previous(void **state)
{
    struct hub_core *core = *state;
    const struct account stranger = {{8}};
    serve(core, 0, block(1), NULL);
    assert_int_equal(stats_of(core).chains, 0);
    confirm(core, S, stranger, block(2), block(1), 0);
    assert_string_equal(acted(core), "Fw");
    assert_int_equal(stats_of(core).chains, 1);
    confirm(core, S, (struct account){{7}}, block(9), block(8), 0);
    assert_string_equal(acted(core), "");
}

static void a_first_block_follows_the_account_s_key(void **state)
{
    struct hub_core *core = *state;
    struct root key;
    memcpy(key.bytes, account.key, sizeof key.bytes);
    serve(core, 0, key, &account);
    confirm(core, S, account, block(1), zero, 1);
    assert_string_equal(acted(core), "Fw");
}

static void zeros_make_nothing_known(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, zero, NULL);
    (void)ask(core, S, zero, &account, SEND);
    assert_int_equal(stats_of(core).chains, 0);
    confirm(core, S, (struct account){{3}}, block(1), zero, 1);
    assert_string_equal(acted(core), "");
    confirm(core, S, account, zero, zero, 1);
    assert_string_equal(acted(core), "");
}

static void a_block_told_twice_or_already_wanted_is_left_as_it_is(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, block(1), &account);
    confirm(core, S, account, block(2), block(1), 0);
    assert_int_equal(stats_of(core).precaching, 1);
    confirm(core, S, account, block(2), block(1), 0);
    assert_string_equal(acted(core), "");
    find(core, S, block(2), SEND);
    confirm(core, S, account, block(2), block(1), 0);
    assert_string_equal(acted(core), "");
    hub_core_frontier_stored(core, S, &account);
    (void)ask(core, S, block(3), NULL, SEND);
    confirm(core, S, account, block(3), block(2), 0);
    assert_string_equal(acted(core), "F");
    (void)ask(core, S, block(3), NULL, SEND);
    assert_string_equal(acted(core), "");
}

static void an_older_block_moves_nothing_back(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, block(1), &account);
    confirm(core, S, account, block(2), block(1), 12);
    hub_core_frontier_stored(core, S, &account);
    confirm(core, S, account, block(4), block(3), 14);
    assert_string_equal(acted(core), "cFw");
    confirm(core, S, account, block(3), block(2), 13);
    assert_string_equal(acted(core), "");
}

static void without_heights_the_node_is_asked_where_the_chain_is(void **state)
{
    struct hub_core *core = *state;
    const struct root head = block(4);
    serve(core, 0, block(1), &account);
    confirm(core, S, account, block(4), block(3), 0);
    assert_string_equal(acted(core), "N");
    assert_memory_equal(&action(core, 0)->ask_frontier, &account, sizeof account);
    hub_core_frontier(core, S, &account, &head);
    assert_string_equal(acted(core), "Fw");
    hub_core_frontier(core, S, &account, &head);
    assert_string_equal(acted(core), "");
    hub_core_frontier(core, S, &(struct account){{1}}, &head);
    assert_string_equal(acted(core), "");
}

/* A node that is being set up, or that lags, knows no block of an account that has some. */
static void a_node_that_knows_no_block_changes_nothing(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, block(1), &account);
    hub_core_frontier(core, S, &account, &zero);
    assert_string_equal(acted(core), "");
    confirm(core, S, account, block(2), block(1), 0);
    assert_string_equal(acted(core), "Fw");
}

/* The account that is given up was asked for with the very root that is being asked for now. */
static void an_account_that_makes_room_takes_no_request_along(void **state)
{
    struct hub_core *core = *state;
    for (uint8_t i = 1; i <= 3; i++)
        serve(core, i, block(i), &(struct account){{i}});
    const waiter_id waiter = ask(core, S, block(1), &(struct account){{4}}, HARD);
    assert_true(waiter != 0);
    find(core, S, block(1), HARD);
    hub_core_work_stored(core, &(struct hub_stored_work){.root = block(1), .durable = true});
    hub_core_answer_stored(core, waiter, HUB_STORED, false);
    assert_string_equal(acted(core), "r");
    assert_int_equal(stats_of(core).entries, 3);
    assert_int_equal(stats_of(core).wanted, 0);
}

/* The same while that root is being made ahead, asked for or waiting for its turn. */
static void an_account_that_makes_room_leaves_its_search_to_who_asks(void **state)
{
    struct hub_core *core = *state;
    for (uint8_t i = 1; i <= 3; i++) {
        serve(core, i, block(i), &(struct account){{i}});
        confirm(core, i, (struct account){{i}}, block(10 + i), block(i), 0);
        hub_core_frontier_stored(core, i, &(struct account){{i}});
    }
    assert_int_equal(stats_of(core).precaching, 2);
    assert_int_equal(stats_of(core).queued, 1);
    for (uint8_t i = 1; i <= 3; i++) {
        const waiter_id waiter = ask(core, S, block(10 + i), &(struct account){{20 + i}}, SEND);
        assert_true(waiter != 0);
        hub_core_frontier_stored(core, S, &(struct account){{20 + i}});
        assert_int_equal(stats_of(core).entries, 3);
        find(core, S, block(10 + i), SEND);
        hub_core_answer_stored(core, waiter, HUB_STORED, false);
        assert_string_equal(acted(core), "r");
    }
    assert_int_equal(stats_of(core).wanted, 0);
    assert_int_equal(stats_of(core).queued, 0);
    assert_int_equal(stats_of(core).precaching, 0);
}

static void a_service_that_is_ahead_of_the_network_is_believed(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, block(1), &account);
    serve(core, S, block(2), &account);
    confirm(core, 2 * S, account, block(2), block(1), 0);
    assert_string_equal(acted(core), "");
    confirm(core, 2 * S, account, block(3), block(2), 0);
    assert_string_equal(acted(core), "Fw");
}

static void another_service_moves_nothing(void **state)
{
    struct hub_core *core = *state;
    const struct precache_policy policy = {PRECACHE_ALWAYS, false, 3, 1000, 60};
    assert_true(hub_core_service(core, OTHER, &policy));
    serve(core, 0, block(1), &account);
    (void)hub_core_request(core, S,
                           &(struct hub_request){.service_id = OTHER,
                                                 .root = block(50),
                                                 .threshold = SEND,
                                                 .deadline_us = 9 * S,
                                                 .has_account = true,
                                                 .account = account});
    assert_string_equal(acted(core), "w");
    confirm(core, S, account, block(2), block(1), 0);
    assert_string_equal(acted(core), "Fw");
}

static void a_request_makes_what_is_made_ahead_urgent(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, block(1), &account);
    confirm(core, S, account, block(2), block(1), 0);
    const waiter_id waiter = ask(core, S, block(2), &account, SEND);
    assert_string_equal(acted(core), "w");
    assert_int_equal(action(core, 0)->work.type, WORK_ONDEMAND);
    assert_int_equal(stats_of(core).precaching, 0);
    assert_true(hub_core_leave(core, S, waiter));
    assert_string_equal(acted(core), "cc");
    hub_core_timer(core, 9 * S);
    assert_string_equal(acted(core), "w");
    assert_int_equal(action(core, 0)->work.type, WORK_PRECACHE);
    (void)ask(core, 9 * S, block(2), &account, RECEIVE);
    assert_string_equal(acted(core), "cw");
    assert_true(action(core, 1)->work.threshold == RECEIVE);
    find(core, 9 * S, block(2), RECEIVE);
    assert_string_equal(acted(core), "cSA");
    assert_int_equal(stats_of(core).queued + stats_of(core).precaching, 0);
}

static void so_many_are_asked_for_at_once_and_the_others_take_turns(void **state)
{
    struct hub_core *core = *state;
    for (uint8_t i = 0; i < 3; i++) {
        serve(core, 0, block((uint8_t)(10 * i + 1)), &(struct account){{(uint8_t)(i + 1)}});
        confirm(core, S, (struct account){{(uint8_t)(i + 1)}}, block((uint8_t)(10 * i + 2)),
                block((uint8_t)(10 * i + 1)), 0);
    }
    assert_int_equal(stats_of(core).precaching, 2);
    assert_int_equal(stats_of(core).queued, 1);
    hub_core_timer(core, 200 * S);
    assert_int_equal(stats_of(core).precaching, 2);
    assert_int_equal(stats_of(core).queued, 1);
    find(core, 200 * S, block(22), SEND);
    assert_int_equal(stats_of(core).precaching, 2);
    assert_int_equal(stats_of(core).queued, 0);
    find(core, 201 * S, block(2), SEND);
    find(core, 201 * S, block(12), SEND);
    assert_int_equal(stats_of(core).precaching, 0);
}

static void a_late_work_of_one_that_waits_for_its_next_turn_is_taken(void **state)
{
    struct hub_core *core = *state;
    so_many_are_asked_for_at_once_and_the_others_take_turns(state);
    serve(core, 300 * S, block(40), &(struct account){{1}});
    confirm(core, 300 * S, (struct account){{2}}, block(13), block(12), 0);
    confirm(core, 300 * S, (struct account){{3}}, block(23), block(22), 0);
    confirm(core, 300 * S, (struct account){{1}}, block(41), block(40), 0);
    assert_int_equal(stats_of(core).queued, 1);
    find(core, 300 * S, block(41), SEND);
    assert_int_equal(stats_of(core).queued, 0);
    assert_int_equal(stats_of(core).precaching, 2);
}

static void limits_hold_for_accounts_chains_and_hours(void **state)
{
    struct hub_core *core = *state;
    const struct precache_policy few = {PRECACHE_ALWAYS, false, 2, 2, 60};
    assert_true(hub_core_service(core, SERVICE, &few));
    for (uint8_t i = 1; i <= 3; i++)
        serve(core, i, block(i), &(struct account){{i}});
    assert_int_equal(stats_of(core).chains, 2);
    const struct root oldest = block(1);
    assert_true(hub_core_has_work(core, S, &oldest, SEND));
    confirm(core, S, (struct account){{1}}, block(11), block(1), 0);
    assert_int_equal(stats_of(core).chains, 2);
    uint8_t at = 11;
    for (int i = 0; i < 10; i++, at++)
        confirm(core, S, (struct account){{1}}, block((uint8_t)(at + 1)), block(at), 0);
    assert_true(stats_of(core).precache_started <= 2);
    assert_true(stats_of(core).precache_refused >= 8);
    const uint64_t before = stats_of(core).precache_started;
    confirm(core, 3 * HOUR, (struct account){{1}}, block((uint8_t)(at + 1)), block(at), 0);
    assert_int_equal(stats_of(core).precache_started, before + 1);
}

static void a_policy_says_whether_when_and_for_what(void **state)
{
    struct hub_core *core = *state;
    static const struct {
        struct precache_policy policy;
        uint64_t after_us;
        uint64_t threshold; /* 0: nothing is asked. */
    } cases[] = {
        {{PRECACHE_OFF, false, 3, 1000, 60}, S, 0},
        {{PRECACHE_ALWAYS, true, 3, 1000, 60}, S, RECEIVE},
        {{PRECACHE_USED, false, 3, 1000, 60}, 60 * S, SEND},
        {{PRECACHE_USED, false, 3, 1000, 60}, 61 * S, 0},
        {{PRECACHE_ALWAYS, false, 3, 0, 60}, S, 0},
    };
    uint8_t at = 1;
    for (size_t i = 0; i < COUNT(cases); i++, at = (uint8_t)(at + 2)) {
        const struct precache_policy always = {PRECACHE_ALWAYS, false, 3, 1000, 60};
        const uint64_t now = i * HOUR;
        assert_true(hub_core_service(core, SERVICE, &always));
        serve(core, now, block(at), &account);
        assert_true(hub_core_service(core, SERVICE, &cases[i].policy));
        confirm(core, now + cases[i].after_us, account, block((uint8_t)(at + 1)), block(at), 0);
        const struct hub_actions actions = hub_core_actions(core);
        uint64_t asked = 0;
        for (size_t k = 0; k < actions.count; k++)
            if (actions.items[k].kind == HUB_WORK)
                asked = actions.items[k].work.threshold;
        assert_true(asked == cases[i].threshold);
        if (asked != 0)
            find(core, now + cases[i].after_us, block((uint8_t)(at + 1)), asked);
    }
}

static void a_forgotten_service_takes_its_chains_with_it(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, block(1), &account);
    confirm(core, S, account, block(2), block(1), 0);
    hub_core_forget_service(core, SERVICE);
    assert_string_equal(acted(core), "c");
    assert_int_equal(stats_of(core).chains, 0);
    assert_int_equal(stats_of(core).wanted, 0);
    hub_core_forget_service(core, SERVICE);
    confirm(core, S, account, block(3), block(2), 0);
    assert_string_equal(acted(core), "");
}

static void a_chain_nobody_asks_for_is_forgotten(void **state)
{
    struct hub_core *core = *state;
    serve(core, 0, block(1), &account);
    hub_core_timer(core, 29 * 24 * HOUR);
    assert_int_equal(stats_of(core).chains, 1);
    serve(core, 29 * 24 * HOUR, block(2), &account);
    hub_core_timer(core, 31 * 24 * HOUR);
    assert_int_equal(stats_of(core).chains, 1);
    hub_core_timer(core, 60 * 24 * HOUR);
    assert_int_equal(stats_of(core).chains, 0);
}

static void a_restored_chain_goes_on_where_it_was(void **state)
{
    struct hub_core *core = *state;
    const struct hub_chain chain = {.account = account,
                                    .frontier = {{2, 77}},
                                    .height = 2,
                                    .service_id = SERVICE,
                                    .idle_us = S,
                                    .ttl_us = HOUR};
    hub_core_restore_chain(core, 10 * S, &chain);
    assert_string_equal(acted(core), "w");
    hub_core_restore_chain(core, 10 * S, &chain);
    assert_string_equal(acted(core), "");
    struct hub_chain other = chain;
    other.account.key[0] = 2;
    other.frontier = block(30);
    hub_core_restore_work(core, 10 * S, &other.frontier, nonce_for(block(30), SEND, UINT64_MAX),
                          WORK_PRECACHE, SERVICE, HOUR);
    hub_core_restore_chain(core, 10 * S, &other);
    assert_string_equal(acted(core), "");
    other.account.key[0] = 3;
    other.frontier = block(40);
    other.idle_us = 25 * HOUR;
    hub_core_restore_chain(core, 10 * S, &other);
    assert_string_equal(acted(core), "");
    assert_int_equal(stats_of(core).chains, 3);
    other.account.key[0] = 4;
    other.service_id = 99;
    hub_core_restore_chain(core, 10 * S, &other);
    assert_int_equal(stats_of(core).chains, 3);
    struct account seen[8];
    size_t cursor = 0;
    assert_int_equal(hub_core_chains(core, &cursor, seen, 2), 2);
    assert_int_equal(hub_core_chains(core, &cursor, seen, 2), 1);
    assert_int_equal(hub_core_chains(core, &cursor, seen, 2), 0);
}

/* Those used last are restored first, and are those that stay. */
static void of_more_chains_than_there_may_be_the_newest_are_restored(void **state)
{
    struct hub_core *core = *state;
    struct hub_chain chain = {.service_id = SERVICE, .ttl_us = HOUR};
    for (uint8_t i = 1; i <= 4; i++) {
        chain.account.key[0] = i;
        chain.frontier = block(i);
        chain.idle_us = i * S;
        hub_core_restore_chain(core, 10 * S, &chain);
    }
    assert_int_equal(stats_of(core).chains, 3);
    (void)ask(core, 11 * S, block(9), &(struct account){{9}}, SEND);
    struct account seen[3];
    size_t cursor = 0;
    assert_int_equal(hub_core_chains(core, &cursor, seen, 3), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(seen[i].key[0] == 1 || seen[i].key[0] == 2 || seen[i].key[0] == 9);
}

static void a_chain_is_stored_once_at_a_time(void **state)
{
    struct hub_core *core = *state;
    (void)ask(core, 0, block(1), &account, SEND);
    assert_string_equal(acted(core), "wF");
    (void)ask(core, 0, block(2), &account, SEND);
    assert_string_equal(acted(core), "w");
    (void)ask(core, 0, block(3), &account, SEND);
    assert_string_equal(acted(core), "w");
    hub_core_frontier_stored(core, 0, &account);
    assert_string_equal(acted(core), "F");
    assert_true(is_block(&action(core, 0)->store_frontier.frontier, 3));
    hub_core_frontier_stored(core, 0, &account);
    assert_string_equal(acted(core), "");
}

static void those_who_wait_for_a_banned_service_are_told(void **state)
{
    struct hub_core *core = *state;
    (void)ask(core, 0, block(1), NULL, SEND);
    (void)hub_core_request(
        core, 0,
        &(struct hub_request){
            .service_id = OTHER, .root = block(1), .threshold = SEND, .deadline_us = 9 * S});
    hub_core_revoke(core, S, SERVICE, HUB_ANSWER_SUSPENDED);
    assert_string_equal(acted(core), "r");
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_SUSPENDED);
    hub_core_revoke(core, S, OTHER, HUB_ANSWER_REVOKED);
    assert_string_equal(acted(core), "cr");
    assert_true(hub_core_drained(core));
}

static void a_work_at_hand_is_known_while_it_lives(void **state)
{
    struct hub_core *core = *state;
    const struct root root = block(1);
    assert_false(hub_core_has_work(core, 0, &root, RECEIVE));
    hub_core_restore_work(core, 0, &root, nonce_for(root, RECEIVE, SEND), WORK_ONDEMAND, 0, 10 * S);
    assert_true(hub_core_has_work(core, 0, &root, RECEIVE));
    assert_false(hub_core_has_work(core, 0, &root, SEND));
    assert_false(hub_core_has_work(core, 10 * S, &root, RECEIVE));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_next_work_of_an_account_is_made_ahead_and_handed_out),
        TEST(an_unknown_account_is_known_by_its_block_s_previous),
        TEST(a_first_block_follows_the_account_s_key),
        TEST(zeros_make_nothing_known),
        TEST(a_block_told_twice_or_already_wanted_is_left_as_it_is),
        TEST(an_older_block_moves_nothing_back),
        TEST(without_heights_the_node_is_asked_where_the_chain_is),
        TEST(a_node_that_knows_no_block_changes_nothing),
        TEST(an_account_that_makes_room_takes_no_request_along),
        TEST(an_account_that_makes_room_leaves_its_search_to_who_asks),
        TEST(a_service_that_is_ahead_of_the_network_is_believed),
        TEST(another_service_moves_nothing),
        TEST(a_request_makes_what_is_made_ahead_urgent),
        TEST(so_many_are_asked_for_at_once_and_the_others_take_turns),
        TEST(a_late_work_of_one_that_waits_for_its_next_turn_is_taken),
        TEST(limits_hold_for_accounts_chains_and_hours),
        TEST(a_policy_says_whether_when_and_for_what),
        TEST(a_forgotten_service_takes_its_chains_with_it),
        TEST(a_chain_nobody_asks_for_is_forgotten),
        TEST(a_restored_chain_goes_on_where_it_was),
        TEST(of_more_chains_than_there_may_be_the_newest_are_restored),
        TEST(a_chain_is_stored_once_at_a_time),
        TEST(those_who_wait_for_a_banned_service_are_told),
        TEST(a_work_at_hand_is_known_while_it_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
