#include "net/http_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { TICK_MS = 250, BACKLOG = 1024 };

struct http_limits http_limits_default(void)
{
    return (struct http_limits){
        .head_bytes = 8192,
        .body_bytes = 16384,
        .request_ms = 10000,
        .idle_ms = 75000,
        .connections = 20000,
        .connections_per_peer = 0,
        .message_bytes = 2048,
        .unsent_bytes = 1 << 18,
        .ping_ms = 20000,
        .pong_ms = 10000,
    };
}

static bool peer_has_too_many(const struct http_server *server,
                              const struct http_connection *connection)
{
    const size_t limit = server->limits.connections_per_peer;
    size_t count = 0;
    if (limit == 0)
        return false;
    for (const struct http_connection *other = server->connections; other != NULL;
         other = other->next)
        if (memcmp(&other->address, &connection->address, sizeof other->address) == 0)
            count++;
    return count > limit;
}

static void accept_one(struct http_server *server)
{
    struct http_connection *connection = connection_create(server);
    if (connection == NULL) {
        server->accept_later = true;
        return;
    }
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) != 0) {
        server->accept_later = true;
        connection_close(connection);
        return;
    }
    connection_start(connection);
    if (!server->accepting || server->counters.connections > server->limits.connections ||
        peer_has_too_many(server, connection)) {
        server->counters.refused++;
        connection_close(connection);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = listener->data;
    /* libuv keeps a spare descriptor for EMFILE; other failures concern one connection that is
     * gone. Neither must end the server. */
    if (status < 0)
        log_write(&server->log, LOG_WARNING, "accept failed: %s", uv_strerror(status));
    else
        accept_one(server);
}

static void on_tick(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    const uint64_t now_ms = uv_now(server->loop);
    if (server->accept_later) {
        server->accept_later = false;
        accept_one(server);
    }
    struct http_connection *next;
    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        connection_expire(connection, now_ms);
    }
}

/* The next request of a connection is handed up from the loop, not from inside http_respond(). */
static void on_resume(uv_idle_t *resumer)
{
    struct http_server *server = resumer->data;
    (void)uv_idle_stop(resumer);
    struct http_connection *next;
    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        connection_resume(connection);
    }
}

/* The bytes of a turn of the loop are written together, before it waits. */
static void on_flush(uv_prepare_t *flusher)
{
    struct http_server *server = flusher->data;
    (void)uv_prepare_stop(flusher);
    while (server->corked != NULL)
        connection_flush(server->corked);
}

void server_flush_later(struct http_server *server)
{
    if (!server->closing)
        (void)uv_prepare_start(&server->flusher, on_flush);
}

void server_resume_later(struct http_server *server)
{
    if (!server->closing)
        (void)uv_idle_start(&server->resumer, on_resume);
}

bool server_parse_address(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    return uv_ip4_addr(host, port, (struct sockaddr_in *)address) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)address) == 0;
}

static int start_listening(struct http_server *server, const struct sockaddr_storage *address)
{
    struct sockaddr_storage bound;
    int length = sizeof bound;
    int status = uv_tcp_bind(&server->listener, (const struct sockaddr *)address, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&bound, &length);
    if (status == 0)
        server->port =
            ntohs(bound.ss_family == AF_INET ? ((const struct sockaddr_in *)&bound)->sin_port
                                             : ((const struct sockaddr_in6 *)&bound)->sin6_port);
    return status;
}

struct http_server *http_server_create(uv_loop_t *loop, const char *address, uint16_t port,
                                       const struct http_handlers *handlers,
                                       const struct http_limits *limits, const struct log *log,
                                       struct error *error)
{
    struct sockaddr_storage parsed = {0};
    if (!server_parse_address(address, port, &parsed)) {
        (void)error_set(error, ERROR_INVALID, "%s is not a numeric IPv4 or IPv6 address", address);
        return NULL;
    }
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the HTTP server");
        return NULL;
    }
    server->loop = loop;
    server->handlers = *handlers;
    server->limits = *limits;
    server->log = log_for_part(log, "http");
    server->accepting = true;
    (void)uv_tcp_init(loop, &server->listener);
    (void)uv_timer_init(loop, &server->timer);
    (void)uv_prepare_init(loop, &server->flusher);
    server->flusher.data = server;
    (void)uv_idle_init(loop, &server->resumer);
    server->handles_open = 4;
    server->resumer.data = server;
    server->listener.data = server;
    server->timer.data = server;
    const int status = start_listening(server, &parsed);
    if (status != 0) {
        (void)error_set(error, ERROR_SYSTEM, "cannot listen on %s port %u: %s", address, port,
                        uv_strerror(status));
        http_server_close(server, NULL, NULL);
        return NULL;
    }
    (void)uv_timer_start(&server->timer, on_tick, TICK_MS, TICK_MS);
    return server;
}

void http_server_use_tls(struct http_server *server, const struct tls_server *tls)
{
    server->tls = tls;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_counters(const struct http_server *server, struct http_counters *counters)
{
    *counters = server->counters;
}

void http_server_stop_accepting(struct http_server *server)
{
    server->accepting = false;
    struct http_connection *next;
    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_READING)
            connection_close(connection);
        else
            connection->keep_alive = false;
    }
}

void server_finish_close(struct http_server *server)
{
    if (!server->closing || server->connections != NULL || server->handles_open > 0)
        return;
    if (server->done != NULL)
        server->done(server->done_context);
    free(server);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    server->handles_open--;
    server_finish_close(server);
}

/* The timer runs as long as there are connections, whose time to close it limits. */
static void close_timer(struct http_server *server)
{
    if (server->connections == NULL && !uv_is_closing((uv_handle_t *)&server->timer))
        uv_close((uv_handle_t *)&server->timer, on_handle_closed);
}

void server_forget(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    server->counters.connections--;
    if (server->closing)
        close_timer(server);
}

void http_server_close(struct http_server *server, void (*done)(void *context), void *context)
{
    while (server->corked != NULL)
        connection_flush(server->corked);
    server->closing = true;
    server->accepting = false;
    server->done = done;
    server->done_context = context;
    uv_close((uv_handle_t *)&server->listener, on_handle_closed);
    uv_close((uv_handle_t *)&server->resumer, on_handle_closed);
    uv_close((uv_handle_t *)&server->flusher, on_handle_closed);
    struct http_connection *next;
    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_WEBSOCKET)
            websocket_close(connection->websocket, 1001);
        else if (connection->state != CONNECTION_CLOSING)
            connection_drain(connection);
        if (connection->state != CONNECTION_CLOSING)
            connection->deadline_ms = uv_now(server->loop) + HTTP_CLOSE_MS;
    }
    close_timer(server);
}
