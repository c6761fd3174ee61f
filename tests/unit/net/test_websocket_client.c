#include "test.h"

#include "net/http_server.h"
#include "net/websocket_client.h"
#include "raw_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};

enum { MESSAGE_MAX = 70000, LONG_MS = 60000 };

struct place {
    uv_loop_t loop;
    struct raw_server raw;
    struct url url; /* Of the raw server. */
};

/* What a client's callbacks have told. */
struct seen {
    struct websocket_client *client;
    unsigned opened;
    unsigned lost;
    unsigned texts;
    unsigned closed;
    char reason[256];
    char text[MESSAGE_MAX];
    size_t text_length;
    bool echo;          /* Texts are sent back. */
    unsigned *close_at; /* One of the counters above: its callback closes the client. */
};

static void on_closed(void *context)
{
    struct seen *seen = context;
    seen->closed++;
    seen->client = NULL;
}

static void count(struct seen *seen, unsigned *counter)
{
    assert_int_equal(seen->closed, 0);
    (*counter)++;
    if (counter == seen->close_at)
        websocket_client_close(seen->client, on_closed, seen);
}

static void on_open(void *context)
{
    struct seen *seen = context;
    count(seen, &seen->opened);
}

static void on_lost(void *context, const char *reason)
{
    struct seen *seen = context;
    assert_false(websocket_client_send(seen->client, slice_of("too late")));
    (void)snprintf(seen->reason, sizeof seen->reason, "%s", reason);
    count(seen, &seen->lost);
}

static void on_text(void *context, struct slice text)
{
    struct seen *seen = context;
    assert_true(text.length <= MESSAGE_MAX);
    if (text.length > 0)
        memcpy(seen->text, text.data, text.length);
    seen->text_length = text.length;
    if (seen->echo)
        assert_true(websocket_client_send(seen->client, text));
    count(seen, &seen->texts);
}

static struct websocket_client_options options_for(const struct place *place, struct seen *seen)
{
    return (struct websocket_client_options){
        .url = &place->url,
        .ping_ms = LONG_MS,
        .retry_min_ms = LONG_MS,
        .retry_max_ms = LONG_MS,
        .message_bytes_max = MESSAGE_MAX,
        .on_open = on_open,
        .on_lost = on_lost,
        .on_text = on_text,
        .context = seen,
    };
}

static void create(struct place *place, struct seen *seen,
                   const struct websocket_client_options *options)
{
    struct error error;
    seen->client = websocket_client_create(&place->loop, options, &quiet, &error);
    if (seen->client == NULL)
        fail_msg("%s", error.text);
}

static void close_client(struct place *place, struct seen *seen)
{
    websocket_client_close(seen->client, on_closed, seen);
    raw_wait_for(&place->raw, &seen->closed, 1);
}

static struct seen *create_seen(void)
{
    struct seen *seen = calloc(1, sizeof *seen);
    assert_non_null(seen);
    return seen;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    assert_int_equal(uv_loop_init(&place->loop), 0);
    raw_server_start(&place->raw, &place->loop);
    place->raw.answer.handshake = true;
    place->url = (struct url){
        .scheme = "ws", .host = "127.0.0.1", .port = place->raw.port, .path = "/feed?x=1"};
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

/* A server of our own, which sends texts back. */
struct echo {
    struct http_server *server;
    unsigned opened;
    unsigned gone;
    unsigned closed;
};

static bool on_echo_upgrade(void *context, const struct http_request *request)
{
    (void)context;
    return slice_is(request->path, "/feed") && slice_is(request->query, "x=1") &&
           slice_is(request->authorization, "Basic dTpw");
}

static void on_echo_open(void *context, struct websocket *socket,
                         const struct http_request *request)
{
    struct echo *echo = context;
    (void)socket;
    (void)request;
    echo->opened++;
}

static void on_echo_message(void *context, struct websocket *socket, struct slice text)
{
    (void)context;
    websocket_send(socket, text);
}

static void on_echo_close(void *context, struct websocket *socket)
{
    struct echo *echo = context;
    (void)socket;
    echo->gone++;
}

static void on_echo_server_closed(void *context)
{
    struct echo *echo = context;
    echo->closed++;
}

static void start_echo(struct place *place, struct echo *echo)
{
    const struct http_handlers handlers = {
        .on_upgrade = on_echo_upgrade,
        .on_open = on_echo_open,
        .on_message = on_echo_message,
        .on_close = on_echo_close,
        .context = echo,
    };
    struct http_limits limits = http_limits_default();
    struct error error;
    limits.message_bytes = MESSAGE_MAX;
    *echo = (struct echo){0};
    echo->server =
        http_server_create(&place->loop, "127.0.0.1", 0, &handlers, &limits, &quiet, &error);
    assert_non_null(echo->server);
    place->url.port = http_server_port(echo->server);
    (void)strcpy(place->url.user, "u");
    (void)strcpy(place->url.password, "p");
}

static void texts_of_every_size_reach_our_own_server_and_back(void **state)
{
    struct place *place = *state;
    static const size_t sizes[] = {0, 1, 125, 126, 4096, 65535, 65536, MESSAGE_MAX};
    static char text[MESSAGE_MAX];
    struct echo echo;
    struct seen *seen = create_seen();
    start_echo(place, &echo);
    const struct websocket_client_options options = options_for(place, seen);
    create(place, seen, &options);
    assert_false(websocket_client_send(seen->client, slice_of("too early")));
    raw_wait_for(&place->raw, &seen->opened, 1);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        assert_true(websocket_client_send(seen->client, (struct slice){text, sizes[i]}));
        raw_wait_for(&place->raw, &seen->texts, i + 1);
        assert_int_equal(seen->text_length, sizes[i]);
        assert_memory_equal(seen->text, text, sizes[i]);
    }
    close_client(place, seen);
    raw_wait_for(&place->raw, &echo.gone, 1);
    assert_int_equal(seen->opened, 1);
    assert_int_equal(seen->lost, 0);
    http_server_close(echo.server, on_echo_server_closed, &echo);
    raw_wait_for(&place->raw, &echo.closed, 1);
    free(seen);
}

static void a_server_that_says_goodbye_is_lost_and_asked_again(void **state)
{
    struct place *place = *state;
    struct echo echo;
    struct seen *seen = create_seen();
    start_echo(place, &echo);
    struct websocket_client_options options = options_for(place, seen);
    options.retry_min_ms = 1;
    options.retry_max_ms = 8;
    create(place, seen, &options);
    raw_wait_for(&place->raw, &seen->opened, 1);
    http_server_close(echo.server, on_echo_server_closed, &echo);
    raw_wait_for(&place->raw, &seen->lost, 1);
    assert_string_equal(seen->reason, "the server closed the WebSocket with code 1001");
    raw_wait_for(&place->raw, &seen->lost, 3);
    assert_string_equal(seen->reason, "cannot connect: connection refused");
    raw_wait_for(&place->raw, &echo.closed, 1);
    close_client(place, seen);
    free(seen);
}

static void the_handshake_is_complete_and_its_key_new_each_time(void **state)
{
    struct place *place = *state;
    struct seen *seen = create_seen();
    char keys[2][25] = {0};
    char expected[256];
    struct websocket_client_options options = options_for(place, seen);
    options.retry_min_ms = 1;
    place->raw.answer.ending = RAW_CLOSE;
    create(place, seen, &options);
    for (unsigned i = 0; i < 2; i++) {
        raw_wait_for(&place->raw, &seen->opened, i + 1);
        const char *key = strstr(place->raw.head, "Sec-WebSocket-Key: ");
        assert_non_null(key);
        memcpy(keys[i], key + 19, 24);
        (void)snprintf(expected, sizeof expected,
                       "GET /feed?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: %s\r\n\r\n",
                       place->raw.port, keys[i]);
        assert_string_equal(place->raw.head, expected);
        if (i == 0)
            raw_wait_for(&place->raw, &seen->lost, 1);
    }
    assert_string_not_equal(keys[0], keys[1]);
    close_client(place, seen);
    free(seen);
}

/* Runs one attempt or connection to its loss. */
static void expect_loss(struct place *place, size_t row, unsigned opened, const char *reason)
{
    struct seen *seen = create_seen();
    struct websocket_client_options options = options_for(place, seen);
    options.message_bytes_max = 16;
    create(place, seen, &options);
    raw_wait_for(&place->raw, &seen->lost, 1);
    if (strstr(seen->reason, reason) == NULL || seen->opened != opened)
        fail_msg("row %zu: opened %u, %s", row, seen->opened, seen->reason);
    assert_int_equal(seen->texts, 0);
    close_client(place, seen);
    free(seen);
}

#define UPGRADE "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

static void a_wrong_answer_to_the_handshake_is_refused(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *bytes;
        enum raw_ending ending;
        const char *reason;
    } rows[] = {
        {"", RAW_CLOSE, "closed the connection"},
        {"", RAW_RESET, "reset"},
        {"HTTP/1.1 101 Swi", RAW_CLOSE, "closed the connection"},
        {UPGRADE, RAW_CLOSE, "closed the connection"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot found", RAW_STAY, "status 404"},
        {"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", RAW_STAY,
         "status 200"},
        {"HTTP/1.1 100 Continue\r\n\r\n" UPGRADE "\r\n", RAW_STAY, "status 100"},
        {"\x81\x02hi", RAW_STAY, "in HTTP"},
        {"SSH-2.0-OpenSSH\r\n", RAW_STAY, "in HTTP"},
        {UPGRADE "\r\n", RAW_STAY, "another client"},
        {UPGRADE "Sec-WebSocket-Accept:\r\n\r\n", RAW_STAY, "another client"},
        {UPGRADE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", RAW_STAY,
         "another client"},
        {UPGRADE "Sec-WebSocket-Accept: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
         RAW_STAY, "another client"},
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n", RAW_STAY, "does not upgrade"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", RAW_STAY, "does not upgrade"},
        {"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", RAW_STAY,
         "does not upgrade"},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const size_t row = i / 2;
        place->raw.answer = (struct raw_answer){
            .bytes = slice_of(rows[row].bytes), .ending = rows[row].ending, .bytewise = i % 2 == 1};
        expect_loss(place, row, 0, rows[row].reason);
    }
}

static void an_extension_that_nobody_asked_for_is_refused(void **state)
{
    struct place *place = *state;
    static const char *const rows[] = {
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "sec-websocket-protocol: soap\r\n",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        place->raw.answer.headers = rows[i];
        expect_loss(place, i, 0, "nobody asked for");
    }
    /* Twice the right key is none. */
    place->raw.answer.headers = "Sec-WebSocket-Accept: x\r\n";
    expect_loss(place, COUNT(rows), 0, "another client");
}

static void a_head_without_end_is_refused(void **state)
{
    struct place *place = *state;
    enum { SIZE = 9000 };
    static char bytes[SIZE];
    memset(bytes, 'a', SIZE);
    memcpy(bytes, UPGRADE, sizeof UPGRADE - 1);
    place->raw.answer = (struct raw_answer){.bytes = {bytes, SIZE}};
    expect_loss(place, 0, 0, "more than 8192 bytes");
}

#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static void frames_that_break_the_protocol_end_the_connection(void **state)
{
    struct place *place = *state;
    static const char broke[] = "broke the WebSocket protocol";
    static const char large[] = "more than 16 bytes";
    static const struct {
        struct slice bytes;
        const char *reason;
    } rows[] = {
        {BYTES("\x81\x82"
               "aaaahi"),
         "masked"},
        {BYTES("\x89\x80"
               "aaaa"),
         "masked"},
        {BYTES("\x81\x11x"), large},
        {BYTES("\x81\x7e\xff\xffx"), large},
        {BYTES("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx"), large},
        {BYTES("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), broke},
        {BYTES("\x82\x7f\0\0\0\x01\0\0\0\0x"), large},
        {BYTES("\x01\x0a"
               "0123456789\x80\x07"
               "0123456"),
         large},
        {BYTES("\x81\x7e\0\x02hi"), broke}, /* longer than the shortest form */
        {BYTES("\xc1\x02hi"), broke},       /* a reserved bit */
        {BYTES("\x83\x02hi"), broke},       /* an unknown opcode */
        {BYTES("\x80\x02hi"), broke},       /* a continuation of nothing */
        {BYTES("\x01\x02hi\x81\x02hi"), broke},
        {BYTES("\x09\x02hi"), broke},              /* a ping in fragments */
        {BYTES("\x89\x7e\0\x7e"), broke},          /* a ping of 126 bytes */
        {BYTES("\x88\x01\x03"), "with code 1005"}, /* half a code counts as none */
        {BYTES("\x88\x02\x03\xed"), broke},        /* 1005 is never sent */
        {BYTES("\x81\x02\xc3\x28"), "UTF-8"},
        {BYTES("\x01\x01\xc3\x80\x01\x28"), "UTF-8"},
        {BYTES("\x88\x02\x03\xe8"), "closed the WebSocket with code 1000"},
        {BYTES("\x88\x05\x03\xe9"
               "bye"),
         "closed the WebSocket with code 1001"},
        {BYTES("\x88\0"), "closed the WebSocket with code 1005"},
        {BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), ""},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const size_t row = i / 2;
        place->raw.answer = (struct raw_answer){
            .handshake = true, .bytes = rows[row].bytes, .bytewise = i % 2 == 1};
        expect_loss(place, row, 1, rows[row].reason);
    }
}

static void a_lost_connection_is_told_with_its_cause(void **state)
{
    struct place *place = *state;
    place->raw.answer.bytes = (struct slice)BYTES("\x81\x08half");
    place->raw.answer.ending = RAW_CLOSE;
    expect_loss(place, 0, 1, "the server closed the connection");
    place->raw.answer.ending = RAW_RESET;
    place->raw.answer.bytewise = true;
    expect_loss(place, 1, 1, "connection"); /* the kernel may tell a reset as an end */
}

static void texts_come_whole_however_they_are_sent(void **state)
{
    struct place *place = *state;
    static const struct slice rows[] = {
        BYTES("\x81\x05hello"), BYTES("\x01\x02he\x80\x03llo"),
        BYTES("\x01\x02he\0\0\x89\x02pi\0\x02ll\x8a\0\x80\x01o"),
        BYTES("\x82\x03\xff\xff\xff\x02\0\x80\x01x\x81\x05hello"), /* after binary ones */
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        struct seen *seen = create_seen();
        const struct websocket_client_options options = options_for(place, seen);
        place->raw.answer.bytes = rows[i / 2];
        place->raw.answer.bytewise = i % 2 == 1;
        create(place, seen, &options);
        raw_wait_for(&place->raw, &seen->texts, 1);
        assert_int_equal(seen->text_length, 5);
        assert_memory_equal(seen->text, "hello", 5);
        assert_int_equal(seen->opened, 1);
        close_client(place, seen);
        assert_int_equal(seen->lost, 0);
        free(seen);
    }
}

/* The payload of a frame of up to 125 bytes that the raw server has received; it must be masked. */
static size_t unmask(const char *frame, uint8_t first, char *out)
{
    const size_t length = (uint8_t)frame[1] & 0x7f;
    assert_int_equal((uint8_t)frame[0], first);
    assert_int_equal((uint8_t)frame[1] & 0x80, 0x80);
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(frame[6 + i] ^ frame[2 + i % 4]);
    return length;
}

static void pings_texts_and_goodbyes_are_answered_masked(void **state)
{
    struct place *place = *state;
    static const struct {
        struct slice bytes;
        uint8_t first; /* Byte of the answer. */
        struct slice payload;
    } rows[] = {
        {BYTES("\x89\x04ping"), 0x8a, BYTES("ping")},
        {BYTES("\x81\x04text"), 0x81, BYTES("text")},
        {BYTES("\x88\x02\x03\xe9"), 0x88, BYTES("\x03\xe9")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char payload[128];
        struct seen *seen = create_seen();
        const struct websocket_client_options options = options_for(place, seen);
        place->raw.answer.bytes = rows[i].bytes;
        seen->echo = true;
        create(place, seen, &options);
        raw_wait_for(&place->raw, &seen->opened, 1);
        raw_wait_for(&place->raw, &place->raw.received_length,
                     6 + (unsigned)rows[i].payload.length);
        assert_int_equal(unmask(place->raw.received, rows[i].first, payload),
                         rows[i].payload.length);
        assert_memory_equal(payload, rows[i].payload.data, rows[i].payload.length);
        close_client(place, seen);
        free(seen);
    }
}

static void a_close_says_goodbye(void **state)
{
    struct place *place = *state;
    char payload[128];
    struct seen *seen = create_seen();
    const struct websocket_client_options options = options_for(place, seen);
    create(place, seen, &options);
    raw_wait_for(&place->raw, &seen->opened, 1);
    close_client(place, seen);
    raw_wait_for(&place->raw, &place->raw.received_length, 8);
    assert_int_equal(unmask(place->raw.received, 0x88, payload), 2);
    assert_memory_equal(payload, "\x03\xe8", 2);
    free(seen);
}

static void a_silent_server_is_lost(void **state)
{
    struct place *place = *state;
    static const struct {
        struct raw_answer answer;
        unsigned opened;
        const char *reason;
    } rows[] = {
        {{.silent = true}, 0, "does not answer the handshake"},
        {{.bytes = BYTES("HTTP/1.1 101 Sw")}, 0, "does not answer the handshake"},
        {{.handshake = true}, 1, "nothing came for "},
        {{.handshake = true, .bytes = BYTES("\x81\x05hel")}, 1, "nothing came for "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen *seen = create_seen();
        struct websocket_client_options options = options_for(place, seen);
        options.ping_ms = 30;
        place->raw.answer = rows[i].answer;
        create(place, seen, &options);
        raw_wait_for(&place->raw, &seen->lost, 1);
        if (seen->opened != rows[i].opened || strstr(seen->reason, rows[i].reason) == NULL)
            fail_msg("row %zu: opened %u, %s", i, seen->opened, seen->reason);
        close_client(place, seen);
        free(seen);
    }
}

static void a_server_that_answers_pings_is_kept(void **state)
{
    struct place *place = *state;
    struct seen *seen = create_seen();
    struct websocket_client_options options = options_for(place, seen);
    options.ping_ms = 200;
    place->raw.answer.pongs = true;
    create(place, seen, &options);
    raw_wait_for(&place->raw, &place->raw.pings, 5);
    assert_int_equal(seen->opened, 1);
    assert_int_equal(seen->lost, 0);
    close_client(place, seen);
    free(seen);
}

static void pauses_grow_until_the_server_accepts(void **state)
{
    struct place *place = *state;
    struct seen *seen = create_seen();
    struct websocket_client_options options = options_for(place, seen);
    options.retry_min_ms = 8;
    options.retry_max_ms = 64;
    place->raw.answer = (struct raw_answer){.ending = RAW_CLOSE};
    uv_update_time(&place->loop);
    const uint64_t begin_ms = uv_now(&place->loop);
    create(place, seen, &options);
    raw_wait_for(&place->raw, &seen->lost, 6);
    assert_true(uv_now(&place->loop) - begin_ms >= 4 + 8 + 16 + 32 + 32);
    assert_int_equal(seen->opened, 0);
    place->raw.answer.handshake = true;
    raw_wait_for(&place->raw, &seen->opened, 3);
    close_client(place, seen);
    free(seen);
}

static void causes_in_the_network_are_told_apart(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *host;
        const char *reason;
    } rows[] = {
        {"127.0.0.1", "cannot connect: connection refused"},
        {"localhost", "cannot connect: connection refused"},
        {"no such host", "host no such host not found: "},
    };
    raw_server_refuse(&place->raw);
    for (size_t i = 0; i < COUNT(rows); i++) {
        (void)snprintf(place->url.host, sizeof place->url.host, "%s", rows[i].host);
        expect_loss(place, i, 0, rows[i].reason);
    }
}

static void a_close_is_silent_at_any_moment(void **state)
{
    struct place *place = *state;
    place->raw.answer.bytes = (struct slice)BYTES("\x01\x02he\x80\x03llo\x88\x02\x03\xe9");
    place->raw.answer.bytewise = true;
    for (unsigned steps = 0; steps < 60; steps++) {
        struct seen *seen = create_seen();
        const struct websocket_client_options options = options_for(place, seen);
        create(place, seen, &options);
        for (unsigned step = 0; step < 4 * steps && seen->lost == 0; step++)
            (void)uv_run(&place->loop, UV_RUN_ONCE);
        close_client(place, seen);
        (void)uv_run(&place->loop, UV_RUN_NOWAIT);
        assert_int_equal(seen->closed, 1);
        free(seen);
    }
}

static void a_client_may_be_closed_in_any_callback(void **state)
{
    struct place *place = *state;
    enum { CALLBACKS = 3 };
    place->raw.answer.bytes = (struct slice)BYTES("\x81\x02hi\x81\x02hi\x89\0\x88\x02\x03\xe9");
    for (int callback = 0; callback < CALLBACKS; callback++) {
        struct seen *seen = create_seen();
        unsigned *const counters[CALLBACKS] = {&seen->opened, &seen->texts, &seen->lost};
        const struct websocket_client_options options = options_for(place, seen);
        seen->echo = callback != 2;
        seen->close_at = counters[callback];
        create(place, seen, &options);
        raw_wait_for(&place->raw, &seen->closed, 1);
        assert_int_equal(*seen->close_at, 1);
        free(seen);
    }
}

static void what_is_unsent_is_bounded(void **state)
{
    struct place *place = *state;
    enum { SIZE = 10000, SANE_MAX = 64 * 1024 * 1024, LARGE = 1024 * 1024 + 1 };
    static char text[LARGE];
    struct seen *seen = create_seen();
    const struct websocket_client_options options = options_for(place, seen);
    size_t accepted = 0;
    memset(text, 'a', sizeof text);
    place->raw.answer.ending = RAW_DEAF;
    create(place, seen, &options);
    raw_wait_for(&place->raw, &seen->opened, 1);
    raw_wait_for(&place->raw, &place->raw.answered, 1);
    assert_false(websocket_client_send(seen->client, (struct slice){text, LARGE}));
    while (websocket_client_send(seen->client, (struct slice){text, SIZE})) {
        accepted += SIZE;
        assert_true(accepted < SANE_MAX); /* the kernel's buffers and 1 MiB */
    }
    assert_true(accepted >= 1000000);
    assert_int_equal(seen->lost, 0);
    close_client(place, seen);
    free(seen);
}

static void sending_on_a_broken_connection_is_told_from_the_loop(void **state)
{
    struct place *place = *state;
    struct seen *seen = create_seen();
    const struct websocket_client_options options = options_for(place, seen);
    place->raw.answer.ending = RAW_RESET;
    create(place, seen, &options);
    raw_wait_for(&place->raw, &seen->opened, 1);
    /* The kernel knows of the reset sooner than the client, which has not looked. */
    while (websocket_client_send(seen->client, slice_of("text")))
        if (place->raw.answered == 0)
            (void)uv_run(&place->loop, UV_RUN_ONCE);
    assert_true(seen->lost <= 1);
    raw_wait_for(&place->raw, &seen->lost, 1);
    close_client(place, seen);
    assert_int_equal(seen->lost, 1);
    free(seen);
}

static void what_cannot_be_reached_is_refused_at_once(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *url;
        const char *reason;
    } rows[] = {
        {"wss://127.0.0.1/", "needs a proxy"},
        {"http://127.0.0.1/", "needs a proxy"},
        {"ws://127.0.0.1/a b", "spaces or control"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error error;
        const struct websocket_client_options options = options_for(place, NULL);
        assert_true(url_parse(rows[i].url, &place->url, &error));
        assert_null(websocket_client_create(&place->loop, &options, &quiet, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        assert_non_null(strstr(error.text, rows[i].reason));
    }
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(texts_of_every_size_reach_our_own_server_and_back),
        WITH_PLACE(a_server_that_says_goodbye_is_lost_and_asked_again),
        WITH_PLACE(the_handshake_is_complete_and_its_key_new_each_time),
        WITH_PLACE(a_wrong_answer_to_the_handshake_is_refused),
        WITH_PLACE(an_extension_that_nobody_asked_for_is_refused),
        WITH_PLACE(a_head_without_end_is_refused),
        WITH_PLACE(frames_that_break_the_protocol_end_the_connection),
        WITH_PLACE(a_lost_connection_is_told_with_its_cause),
        WITH_PLACE(texts_come_whole_however_they_are_sent),
        WITH_PLACE(pings_texts_and_goodbyes_are_answered_masked),
        WITH_PLACE(a_close_says_goodbye),
        WITH_PLACE(a_silent_server_is_lost),
        WITH_PLACE(a_server_that_answers_pings_is_kept),
        WITH_PLACE(pauses_grow_until_the_server_accepts),
        WITH_PLACE(causes_in_the_network_are_told_apart),
        WITH_PLACE(a_close_is_silent_at_any_moment),
        WITH_PLACE(a_client_may_be_closed_in_any_callback),
        WITH_PLACE(what_is_unsent_is_bounded),
        WITH_PLACE(sending_on_a_broken_connection_is_told_from_the_loop),
        WITH_PLACE(what_cannot_be_reached_is_refused_at_once),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
