#include "certificate.h"

#include "net/http_server.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LARGE = 48 << 20,   /* More than all sockets on the way hold. */
    HELD_MAX = 40 << 20 /* What those may hold. */
};

/* A server in a thread of its own, whose tunnels lead to a listener of the test's. */
struct setup {
    uv_loop_t loop;
    uv_async_t stop;
    pthread_t thread;
    struct http_server *server;
    struct tls_server *tls;
    struct listen_address target;
    int listener;
    SSL_CTX *context;
};

/* One end of a connection, encrypted or not. */
struct end {
    int socket;
    SSL *ssl;
};

static bool on_upgrade(void *context, const struct http_request *request)
{
    (void)context;
    (void)request;
    return false;
}

static const struct listen_address *on_tunnel(void *context, const struct http_request *request)
{
    const struct setup *setup = context;
    return slice_is(request->path, "/t") ? &setup->target : NULL;
}

static void on_stop(uv_async_t *stop)
{
    struct setup *setup = stop->data;
    uv_close((uv_handle_t *)stop, NULL);
    http_server_close(setup->server, NULL, NULL);
}

static void *run_loop(void *context)
{
    struct setup *setup = context;
    (void)uv_run(&setup->loop, UV_RUN_DEFAULT);
    return NULL;
}

static uint16_t listen_somewhere(int *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(*listener, 8), 0);
    assert_int_equal(getsockname(*listener, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static void open_setup(struct setup *setup, const struct certificate_files *files)
{
    const struct http_handlers handlers = {
        .on_upgrade = on_upgrade, .on_tunnel = on_tunnel, .context = setup};
    const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};
    const struct http_limits limits = http_limits_default();
    struct error error;
    *setup = (struct setup){.target = {.host = "127.0.0.1"}};
    (void)signal(SIGPIPE, SIG_IGN);
    setup->target.port = listen_somewhere(&setup->listener);
    assert_int_equal(uv_loop_init(&setup->loop), 0);
    assert_int_equal(uv_async_init(&setup->loop, &setup->stop, on_stop), 0);
    setup->stop.data = setup;
    setup->server =
        http_server_create(&setup->loop, "127.0.0.1", 0, &handlers, &limits, &quiet, &error);
    assert_non_null(setup->server);
    if (files != NULL) {
        setup->tls = tls_server_create(files->certificate, files->key, &error);
        setup->context = SSL_CTX_new(TLS_client_method());
        assert_non_null(setup->tls);
        assert_non_null(setup->context);
        http_server_use_tls(setup->server, setup->tls);
    }
    assert_int_equal(pthread_create(&setup->thread, NULL, run_loop, setup), 0);
}

static void close_setup(struct setup *setup)
{
    assert_int_equal(uv_async_send(&setup->stop), 0);
    assert_int_equal(pthread_join(setup->thread, NULL), 0);
    assert_int_equal(uv_loop_close(&setup->loop), 0);
    tls_server_destroy(setup->tls);
    SSL_CTX_free(setup->context);
    if (setup->listener >= 0)
        (void)close(setup->listener);
}

static void set_patience(int socket, long seconds)
{
    const struct timeval patience = {.tv_sec = seconds};
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
}

static struct end connect_to(struct setup *setup)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct end end = {.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(http_server_port(setup->server));
    set_patience(end.socket, 20);
    assert_int_equal(connect(end.socket, (struct sockaddr *)&address, sizeof address), 0);
    if (setup->context != NULL) {
        end.ssl = SSL_new(setup->context);
        assert_int_equal(SSL_set_fd(end.ssl, end.socket), 1);
        assert_int_equal(SSL_connect(end.ssl), 1);
    }
    return end;
}

static void close_end(struct end *end)
{
    if (end->ssl != NULL)
        (void)SSL_shutdown(end->ssl);
    SSL_free(end->ssl);
    (void)close(end->socket);
}

static ssize_t send_some(const struct end *end, const char *data, size_t length)
{
    return end->ssl != NULL ? SSL_write(end->ssl, data, (int)length)
                            : send(end->socket, data, length, MSG_NOSIGNAL);
}

static ssize_t receive_some(const struct end *end, char *data, size_t size)
{
    return end->ssl != NULL ? SSL_read(end->ssl, data, (int)size)
                            : recv(end->socket, data, size, 0);
}

static void send_text(const struct end *end, const char *text)
{
    assert_int_equal(send_some(end, text, strlen(text)), strlen(text));
}

static void expect_text(const struct end *end, const char *text)
{
    char data[1024];
    const size_t length = strlen(text);
    size_t received = 0;
    while (received < length) {
        const ssize_t more = receive_some(end, data + received, length - received);
        assert_true(more > 0);
        received += (size_t)more;
    }
    assert_memory_equal(data, text, length);
}

static void expect_end(const struct end *end)
{
    char byte;
    assert_int_equal(receive_some(end, &byte, 1), 0);
}

/* Opens a tunnel; the two ends are the peer and what the server connected to. */
static void open_tunnel(struct setup *setup, struct end *peer, struct end *upstream)
{
    char expected[512];
    *peer = connect_to(setup);
    send_text(peer, "GET /t HTTP/1.1\r\nHost: x\r\nCookie: secret\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Protocol: x, mqttv3.1, mqtt\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly");
    *upstream = (struct end){.socket = accept(setup->listener, NULL, NULL)};
    assert_true(upstream->socket >= 0);
    set_patience(upstream->socket, 20);
    (void)snprintf(expected, sizeof expected,
                   "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqttv3.1\r\n\r\nearly",
                   setup->target.port);
    expect_text(upstream, expected);
    send_text(upstream, "answer");
    expect_text(peer, "answer");
}

struct sender {
    const struct end *end;
    size_t sent; /* Atomic. */
};

static char pattern(size_t position)
{
    return (char)(position * 2654435761U >> 13);
}

static void *send_large(void *context)
{
    struct sender *sender = context;
    char data[50000];
    size_t sent = 0;
    while (sent < LARGE) {
        const size_t length = sizeof data < LARGE - sent ? sizeof data : LARGE - sent;
        for (size_t i = 0; i < length; i++)
            data[i] = pattern(sent + i);
        const ssize_t more = send_some(sender->end, data, length);
        if (more <= 0)
            break;
        sent += (size_t)more;
        __atomic_store_n(&sender->sent, sent, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Waits until the sender stands still. */
static size_t held_up(const struct sender *sender)
{
    size_t before;
    size_t now = 0;
    do {
        before = now;
        (void)usleep(300000);
        now = __atomic_load_n(&sender->sent, __ATOMIC_RELAXED);
    } while (now != before);
    return now;
}

static void send_through(const struct end *from, const struct end *to)
{
    struct sender sender = {.end = from};
    pthread_t thread;
    char data[65536];
    size_t received = 0;
    assert_int_equal(pthread_create(&thread, NULL, send_large, &sender), 0);
    const size_t held = held_up(&sender);
    assert_true(held > 0);
    assert_true(held < HELD_MAX);
    while (received < LARGE) {
        const ssize_t more = receive_some(to, data, sizeof data);
        assert_true(more > 0);
        for (ssize_t i = 0; i < more; i++)
            if (data[i] != pattern(received + (size_t)i))
                fail_msg("byte %zu differs", received + (size_t)i);
        received += (size_t)more;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Runs a test without TLS and with it. */
static void both_ways(void **state, void (*test)(struct setup *setup))
{
    for (int i = 0; i < 2; i++) {
        struct setup setup;
        open_setup(&setup, i == 0 ? NULL : *state);
        test(&setup);
        close_setup(&setup);
    }
}

static void pass_large(struct setup *setup)
{
    struct end peer;
    struct end upstream;
    open_tunnel(setup, &peer, &upstream);
    send_through(&upstream, &peer);
    send_through(&peer, &upstream);
    close_end(&peer);
    expect_end(&upstream);
    close_end(&upstream);
}

static void who_does_not_read_holds_up_who_sends(void **state)
{
    both_ways(state, pass_large);
}

static void leave_as_peer(struct setup *setup)
{
    struct end peer;
    struct end upstream;
    open_tunnel(setup, &peer, &upstream);
    send_text(&peer, "last words");
    close_end(&peer);
    expect_text(&upstream, "last words");
    expect_end(&upstream);
    close_end(&upstream);
}

static void leave_as_upstream(struct setup *setup)
{
    struct end peer;
    struct end upstream;
    open_tunnel(setup, &peer, &upstream);
    send_text(&upstream, "last words");
    close_end(&upstream);
    expect_text(&peer, "last words");
    expect_end(&peer);
    close_end(&peer);
}

static void who_closes_is_heard_out(void **state)
{
    both_ways(state, leave_as_peer);
    both_ways(state, leave_as_upstream);
}

static void stay_when_closed(struct setup *setup)
{
    struct end peer;
    struct end upstream;
    open_tunnel(setup, &peer, &upstream);
    assert_int_equal(uv_async_send(&setup->stop), 0);
    expect_end(&peer);
    expect_end(&upstream);
    close_end(&peer);
    close_end(&upstream);
}

static void a_closing_server_ends_its_tunnels(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct setup setup;
        open_setup(&setup, i == 0 ? NULL : *state);
        stay_when_closed(&setup);
        assert_int_equal(pthread_join(setup.thread, NULL), 0);
        assert_int_equal(uv_loop_close(&setup.loop), 0);
        tls_server_destroy(setup.tls);
        SSL_CTX_free(setup.context);
        (void)close(setup.listener);
    }
}

static void find_nobody(struct setup *setup)
{
    (void)close(setup->listener);
    setup->listener = -1;
    struct end peer = connect_to(setup);
    send_text(&peer, "GET /t HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    expect_text(&peer, "HTTP/1.1 502 Bad Gateway\r\n");
    close_end(&peer);
}

static void a_missing_upstream_is_a_bad_gateway(void **state)
{
    both_ways(state, find_nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_does_not_read_holds_up_who_sends,
                                        certificate_make_files, certificate_remove_files),
        cmocka_unit_test_setup_teardown(who_closes_is_heard_out, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(a_closing_server_ends_its_tunnels, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(a_missing_upstream_is_a_bad_gateway, certificate_make_files,
                                        certificate_remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
