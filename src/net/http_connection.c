#include "base/clock.h"
#include "net/http_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const char *const http_header_names[HEADER_COUNT] = {
    [HEADER_ACCEPT] = "accept",
    [HEADER_AUTHORIZATION] = "authorization",
    [HEADER_EXPECT] = "expect",
    [HEADER_ORIGIN] = "origin",
    [HEADER_UPGRADE] = "upgrade",
    [HEADER_WEBSOCKET_KEY] = "sec-websocket-key",
    [HEADER_WEBSOCKET_PROTOCOL] = "sec-websocket-protocol",
    [HEADER_WEBSOCKET_VERSION] = "sec-websocket-version",
};

static bool flush(struct http_connection *connection);

static uint64_t after(const struct http_connection *connection, uint64_t pause_ms)
{
    return uv_now(connection->server->loop) + pause_ms;
}

static void free_request(struct http_connection *connection)
{
    if (connection->request != NULL)
        free(connection->request->body);
    free(connection->request);
    connection->request = NULL;
}

/* The owner is told of a loss from here only, never from inside one of its own calls: answering or
 * sending does not call back. */
static void on_closed(uv_handle_t *handle)
{
    struct http_connection *connection = handle->data;
    struct http_server *server = connection->server;
    if (connection->answer_owed)
        server->handlers.on_gone(server->handlers.context, &connection->exchange);
    if (connection->websocket != NULL)
        websocket_closed(connection->websocket);
    server_forget(connection);
    if (connection->websocket != NULL)
        websocket_free(connection->websocket);
    free_request(connection);
    tls_connection_destroy(connection->tls);
    free(connection->pending);
    free(connection);
    server_finish_close(server);
}

void connection_close(struct http_connection *connection)
{
    if (connection->state == CONNECTION_CLOSING)
        return;
    if (connection->tls != NULL && connection->state != CONNECTION_DRAINING)
        https_abandon(connection);
    if (connection->tunnel != NULL)
        tunnel_release(connection->tunnel);
    connection->state = CONNECTION_CLOSING;
    (void)flush(connection);
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

/* Sends what is queued, says that no more will come, and reads until the peer has closed too: an
 * immediate close would make the system throw away what the peer has not read yet. */
void connection_drain(struct http_connection *connection)
{
    uv_shutdown_t *request = malloc(sizeof *request);
    connection->state = CONNECTION_DRAINING;
    connection->deadline_ms = after(connection, HTTP_DRAIN_MS);
    if (connection->tls != NULL)
        https_end(connection);
    (void)flush(connection); /* should it fail, the shutdown does too */
    if (connection->tunnel != NULL) {
        tunnel_release(connection->tunnel);
        connection_read(connection); /* the tunnel may have paused it */
    }
    if (request == NULL ||
        uv_shutdown(request, (uv_stream_t *)&connection->tcp, on_shutdown) != 0) {
        free(request);
        connection_close(connection);
    }
}

struct write_request {
    uv_write_t base;
    char data[];
};

static void on_written(uv_write_t *request, int status)
{
    struct http_connection *connection = request->handle->data;
    free(request);
    if (status < 0)
        connection_close(connection);
    else if (connection->tunnel != NULL)
        tunnel_peer_written(connection->tunnel);
}

static bool write_later(struct http_connection *connection, const uv_buf_t *parts, unsigned count,
                        size_t total, size_t skip)
{
    struct write_request *request = malloc(sizeof *request + total - skip);
    if (request == NULL)
        return false;
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        const size_t skipped = skip < parts[i].len ? skip : parts[i].len;
        memcpy(request->data + used, parts[i].base + skipped, parts[i].len - skipped);
        used += parts[i].len - skipped;
        skip -= skipped;
    }
    const uv_buf_t rest = uv_buf_init(request->data, (unsigned)used);
    if (uv_write(&request->base, (uv_stream_t *)&connection->tcp, &rest, 1, on_written) == 0)
        return true;
    free(request);
    return false;
}

static bool send_now(struct http_connection *connection, const uv_buf_t *parts, unsigned count,
                     size_t total)
{
    int written = uv_try_write((uv_stream_t *)&connection->tcp, parts, count);
    if (written == UV_EAGAIN)
        written = 0;
    return written >= 0 && ((size_t)written == total ||
                            write_later(connection, parts, count, total, (size_t)written));
}

static void uncork(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    if (connection->previous_corked != NULL)
        connection->previous_corked->next_corked = connection->next_corked;
    else
        server->corked = connection->next_corked;
    if (connection->next_corked != NULL)
        connection->next_corked->previous_corked = connection->previous_corked;
    connection->previous_corked = NULL;
    connection->next_corked = NULL;
    free(connection->corked);
    connection->corked = NULL;
    connection->corked_length = 0;
}

static bool flush(struct http_connection *connection)
{
    if (connection->corked == NULL)
        return true;
    const uv_buf_t part = uv_buf_init(connection->corked, (unsigned)connection->corked_length);
    const bool sent = send_now(connection, &part, 1, part.len);
    uncork(connection);
    return sent;
}

void connection_flush(struct http_connection *connection)
{
    if (!flush(connection))
        connection_close(connection);
}

/* Room for more bytes; false if they cannot be held back. */
static bool cork(struct http_connection *connection, size_t more)
{
    struct http_server *server = connection->server;
    const size_t needed = connection->corked_length + more;
    if (needed > HTTP_CORKED_MAX || server->closing)
        return false;
    if (connection->corked != NULL && needed <= connection->corked_capacity)
        return true;
    const size_t capacity = needed < 512 ? 512 : HTTP_CORKED_MAX;
    char *grown = realloc(connection->corked, capacity);
    if (grown == NULL)
        return false;
    if (connection->corked == NULL) {
        connection->next_corked = server->corked;
        if (server->corked != NULL)
            server->corked->previous_corked = connection;
        server->corked = connection;
        server_flush_later(server);
    }
    connection->corked = grown;
    connection->corked_capacity = capacity;
    return true;
}

/* Holds bytes back until the end of the loop's turn, or hands them to the socket, which copies what
 * it does not take at once. A write wakes a peer that waits: to write all answers of a turn in one
 * go, after everything has been read, doubles what the loop gets done. */
bool connection_send(struct http_connection *connection, const uv_buf_t *parts, unsigned count)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++)
        total += parts[i].len;
    if (!cork(connection, total))
        return flush(connection) && send_now(connection, parts, count, total);
    for (unsigned i = 0; i < count; i++) {
        memcpy(connection->corked + connection->corked_length, parts[i].base, parts[i].len);
        connection->corked_length += parts[i].len;
    }
    return true;
}

/* Returns false, and closes, when the peer is gone or has left too much of earlier writes unread. A
 * single answer may be of any size. */
bool connection_write(struct http_connection *connection, const uv_buf_t *parts, unsigned count)
{
    if (connection->state == CONNECTION_CLOSING)
        return false;
    const bool full = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp) >
                      connection->server->limits.unsent_bytes;
    const bool sent =
        !full && (connection->tls != NULL ? https_write(connection, parts, count)
                                          : connection_send(connection, parts, count));
    if (!sent)
        connection_close(connection);
    return sent;
}

/* HTTP/1.0 clients that asked to stay must be told that they may. */
static const char *persistence(const struct http_connection *connection)
{
    if (!connection->keep_alive)
        return "Connection: close\r\n";
    return connection->parser.http_major == 1 && connection->parser.http_minor == 0
               ? "Connection: keep-alive\r\n"
               : "";
}

static void send_response(struct http_connection *connection, const struct http_response *response)
{
    char head[1024];
    const bool typed = response->content_type != NULL;
    const int length =
        snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n%s%s%s%s%s\r\n",
                 response->status, http_status_str((enum http_status)response->status),
                 response->body.length, typed ? "Content-Type: " : "",
                 typed ? response->content_type : "", typed ? "\r\n" : "",
                 response->headers != NULL ? response->headers : "", persistence(connection));
    if (length < 0 || (size_t)length >= sizeof head) {
        connection_close(connection);
        return;
    }
    const uv_buf_t parts[] = {
        uv_buf_init(head, (unsigned)length),
        uv_buf_init((char *)(uintptr_t)response->body.data, (unsigned)response->body.length),
    };
    const bool body = response->body.length > 0 && !connection->head_only;
    (void)connection_write(connection, parts, body ? 2 : 1);
}

void connection_refuse(struct http_connection *connection, int status, const char *text)
{
    char body[160];
    const int length = snprintf(body, sizeof body, "{\"error\":\"%s\"}", text);
    connection->server->counters.refused++;
    connection->keep_alive = false;
    send_response(connection, &(struct http_response){
                                  .status = status,
                                  .content_type = "application/json; charset=utf-8",
                                  .headers = status == 426 ? "Sec-WebSocket-Version: 13\r\n" : NULL,
                                  .body = {body, (size_t)length},
                              });
    if (connection->state != CONNECTION_CLOSING)
        connection_drain(connection);
}

static void refuse_by_limit(struct http_connection *connection, int status)
{
    switch (status) {
    case 408:
        connection_refuse(connection, 408, "Request took too long to arrive");
        break;
    case 413:
        connection_refuse(connection, 413, "Request body too large");
        break;
    case 414:
        connection_refuse(connection, 414, "Request target too long");
        break;
    case 431:
        connection_refuse(connection, 431, "Request header fields too large");
        break;
    case 503:
        connection_refuse(connection, 503, "Out of memory");
        break;
    default:
        connection_refuse(connection, 400, "Malformed HTTP request");
        break;
    }
}

/* Stops the parser with the status of a limit that was hit. */
static int hit_limit(struct request_buffer *request, int status)
{
    request->refusal = status;
    return 1;
}

static int on_url(http_parser *parser, const char *data, size_t length)
{
    struct request_buffer *request = ((struct http_connection *)parser->data)->request;
    if (length > HTTP_URL_MAX - request->url_length)
        return hit_limit(request, 414);
    memcpy(request->url + request->url_length, data, length);
    request->url_length += length;
    return 0;
}

static int count_head(struct http_connection *connection, size_t length)
{
    struct request_buffer *request = connection->request;
    request->head_bytes += length;
    return request->head_bytes > connection->server->limits.head_bytes ? hit_limit(request, 431)
                                                                       : 0;
}

static int on_header_field(http_parser *parser, const char *data, size_t length)
{
    struct http_connection *connection = parser->data;
    struct request_buffer *request = connection->request;
    if (request->in_value) {
        request->in_value = false;
        request->field_length = 0;
    }
    for (size_t i = 0; i < length && request->field_length + i < sizeof request->field; i++)
        request->field[request->field_length + i] = (char)tolower((unsigned char)data[i]);
    request->field_length += length;
    return count_head(connection, length);
}

static enum http_header which_header(const struct request_buffer *request)
{
    if (request->field_length <= sizeof request->field)
        for (int i = 0; i < HEADER_COUNT; i++)
            if (slice_is((struct slice){request->field, request->field_length},
                         http_header_names[i]))
                return (enum http_header)i;
    return HEADER_COUNT;
}

static int on_header_value(http_parser *parser, const char *data, size_t length)
{
    struct http_connection *connection = parser->data;
    struct request_buffer *request = connection->request;
    if (!request->in_value) {
        request->in_value = true;
        request->header = which_header(request);
        if (request->header != HEADER_COUNT)
            request->value_lengths[request->header] = 0;
    }
    if (request->header != HEADER_COUNT) {
        size_t *used = &request->value_lengths[request->header];
        if (length > HTTP_HEADER_VALUE_MAX - *used)
            return hit_limit(request, 431);
        memcpy(request->values[request->header] + *used, data, length);
        *used += length;
    }
    return count_head(connection, length);
}

static struct slice header_value(const struct request_buffer *request, enum http_header header)
{
    return (struct slice){request->values[header], request->value_lengths[header]};
}

static int on_headers_complete(http_parser *parser)
{
    struct http_connection *connection = parser->data;
    struct request_buffer *request = connection->request;
    /* Other upgrades than this are offers that may be ignored (RFC 9110 7.8). */
    const struct slice upgrade = header_value(request, HEADER_UPGRADE);
    if (parser->method != HTTP_CONNECT &&
        (upgrade.length != 9 || strncasecmp(upgrade.data, "websocket", 9) != 0))
        parser->upgrade = 0;
    if (parser->content_length != UINT64_MAX &&
        parser->content_length > connection->server->limits.body_bytes)
        return hit_limit(request, 413) + 2; /* 1 and 2 have other meanings for this callback */
    if (slice_is(header_value(request, HEADER_EXPECT), "100-continue")) {
        char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
        const uv_buf_t part = uv_buf_init(line, sizeof line - 1);
        (void)connection_write(connection, &part, 1);
    }
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t length)
{
    struct http_connection *connection = parser->data;
    struct request_buffer *request = connection->request;
    const size_t limit = connection->server->limits.body_bytes;
    if (length > limit - request->body_length)
        return hit_limit(request, 413);
    const size_t needed = request->body_length + length;
    if (needed > request->body_capacity) {
        size_t capacity = request->body_capacity == 0 ? 512 : request->body_capacity;
        while (capacity < needed)
            capacity *= 2;
        char *body = realloc(request->body, capacity);
        if (body == NULL)
            return hit_limit(request, 503);
        request->body = body;
        request->body_capacity = capacity;
    }
    memcpy(request->body + request->body_length, data, length);
    request->body_length = needed;
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    http_parser_pause(parser, 1);
    return 0;
}

static struct http_request describe_request(const struct http_connection *connection)
{
    const struct request_buffer *request = connection->request;
    const char *question = memchr(request->url, '?', request->url_length);
    const size_t path = question != NULL ? (size_t)(question - request->url) : request->url_length;
    const size_t query = question != NULL ? request->url_length - path - 1 : 0;
    return (struct http_request){
        .method = slice_of(http_method_str((enum http_method)connection->parser.method)),
        .path = {request->url, path},
        .query = {question != NULL ? question + 1 : request->url, query},
        .accept = header_value(request, HEADER_ACCEPT),
        .authorization = header_value(request, HEADER_AUTHORIZATION),
        .origin = header_value(request, HEADER_ORIGIN),
        .body = {request->body != NULL ? request->body : "", request->body_length},
        .peer = connection->peer,
        .opened_us = connection->opened_us,
    };
}

static bool wants_websocket(const struct http_connection *connection)
{
    return connection->parser.upgrade && connection->parser.method != HTTP_CONNECT;
}

static void try_upgrade(struct http_connection *connection, const struct http_request *request)
{
    const struct http_handlers *handlers = &connection->server->handlers;
    const struct listen_address *target =
        handlers->on_tunnel != NULL ? handlers->on_tunnel(handlers->context, request) : NULL;
    if (target == NULL && !handlers->on_upgrade(handlers->context, request))
        connection_refuse(connection, 404, "Not found");
    else if (!slice_is(header_value(connection->request, HEADER_WEBSOCKET_VERSION), "13"))
        connection_refuse(connection, 426, "WebSocket version must be 13");
    else if (target != NULL)
        tunnel_open(connection, target);
    else if (!websocket_accept(connection, request))
        connection_refuse(connection, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
}

/* A complete request is in the buffer: hands it up. */
static void dispatch(struct http_connection *connection)
{
    const struct http_handlers *handlers = &connection->server->handlers;
    const struct http_request request = describe_request(connection);
    connection->keep_alive =
        http_should_keep_alive(&connection->parser) != 0 && connection->server->accepting;
    connection->head_only = connection->parser.method == HTTP_HEAD;
    connection->exchange = (struct http_exchange){.connection = connection};
    if (wants_websocket(connection)) {
        try_upgrade(connection, &request);
        free_request(connection);
        return;
    }
    if (connection->parser.upgrade) {
        connection_refuse(connection, 400, "Only WebSocket upgrades are served");
        return;
    }
    connection->server->counters.requests++;
    connection->state = CONNECTION_ANSWERING;
    connection->answer_owed = true;
    connection->deadline_ms = UINT64_MAX;
    handlers->on_request(handlers->context, &connection->exchange, &request);
    free_request(connection);
}

static const struct http_parser_settings parser_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static bool begin_request(struct http_connection *connection)
{
    if (connection->request != NULL)
        return true;
    connection->head_only = false;
    connection->request = calloc(1, sizeof *connection->request);
    connection->deadline_ms = after(connection, connection->server->limits.request_ms);
    return connection->request != NULL;
}

/* Keeps bytes that belong to later requests. A peer that sends more of them than one may have is
 * closed: if reading stopped instead, it would not be seen when it hangs up. */
static void keep_pending(struct http_connection *connection, const char *data, size_t length)
{
    if (length == 0)
        return;
    const struct http_limits *limits = &connection->server->limits;
    const size_t needed = connection->pending_length + length;
    char *pending = needed > limits->head_bytes + limits->body_bytes
                        ? NULL
                        : realloc(connection->pending, needed);
    if (pending == NULL) {
        connection_close(connection);
        return;
    }
    memcpy(pending + connection->pending_length, data, length);
    connection->pending = pending;
    connection->pending_length += length;
}

/* Parses up to the end of one request; returns how many bytes that took. */
static size_t parse(struct http_connection *connection, const char *data, size_t length)
{
    struct http_parser *parser = &connection->parser;
    if (!begin_request(connection)) {
        connection_close(connection);
        return length;
    }
    const size_t used = http_parser_execute(parser, &parser_settings, data, length);
    if (connection->state == CONNECTION_CLOSING)
        return length;
    const bool complete = HTTP_PARSER_ERRNO(parser) == HPE_PAUSED || parser->upgrade;
    if (complete) {
        http_parser_pause(parser, 0);
        dispatch(connection);
        return used;
    }
    if (HTTP_PARSER_ERRNO(parser) != HPE_OK)
        refuse_by_limit(connection, connection->request->refusal);
    return used;
}

static void connection_feed(struct http_connection *connection, const char *data, size_t length)
{
    connection->feeding = true;
    while (length > 0 && connection->state == CONNECTION_READING) {
        const size_t used = parse(connection, data, length);
        data += used;
        length -= used;
    }
    connection->feeding = false;
    if (connection->state == CONNECTION_WEBSOCKET)
        websocket_input(connection->websocket, data, length);
    else if (connection->state == CONNECTION_TUNNEL)
        tunnel_input(connection->tunnel, data, length);
    else if (connection->state == CONNECTION_ANSWERING)
        keep_pending(connection, data, length);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    /* One buffer serves all connections: what was read is consumed before the next read. */
    struct http_server *server = ((struct http_connection *)handle->data)->server;
    *buffer = uv_buf_init(server->read_buffer, sizeof server->read_buffer);
}

/* Bytes of the peer, decrypted if there is TLS. */
void connection_input(struct http_connection *connection, const char *data, size_t length)
{
    switch (connection->state) {
    case CONNECTION_READING:
        /* What was kept is older, and waits for connection_resume() in the loop's next turn. */
        if (connection->pending_length > 0)
            keep_pending(connection, data, length);
        else
            connection_feed(connection, data, length);
        break;
    case CONNECTION_ANSWERING:
        keep_pending(connection, data, length);
        break;
    case CONNECTION_WEBSOCKET:
        websocket_input(connection->websocket, data, length);
        break;
    case CONNECTION_TUNNEL:
        tunnel_input(connection->tunnel, data, length);
        break;
    case CONNECTION_DRAINING:
        connection->drained += length;
        if (connection->drained > HTTP_DRAIN_MAX)
            connection_close(connection);
        break;
    case CONNECTION_CLOSING:
        break;
    }
}

/* The peer sends no more. */
void connection_ended(struct http_connection *connection)
{
    if (connection->state == CONNECTION_TUNNEL)
        tunnel_peer_ended(connection->tunnel);
    else
        connection_close(connection);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct http_connection *connection = stream->data;
    /* What is only dropped need not be decrypted. */
    const bool decrypt =
        connection->server->tls != NULL && connection->state != CONNECTION_DRAINING;
    if (count < 0)
        connection_ended(connection);
    else if (count > 0 && decrypt)
        https_input(connection, buffer->base, (size_t)count);
    else if (count > 0)
        connection_input(connection, buffer->base, (size_t)count);
}

/* Reads, or goes on reading. */
void connection_read(struct http_connection *connection)
{
    const int status = uv_read_start((uv_stream_t *)&connection->tcp, on_allocate, on_read);
    if (status != 0 && status != UV_EALREADY)
        connection_close(connection);
}

struct http_connection *connection_create(struct http_server *server)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    if (uv_tcp_init(server->loop, &connection->tcp) != 0) {
        free(connection);
        return NULL;
    }
    connection->tcp.data = connection;
    connection->server = server;
    connection->next = server->connections;
    if (server->connections != NULL)
        server->connections->previous = connection;
    server->connections = connection;
    server->counters.connections++;
    http_parser_init(&connection->parser, HTTP_REQUEST);
    connection->parser.data = connection;
    connection->deadline_ms = after(connection, server->limits.request_ms);
    return connection;
}

static void learn_peer(struct http_connection *connection)
{
    struct sockaddr_storage address = {0};
    int length = sizeof address;
    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&address, &length) != 0)
        return;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *ip4 = (const struct sockaddr_in *)&address;
        connection->address.s6_addr[10] = 0xff;
        connection->address.s6_addr[11] = 0xff;
        memcpy(connection->address.s6_addr + 12, &ip4->sin_addr, 4);
        (void)uv_ip4_name(ip4, connection->peer, sizeof connection->peer);
    } else {
        const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)&address;
        connection->address = ip6->sin6_addr;
        (void)uv_ip6_name(ip6, connection->peer, sizeof connection->peer);
    }
}

void connection_start(struct http_connection *connection)
{
    learn_peer(connection);
    connection->opened_us = clock_monotonic_us();
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    connection_read(connection);
}

void connection_resume(struct http_connection *connection)
{
    char *pending = connection->pending;
    const size_t length = connection->pending_length;
    if (connection->state != CONNECTION_READING || length == 0)
        return;
    connection->pending = NULL;
    connection->pending_length = 0;
    connection_feed(connection, pending, length);
    free(pending);
}

void http_respond(struct http_exchange *exchange, const struct http_response *response)
{
    struct http_connection *connection = exchange->connection;
    connection->answer_owed = false;
    if (connection->state != CONNECTION_ANSWERING)
        return;
    connection->state = CONNECTION_READING;
    send_response(connection, response);
    if (connection->state == CONNECTION_CLOSING)
        return;
    connection->deadline_ms = after(connection, connection->server->limits.idle_ms);
    if (!connection->keep_alive)
        connection_drain(connection);
    else if (!connection->feeding && connection->pending_length > 0)
        server_resume_later(connection->server);
}

void connection_expire(struct http_connection *connection, uint64_t now_ms)
{
    if (connection->state == CONNECTION_CLOSING)
        return;
    if (connection->state == CONNECTION_WEBSOCKET)
        websocket_expire(connection->websocket, now_ms);
    else if (connection->state == CONNECTION_TUNNEL)
        tunnel_expire(connection->tunnel, now_ms);
    if (connection->state == CONNECTION_CLOSING || now_ms < connection->deadline_ms)
        return;
    if (connection->state == CONNECTION_READING && connection->request != NULL)
        refuse_by_limit(connection, 408);
    else
        connection_close(connection);
}

void http_exchange_set_user(struct http_exchange *exchange, void *user)
{
    exchange->user = user;
}

void *http_exchange_user(const struct http_exchange *exchange)
{
    return exchange->user;
}
