#include "test.h"

#include "node/node_rpc.h"
#include "raw_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define SECOND "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9"
#define HASH "81991F4544E61BA7B3FCB9AC045EBEACDBE3304ED7150D92C994FE22F2900F93"

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

/* One of the answers a test gives, with the head of a node's. */
static const char *answer_of(const char *body)
{
    static char text[1024];
    (void)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    return text;
}

struct place {
    uv_loop_t loop;
    struct raw_server raw;
    struct url url;
    struct node_rpc *rpc;
    unsigned told;
    unsigned rooms;
    bool close_when_told;
    struct root last;
};

static void on_frontier(void *context, const struct account *account, const struct root *frontier)
{
    struct place *place = context;
    (void)account;
    place->last = *frontier;
    place->told++;
    if (place->close_when_told) {
        node_rpc_close(place->rpc);
        place->rpc = NULL;
    }
}

static void on_room(void *context)
{
    struct place *place = context;
    place->rooms++;
}

static struct account account_of(const char *text)
{
    struct account account;
    assert_int_equal(account_parse(slice_of(text), &account), ACCOUNT_OK);
    return account;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    struct error error;
    assert_non_null(place);
    assert_int_equal(uv_loop_init(&place->loop), 0);
    raw_server_start(&place->raw, &place->loop);
    place->raw.answer.ending = RAW_CLOSE;
    place->url = (struct url){.scheme = "http", .host = "127.0.0.1", .port = place->raw.port};
    place->rpc = node_rpc_create(&place->loop,
                                 &(struct node_rpc_options){
                                     .url = &place->url,
                                     .timeout_ms = 20000,
                                     .retry_min_ms = 1,
                                     .retry_max_ms = 4,
                                     .queue_max = 3,
                                     .on_frontier = on_frontier,
                                     .on_room = on_room,
                                     .context = place,
                                 },
                                 &quiet, &error);
    assert_non_null(place->rpc);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    if (place->rpc != NULL)
        node_rpc_close(place->rpc);
    raw_server_stop(&place->raw);
    (void)uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    free(place);
    return 0;
}

static void the_queue_is_bounded_and_holds_each_account_once(void **state)
{
    struct place *place = *state;
    struct node_rpc_stats stats;
    for (uint8_t i = 0; i < 3; i++) {
        const struct account account = {{i}};
        assert_true(node_rpc_ask(place->rpc, &account));
        assert_true(node_rpc_ask(place->rpc, &account));
    }
    assert_false(node_rpc_ask(place->rpc, &(struct account){{3}}));
    node_rpc_stats(place->rpc, &stats);
    assert_int_equal(stats.waiting, 3);
    assert_int_equal(stats.refused, 1);
}

static void what_one_turn_asks_goes_in_one_call(void **state)
{
    struct place *place = *state;
    const struct account first = account_of(FIRST);
    const struct account second = account_of(SECOND);
    struct node_rpc_stats stats;
    place->raw.answer.bytes =
        slice_of(answer_of("{\"frontiers\":{\"" FIRST "\":\"" HASH "\"},"
                           "\"errors\":{\"" SECOND "\":\"Account not found\"}}"));
    assert_true(node_rpc_ask(place->rpc, &first));
    assert_true(node_rpc_ask(place->rpc, &second));
    raw_wait_for(&place->raw, &place->told, 2);
    raw_wait_for(&place->raw, &place->rooms, 1);
    node_rpc_stats(place->rpc, &stats);
    assert_int_equal(stats.calls, 1);
    assert_int_equal(stats.answered, 2);
    assert_true(root_is_zero(&place->last));
}

static void an_outdated_answer_is_not_told_but_asked_for_again(void **state)
{
    struct place *place = *state;
    const struct account first = account_of(FIRST);
    struct node_rpc_stats stats;
    place->raw.answer.bytes = slice_of(answer_of("{\"frontiers\":{\"" FIRST "\":\"" HASH "\"}}"));
    assert_true(node_rpc_ask(place->rpc, &first));
    raw_wait_for(&place->raw, &place->raw.accepted, 1);
    node_rpc_outdate(place->rpc, &first);
    raw_wait_for(&place->raw, &place->told, 1);
    node_rpc_stats(place->rpc, &stats);
    assert_int_equal(stats.calls, 2);
    assert_int_equal(stats.answered, 1);
}

static void whatever_is_no_answer_is_asked_for_again(void **state)
{
    struct place *place = *state;
    static const char *const wrong[] = {"", "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
                                        "garbage\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"};
    const struct account first = account_of(FIRST);
    struct node_rpc_stats stats;
    place->raw.answer.bytes = slice_of(wrong[0]);
    assert_true(node_rpc_ask(place->rpc, &first));
    for (unsigned i = 0; i < COUNT(wrong); i++) {
        place->raw.answer.bytes = slice_of(wrong[i]);
        raw_wait_for(&place->raw, &place->raw.accepted, place->raw.accepted + 2);
    }
    node_rpc_stats(place->rpc, &stats);
    assert_true(stats.failing && stats.failures >= COUNT(wrong));
    place->raw.answer.bytes = slice_of(answer_of("{\"frontiers\":{\"" FIRST "\":\"" HASH "\"}}"));
    raw_wait_for(&place->raw, &place->told, 1);
    node_rpc_stats(place->rpc, &stats);
    assert_false(stats.failing);
    assert_int_equal(stats.waiting, 0);
}

static void a_callback_may_close_it(void **state)
{
    struct place *place = *state;
    const struct account first = account_of(FIRST);
    const struct account second = account_of(SECOND);
    place->close_when_told = true;
    place->raw.answer.bytes = slice_of(
        answer_of("{\"frontiers\":{\"" FIRST "\":\"" HASH "\",\"" SECOND "\":\"" HASH "\"}}"));
    assert_true(node_rpc_ask(place->rpc, &first));
    assert_true(node_rpc_ask(place->rpc, &second));
    raw_wait_for(&place->raw, &place->told, 1);
    assert_null(place->rpc);
    assert_int_equal(place->rooms, 0);
}

static void it_may_be_closed_while_a_call_is_under_way(void **state)
{
    struct place *place = *state;
    const struct account first = account_of(FIRST);
    place->raw.answer.silent = true;
    assert_true(node_rpc_ask(place->rpc, &first));
    raw_wait_for(&place->raw, &place->raw.accepted, 1);
    node_rpc_close(place->rpc);
    place->rpc = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_queue_is_bounded_and_holds_each_account_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_one_turn_asks_goes_in_one_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outdated_answer_is_not_told_but_asked_for_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whatever_is_no_answer_is_asked_for_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_callback_may_close_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_may_be_closed_while_a_call_is_under_way, set_up,
                                        tear_down),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
