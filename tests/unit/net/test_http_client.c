#include "test.h"

#include "net/http_client.h"
#include "net/http_server.h"
#include "raw_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

enum { BODY_MAX = 64, LONG_MS = 60000 };

struct place {
    uv_loop_t loop;
    struct raw_server raw;
    struct url url; /* Of the raw server. */
};

/* What a call's callbacks have told. */
struct seen {
    struct http_call *call;
    unsigned told; /* Callbacks of either kind. */
    int status;    /* 0: failed. */
    char body[BODY_MAX + 1];
    char reason[256];
    bool cancel; /* In the callback. */
};

static void count(struct seen *seen)
{
    seen->told++;
    if (seen->cancel)
        http_call_cancel(seen->call);
}

static void on_response(void *context, int status, struct slice body)
{
    struct seen *seen = context;
    assert_true(body.length <= BODY_MAX);
    seen->status = status;
    (void)snprintf(seen->body, sizeof seen->body, "%.*s", (int)body.length, body.data);
    count(seen);
}

static void on_failure(void *context, const char *reason)
{
    struct seen *seen = context;
    (void)snprintf(seen->reason, sizeof seen->reason, "%s", reason);
    count(seen);
}

static struct http_call_options options_for(const struct place *place, struct seen *seen)
{
    return (struct http_call_options){
        .url = &place->url,
        .method = "POST",
        .content_type = "application/json",
        .body = slice_of("{}"),
        .timeout_ms = LONG_MS,
        .response_max = BODY_MAX,
        .on_response = on_response,
        .on_failure = on_failure,
        .context = seen,
    };
}

static void start(struct place *place, struct seen *seen, const struct http_call_options *options)
{
    struct error error;
    seen->call = http_call_start(&place->loop, options, &error);
    if (seen->call == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(seen->told, 0);
}

static void call(struct place *place, struct seen *seen)
{
    const struct http_call_options options = options_for(place, seen);
    start(place, seen, &options);
    raw_wait_for(&place->raw, &seen->told, 1);
    assert_int_equal(seen->told, 1);
}

static void expect_reason(const struct seen *seen, size_t row, const char *reason)
{
    if (seen->status != 0 || strstr(seen->reason, reason) == NULL)
        fail_msg("row %zu: status %d, %s", row, seen->status, seen->reason);
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    assert_int_equal(uv_loop_init(&place->loop), 0);
    raw_server_start(&place->raw, &place->loop);
    place->url = (struct url){.scheme = "http", .host = "127.0.0.1", .port = place->raw.port};
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    raw_server_stop(&place->raw);
    assert_int_equal(uv_run(&place->loop, UV_RUN_NOWAIT), 0);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    free(place);
    return 0;
}

/* Answers with what it was asked. */
static void on_echo(void *context, struct http_exchange *exchange,
                    const struct http_request *request)
{
    char text[256];
    (void)context;
    const int length = snprintf(
        text, sizeof text, "%.*s %.*s %.*s %.*s %.*s", (int)request->method.length,
        request->method.data, (int)request->path.length, request->path.data,
        (int)request->query.length, request->query.data, (int)request->authorization.length,
        request->authorization.data, (int)request->body.length, request->body.data);
    http_respond(exchange, &(struct http_response){
                               .status = 202,
                               .body = {text, (size_t)length},
                           });
}

static void on_gone(void *context, struct http_exchange *exchange)
{
    (void)context;
    (void)exchange;
}

static void on_counted(void *context)
{
    (*(unsigned *)context)++;
}

static void a_server_of_our_own_is_asked_and_answers(void **state)
{
    struct place *place = *state;
    const struct http_handlers handlers = {.on_request = on_echo, .on_gone = on_gone};
    const struct http_limits limits = http_limits_default();
    struct seen seen = {0};
    struct error error;
    unsigned closed = 0;
    char text[96];
    struct http_server *server =
        http_server_create(&place->loop, "127.0.0.1", 0, &handlers, &limits, &quiet, &error);
    assert_non_null(server);
    (void)snprintf(text, sizeof text, "http://user:p%%20w@localhost:%u/rpc?x=1#part",
                   http_server_port(server));
    assert_true(url_parse(text, &place->url, &error));
    call(place, &seen);
    assert_string_equal(seen.reason, "");
    assert_int_equal(seen.status, 202);
    assert_string_equal(seen.body, "POST /rpc x=1 Basic dXNlcjpwIHc= {}");
    http_server_close(server, on_counted, &closed);
    raw_wait_for(&place->raw, &closed, 1);
}

static void the_request_is_complete(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    char expected[256];
    struct seen second = {0};
    struct http_call_options options = options_for(place, &second);
    place->raw.answer = (struct raw_answer){.bytes = slice_of("HTTP/1.1 204 No Content\r\n\r\n")};
    call(place, &seen);
    (void)snprintf(expected, sizeof expected,
                   "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                   "Content-Length: 2\r\nConnection: close\r\n\r\n",
                   place->raw.port);
    assert_string_equal(place->raw.head, expected);
    assert_int_equal(place->raw.received_length, 2);
    assert_memory_equal(place->raw.received, "{}", 2);
    options.method = "GET";
    options.content_type = NULL;
    options.body = (struct slice){NULL, 0};
    start(place, &second, &options);
    raw_wait_for(&place->raw, &second.told, 1);
    (void)snprintf(expected, sizeof expected,
                   "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 0\r\n"
                   "Connection: close\r\n\r\n",
                   place->raw.port);
    assert_string_equal(place->raw.head, expected);
}

static void every_form_of_answer_is_read(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *bytes;
        enum raw_ending ending;
        int status;
        const char *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", RAW_STAY, 200, "hello"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", RAW_STAY, 200, "hello"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n"
         "Trailer: x\r\n\r\n",
         RAW_STAY, 200, "hello"},
        {"HTTP/1.0 200 OK\r\n\r\nhello", RAW_CLOSE, 200, "hello"},
        {"HTTP/1.1 500 Oops\r\n\r\n", RAW_CLOSE, 500, ""},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", RAW_STAY, 404, ""},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", RAW_STAY, 204, ""},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         RAW_STAY, 200, "ok"},
        {"HTTP/1.1 302 Found\r\nLocation: http://localhost/\r\nContent-Length: 0\r\n\r\n", RAW_STAY,
         302, ""},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const size_t row = i / 2;
        struct seen seen = {0};
        place->raw.answer = (struct raw_answer){
            .bytes = slice_of(rows[row].bytes), .ending = rows[row].ending, .bytewise = i % 2 == 1};
        call(place, &seen);
        if (seen.status != rows[row].status || strcmp(seen.body, rows[row].body) != 0)
            fail_msg("row %zu: %d %s %s", row, seen.status, seen.body, seen.reason);
    }
}

static void a_wrong_answer_is_a_failure(void **state)
{
    struct place *place = *state;
    static const char early[] = "closed the connection before the end";
    static const struct {
        const char *bytes;
        enum raw_ending ending;
        const char *reason;
    } rows[] = {
        {"", RAW_CLOSE, early},
        {"", RAW_RESET, "reset"},
        {"HTTP/1.1 200", RAW_CLOSE, early},
        {"HTTP/1.1 200 OK\r\nContent-Le", RAW_CLOSE, early},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", RAW_CLOSE, early},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", RAW_CLOSE, early},
        {"HTTP/1.1 100 Continue\r\n\r\n", RAW_CLOSE, early},
        {"\x16\x03\x01 this is no HTTP", RAW_STAY, "malformed"},
        {"HTTP/1.1 abc OK\r\n\r\n", RAW_STAY, "malformed"},
        {"HTTP/1.1 200 OK\r\nno header\r\n\r\n", RAW_STAY, "malformed"},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", RAW_STAY, "malformed"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", RAW_STAY,
         "malformed"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", RAW_STAY, "malformed"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", RAW_STAY, "malformed"},
        {"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n", RAW_STAY, "status is none"},
        {"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", RAW_STAY, "status is none"},
        {"HTTP/1.1 101 OK\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", RAW_STAY, "protocol"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", RAW_STAY, "more than 64 bytes"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n0123456789012345678"
         "9012345678901234567890123456789012345678901234567890",
         RAW_STAY, "more than 64 bytes"},
        {"HTTP/1.1 200 OK\r\n\r\n0123456789012345678901234567890123456789012345678901234567890123"
         "4",
         RAW_STAY, "more than 64 bytes"},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const size_t row = i / 2;
        struct seen seen = {.cancel = true};
        place->raw.answer = (struct raw_answer){
            .bytes = slice_of(rows[row].bytes), .ending = rows[row].ending, .bytewise = i % 2 == 1};
        call(place, &seen);
        expect_reason(&seen, row, rows[row].reason);
    }
}

static void a_head_without_end_is_a_failure(void **state)
{
    struct place *place = *state;
    enum { SIZE = 200000 };
    static const char start_of_head[] = "HTTP/1.1 200 OK\r\nX: ";
    struct seen seen = {0};
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    memset(bytes, 'a', SIZE);
    memcpy(bytes, start_of_head, sizeof start_of_head - 1);
    place->raw.answer = (struct raw_answer){.bytes = {bytes, SIZE}};
    call(place, &seen);
    expect_reason(&seen, 0, "malformed");
    free(bytes);
}

static void a_host_that_is_not_there_is_a_failure(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *host;
        const char *reason;
    } rows[] = {
        {"127.0.0.1", "connection refused"},
        {"localhost", "connection refused"},
        {"no such host", "host no such host not found: "},
    };
    raw_server_refuse(&place->raw);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen = {0};
        (void)snprintf(place->url.host, sizeof place->url.host, "%s", rows[i].host);
        call(place, &seen);
        expect_reason(&seen, i, rows[i].reason);
    }
}

static void an_answer_that_takes_too_long_is_a_failure(void **state)
{
    struct place *place = *state;
    static const struct raw_answer rows[] = {
        {.silent = true},
        {.bytes = {"HTTP/1.1 200 OK\r\n", 17}},
        {.bytes = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 42}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen = {0};
        struct http_call_options options = options_for(place, &seen);
        options.timeout_ms = 50;
        place->raw.answer = rows[i];
        start(place, &seen, &options);
        raw_wait_for(&place->raw, &seen.told, 1);
        expect_reason(&seen, i, "no complete answer within 50 ms");
    }
    /* Even before the name has been looked up. */
    struct seen seen = {0};
    struct http_call_options options = options_for(place, &seen);
    options.timeout_ms = 0;
    start(place, &seen, &options);
    raw_wait_for(&place->raw, &seen.told, 1);
    assert_int_equal(seen.status, 0);
}

static void a_call_given_up_is_silent_at_any_moment(void **state)
{
    struct place *place = *state;
    place->raw.answer = (struct raw_answer){
        .bytes = slice_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), .bytewise = true};
    for (unsigned steps = 0; steps < 40; steps++) {
        struct seen seen = {0};
        struct seen after = {0};
        const struct http_call_options options = options_for(place, &seen);
        start(place, &seen, &options);
        for (unsigned step = 0; step < steps && seen.told == 0; step++)
            (void)uv_run(&place->loop, UV_RUN_ONCE);
        const unsigned told = seen.told;
        if (told == 0)
            http_call_cancel(seen.call);
        call(place, &after); /* the loop runs on */
        assert_int_equal(seen.told, told);
    }
}

static void what_cannot_be_sent_is_refused_at_once(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *url;
        const char *reason;
    } rows[] = {
        {"https://127.0.0.1/", "needs a proxy"},
        {"ws://127.0.0.1/", "needs a proxy"},
        {"http://127.0.0.1/a b", "spaces or control"},
        {"http://127.0.0.1/a\r\nX: y", "spaces or control"},
        {"http://a%3Ab:c@127.0.0.1/", "colon"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen = {0};
        struct error error;
        const struct http_call_options options = options_for(place, &seen);
        assert_true(url_parse(rows[i].url, &place->url, &error));
        assert_null(http_call_start(&place->loop, &options, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        assert_non_null(strstr(error.text, rows[i].reason));
    }
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(a_server_of_our_own_is_asked_and_answers),
        WITH_PLACE(the_request_is_complete),
        WITH_PLACE(every_form_of_answer_is_read),
        WITH_PLACE(a_wrong_answer_is_a_failure),
        WITH_PLACE(a_head_without_end_is_a_failure),
        WITH_PLACE(a_host_that_is_not_there_is_a_failure),
        WITH_PLACE(an_answer_that_takes_too_long_is_a_failure),
        WITH_PLACE(a_call_given_up_is_silent_at_any_moment),
        WITH_PLACE(what_cannot_be_sent_is_refused_at_once),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
