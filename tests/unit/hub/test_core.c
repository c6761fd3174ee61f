/* The life of a request, event by event; the simulation has the crowds and the faults. */
#include "test.h"

#include "hub/core.h"

#include <string.h>

#define S 1000000ULL
#define EASY ((uint64_t)1 << 63)
#define HARD ((uint64_t)0xfff << 52)

static const struct root root = {{1, 2, 3}};
static const struct account account = {{9}};

static int set_up(void **state)
{
    struct hub_core_options options = hub_core_options_default();
    struct error error;
    options.entries_max = 8;
    options.waiters_max = 8;
    options.waiters_per_entry_max = 4;
    options.chains_max = 4;
    options.precache_parallel = 2;
    options.send_threshold = HARD;
    options.receive_threshold = EASY;
    *state = hub_core_create(&options, &error);
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    hub_core_destroy(*state);
    return 0;
}

static waiter_id ask(struct hub_core *core, uint64_t now, uint64_t token, uint64_t threshold)
{
    return hub_core_request(core, now,
                            &(struct hub_request){.token = token,
                                                  .service_id = 1,
                                                  .root = root,
                                                  .threshold = threshold,
                                                  .start_us = now,
                                                  .deadline_us = now + 5 * S});
}

static uint64_t nonce_between(uint64_t low, uint64_t high)
{
    uint64_t nonce = 0;
    while (work_value(nonce, &root) < low || work_value(nonce, &root) >= high)
        nonce++;
    return nonce;
}

static void work_stored(struct hub_core *core, enum work_type type,
                        const struct client_totals *totals)
{
    hub_core_work_stored(
        core,
        &(struct hub_stored_work){
            .type = type, .root = root, .account = account, .durable = true, .totals = totals});
}

/* The kinds of the last event's actions, one letter each. */
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

static void a_request_is_answered_only_when_the_store_has_committed(void **state)
{
    struct hub_core *core = *state;
    const waiter_id waiter = ask(core, 0, 77, EASY);
    assert_string_equal(acted(core), "w");
    assert_true(action(core, 0)->work.threshold == EASY);
    const uint64_t nonce = nonce_between(EASY, UINT64_MAX);
    assert_int_equal(hub_core_result(core, S, &root, nonce, &account), HUB_RESULT_ACCEPTED);
    assert_string_equal(acted(core), "cSA");
    assert_true(action(core, 1)->store_work.has_account);
    assert_int_equal(hub_core_result(core, S, &root, nonce, &account), HUB_RESULT_UNWANTED);
    const struct client_totals totals = {.rewarded = {{0, 5}}};
    work_stored(core, WORK_ONDEMAND, &totals);
    assert_string_equal(acted(core), "R");
    hub_core_answer_stored(core, waiter, HUB_STORED, false);
    assert_string_equal(acted(core), "r");
    assert_int_equal(action(core, 0)->reply.token, 77);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_WORK);
    assert_int_equal(action(core, 0)->reply.type, WORK_ONDEMAND);
    assert_true(action(core, 0)->reply.nonce == nonce);
    assert_true(hub_core_drained(core));
}

static void a_cached_work_answers_until_it_expires(void **state)
{
    struct hub_core *core = *state;
    const uint64_t nonce = nonce_between(EASY, UINT64_MAX);
    hub_core_restore_work(core, 0, &root, nonce, WORK_ONDEMAND, 0, 10 * S);
    const waiter_id waiter = ask(core, 9 * S, 1, EASY);
    assert_string_equal(acted(core), "A");
    assert_int_equal(action(core, 0)->store_answer.type, WORK_PRECACHE);
    hub_core_answer_stored(core, waiter, HUB_STORED, false);
    assert_int_equal(action(core, 0)->reply.type, WORK_PRECACHE);
    (void)ask(core, 10 * S, 2, EASY);
    assert_string_equal(acted(core), "w");
}

static void a_work_too_weak_is_searched_again_and_kept_for_the_modest(void **state)
{
    struct hub_core *core = *state;
    hub_core_restore_work(core, 0, &root, nonce_between(EASY, HARD), WORK_ONDEMAND, 0, 100 * S);
    (void)ask(core, S, 1, HARD);
    assert_string_equal(acted(core), "w");
    (void)ask(core, S, 2, EASY);
    assert_string_equal(acted(core), "A");
}

static void a_higher_request_raises_the_search_and_its_leaving_lowers_it(void **state)
{
    struct hub_core *core = *state;
    (void)ask(core, 0, 1, EASY);
    const waiter_id high = ask(core, 0, 2, HARD);
    assert_string_equal(acted(core), "cw");
    assert_true(action(core, 1)->work.threshold == HARD);
    (void)ask(core, 0, 3, EASY);
    assert_string_equal(acted(core), "");
    assert_true(hub_core_leave(core, S, high));
    assert_string_equal(acted(core), "cw");
    assert_true(action(core, 1)->work.threshold == EASY);
}

static void a_work_answers_those_it_suffices_and_the_search_goes_on(void **state)
{
    struct hub_core *core = *state;
    (void)ask(core, 0, 1, EASY);
    (void)ask(core, 0, 2, HARD);
    assert_int_equal(hub_core_result(core, S, &root, nonce_between(0, EASY), &account),
                     HUB_RESULT_WEAK);
    assert_int_equal(hub_core_result(core, S, &root, nonce_between(EASY, HARD), &account),
                     HUB_RESULT_ACCEPTED);
    assert_string_equal(acted(core), "SAw");
    assert_true(action(core, 0)->store_work.threshold == EASY);
    assert_int_equal(hub_core_result(core, S, &root, nonce_between(HARD, UINT64_MAX), NULL),
                     HUB_RESULT_ACCEPTED);
    assert_string_equal(acted(core), "cSA");
    assert_false(action(core, 1)->store_work.has_account);
}

static void one_waiters_time_out_does_not_end_anothers_wait(void **state)
{
    struct hub_core *core = *state;
    (void)ask(core, 0, 1, EASY);
    (void)ask(core, 2 * S, 2, EASY);
    while (hub_core_next_timer(core) < 5 * S)
        hub_core_timer(core, hub_core_next_timer(core));
    hub_core_timer(core, 5 * S);
    assert_string_equal(acted(core), "r");
    assert_int_equal(action(core, 0)->reply.token, 1);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_TIMEOUT);
    assert_int_equal(hub_core_result(core, 6 * S, &root, nonce_between(EASY, UINT64_MAX), NULL),
                     HUB_RESULT_ACCEPTED);
    assert_string_equal(acted(core), "cSA");
}

static void the_last_waiters_leaving_cancels_and_a_late_result_still_counts(void **state)
{
    struct hub_core *core = *state;
    const waiter_id waiter = ask(core, 0, 1, EASY);
    assert_true(hub_core_leave(core, S, waiter));
    assert_string_equal(acted(core), "c");
    assert_false(hub_core_leave(core, S, waiter));
    assert_int_equal(hub_core_result(core, 2 * S, &root, nonce_between(EASY, UINT64_MAX), &account),
                     HUB_RESULT_ACCEPTED);
    assert_string_equal(acted(core), "S");
    (void)ask(core, 3 * S, 2, EASY);
    assert_string_equal(acted(core), "A");
}

static void after_the_linger_a_result_is_nobodys(void **state)
{
    struct hub_core *core = *state;
    assert_true(hub_core_leave(core, S, ask(core, 0, 1, EASY)));
    hub_core_timer(core, 6 * S);
    assert_int_equal(hub_core_result(core, 6 * S, &root, nonce_between(EASY, UINT64_MAX), NULL),
                     HUB_RESULT_UNWANTED);
    struct hub_core_stats stats;
    hub_core_stats(core, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(hub_core_next_timer(core), UINT64_MAX);
}

static void what_is_wanted_is_asked_for_again(void **state)
{
    struct hub_core *core = *state;
    (void)ask(core, 0, 1, EASY);
    assert_int_equal(hub_core_next_timer(core), 2 * S);
    hub_core_timer(core, 2 * S);
    assert_string_equal(acted(core), "w");
    hub_core_broker_back(core);
    assert_string_equal(acted(core), "w");
}

static void a_held_request_starts_at_its_time(void **state)
{
    struct hub_core *core = *state;
    const struct hub_request request = {.token = 1,
                                        .service_id = 1,
                                        .root = root,
                                        .threshold = EASY,
                                        .start_us = S,
                                        .deadline_us = 5 * S};
    assert_true(hub_core_request(core, 0, &request) != 0);
    assert_string_equal(acted(core), "");
    assert_int_equal(hub_core_next_timer(core), S);
    hub_core_timer(core, S);
    assert_string_equal(acted(core), "w");
}

static void beyond_its_capacities_the_core_says_busy(void **state)
{
    struct hub_core *core = *state;
    for (uint64_t i = 0; i < 4; i++)
        assert_true(ask(core, 0, i, EASY) != 0);
    assert_true(ask(core, 0, 5, EASY) == 0);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_BUSY);
    struct hub_request request = {.service_id = 1, .threshold = EASY, .deadline_us = S};
    for (uint8_t i = 0; i < 4; i++) {
        request.root.bytes[0] = (uint8_t)(100 + i);
        assert_true(hub_core_request(core, 0, &request) != 0);
    }
    request.root.bytes[0] = 200;
    assert_true(hub_core_request(core, 0, &request) == 0);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_BUSY);
}

static void while_commits_fail_new_requests_are_refused(void **state)
{
    struct hub_core *core = *state;
    hub_core_store_health(core, false);
    assert_true(ask(core, 0, 1, EASY) == 0);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_BUSY);
    hub_core_store_health(core, true);
    assert_true(ask(core, 0, 1, EASY) != 0);
}

static void an_answer_that_cannot_be_recorded_is_told_and_taken_back(void **state)
{
    struct hub_core *core = *state;
    const waiter_id waiter = ask(core, 0, 1, EASY);
    (void)hub_core_result(core, S, &root, nonce_between(EASY, UINT64_MAX), NULL);
    hub_core_timer(core, 10 * S);
    assert_string_equal(acted(core), "r");
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_FAILED);
    hub_core_answer_stored(core, waiter, HUB_STORED, false);
    assert_string_equal(acted(core), "U");
    assert_false(hub_core_drained(core));
    hub_core_answer_stored(core, waiter, HUB_STORED, false);
    assert_string_equal(acted(core), "");
    assert_true(hub_core_drained(core));
}

static void stores_other_ends_have_their_answers(void **state)
{
    struct hub_core *core = *state;
    const waiter_id first = ask(core, 0, 1, EASY);
    const waiter_id second = ask(core, 0, 2, EASY);
    (void)hub_core_result(core, S, &root, nonce_between(EASY, UINT64_MAX), NULL);
    hub_core_answer_stored(core, first, HUB_STORED_NO_SERVICE, false);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_REVOKED);
    hub_core_answer_stored(core, second, HUB_NOT_STORED, false);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_FAILED);
}

static void a_stop_answers_all_and_cancels_all(void **state)
{
    struct hub_core *core = *state;
    (void)ask(core, 0, 1, EASY);
    (void)ask(core, 0, 2, EASY);
    hub_core_drain(core);
    assert_true(ask(core, 0, 3, EASY) == 0);
    assert_int_equal(action(core, 0)->reply.answer, HUB_ANSWER_STOPPED);
    hub_core_abort(core);
    assert_string_equal(acted(core), "rrc");
    assert_true(hub_core_drained(core));
}

static void the_oldest_cached_work_makes_room(void **state)
{
    struct hub_core *core = *state;
    struct hub_core_stats stats;
    for (uint8_t i = 0; i < 8; i++) {
        const struct root other = {{(uint8_t)(50 + i)}};
        hub_core_restore_work(core, i, &other, 1, WORK_PRECACHE, 0, 100 * S);
    }
    assert_true(ask(core, S, 1, EASY) != 0);
    hub_core_stats(core, &stats);
    assert_int_equal(stats.entries, 8);
    const struct root oldest = {{50}};
    const struct hub_request request = {
        .root = oldest, .service_id = 1, .threshold = 0, .deadline_us = 9 * S};
    (void)hub_core_request(core, S, &request);
    assert_string_equal(acted(core), "w");
}

static void impossible_options_are_refused_by_name(void **state)
{
    (void)state;
    struct hub_core_options options = hub_core_options_default();
    struct error error;
    options.waiters_max = 0;
    assert_null(hub_core_create(&options, &error));
    assert_non_null(strstr(error.text, "waiters_max"));
    hub_core_destroy(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_only_when_the_store_has_committed),
        TEST(a_cached_work_answers_until_it_expires),
        TEST(a_work_too_weak_is_searched_again_and_kept_for_the_modest),
        TEST(a_higher_request_raises_the_search_and_its_leaving_lowers_it),
        TEST(a_work_answers_those_it_suffices_and_the_search_goes_on),
        TEST(one_waiters_time_out_does_not_end_anothers_wait),
        TEST(the_last_waiters_leaving_cancels_and_a_late_result_still_counts),
        TEST(after_the_linger_a_result_is_nobodys),
        TEST(what_is_wanted_is_asked_for_again),
        TEST(a_held_request_starts_at_its_time),
        TEST(beyond_its_capacities_the_core_says_busy),
        TEST(while_commits_fail_new_requests_are_refused),
        TEST(an_answer_that_cannot_be_recorded_is_told_and_taken_back),
        TEST(stores_other_ends_have_their_answers),
        TEST(a_stop_answers_all_and_cancels_all),
        TEST(the_oldest_cached_work_makes_room),
        cmocka_unit_test(impossible_options_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
