/* A WebSocket that another server behind this one serves: its upgrade request is made anew from
 * what has been checked, so that nothing else of the peer's is said in this server's name, and from
 * then on bytes are copied both ways unseen. */
#include "net/http_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TUNNEL_WAITING_MAX = 65536, /* More bytes waiting for one side: the other is not read. */
    TUNNEL_STALL_MS = 60000,    /* A side that is not read for so long will never be. */
};

struct tunnel {
    uv_tcp_t upstream;
    struct http_server *server;
    struct http_connection *connection; /* NULL once the two have parted. */
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    bool answered;        /* The upstream has sent something. */
    bool ending;          /* The peer has ended: only what it sent is still delivered. */
    bool peer_paused;     /* Its bytes wait for the upstream. */
    bool upstream_paused; /* And the other way round. */
    uint64_t due_ms;      /* For the answer, or the end. */
    uint64_t peer_due_ms; /* For a paused side to be read again. */
    uint64_t upstream_due_ms;
};

struct tunnel_write {
    uv_write_t base;
    char data[];
};

static uv_stream_t *upstream_of(struct tunnel *tunnel)
{
    return (uv_stream_t *)&tunnel->upstream;
}

static uv_stream_t *peer_of(struct tunnel *tunnel)
{
    return (uv_stream_t *)&tunnel->connection->tcp;
}

static uint64_t after(const struct tunnel *tunnel, uint64_t pause_ms)
{
    return uv_now(tunnel->server->loop) + pause_ms;
}

static void on_upstream_closed(uv_handle_t *handle)
{
    struct tunnel *tunnel = handle->data;
    struct http_server *server = tunnel->server;
    server->handles_open--;
    server->counters.tunnels--;
    free(tunnel);
    server_finish_close(server);
}

void tunnel_release(struct tunnel *tunnel)
{
    tunnel->connection->tunnel = NULL;
    tunnel->connection = NULL;
    uv_close((uv_handle_t *)&tunnel->upstream, on_upstream_closed);
}

/* The connection is left to say what has happened; both ways end in tunnel_release(). */
static void upstream_ended(struct tunnel *tunnel)
{
    struct http_connection *connection = tunnel->connection;
    if (tunnel->ending)
        connection_close(connection);
    else if (tunnel->answered)
        connection_drain(connection);
    else
        connection_refuse(connection, 502, "The broker cannot be reached");
}

static void on_upstream_written(uv_write_t *request, int status)
{
    struct tunnel *tunnel = request->handle->data;
    free(request);
    if (tunnel->connection == NULL)
        return;
    if (status < 0) {
        upstream_ended(tunnel);
        return;
    }
    if (!tunnel->peer_paused ||
        uv_stream_get_write_queue_size(upstream_of(tunnel)) > TUNNEL_WAITING_MAX)
        return;
    tunnel->peer_paused = false;
    tunnel->peer_due_ms = UINT64_MAX;
    connection_read(tunnel->connection);
}

static bool upstream_write(struct tunnel *tunnel, const char *data, size_t length)
{
    const uv_buf_t whole = uv_buf_init((char *)(uintptr_t)data, (unsigned)length);
    int written = uv_try_write(upstream_of(tunnel), &whole, 1);
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0 || (size_t)written == length)
        return written >= 0;
    const size_t left = length - (size_t)written;
    struct tunnel_write *request = malloc(sizeof *request + left);
    if (request == NULL)
        return false;
    memcpy(request->data, data + written, left);
    const uv_buf_t rest = uv_buf_init(request->data, (unsigned)left);
    if (uv_write(&request->base, upstream_of(tunnel), &rest, 1, on_upstream_written) == 0)
        return true;
    free(request);
    return false;
}

void tunnel_input(struct tunnel *tunnel, const char *data, size_t length)
{
    if (length == 0 || tunnel->ending)
        return;
    if (!upstream_write(tunnel, data, length)) {
        upstream_ended(tunnel);
        return;
    }
    if (tunnel->peer_paused ||
        uv_stream_get_write_queue_size(upstream_of(tunnel)) <= TUNNEL_WAITING_MAX)
        return;
    tunnel->peer_paused = true;
    tunnel->peer_due_ms = after(tunnel, TUNNEL_STALL_MS);
    (void)uv_read_stop(peer_of(tunnel));
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct http_server *server = ((struct tunnel *)handle->data)->server;
    (void)suggested;
    *buffer = uv_buf_init(server->read_buffer, sizeof server->read_buffer);
}

static void on_upstream_bytes(struct tunnel *tunnel, const uv_buf_t *bytes)
{
    if (!tunnel->answered) {
        tunnel->answered = true;
        tunnel->due_ms = UINT64_MAX;
    }
    if (!connection_write(tunnel->connection, bytes, 1) ||
        uv_stream_get_write_queue_size(peer_of(tunnel)) <= TUNNEL_WAITING_MAX)
        return;
    tunnel->upstream_paused = true;
    tunnel->upstream_due_ms = after(tunnel, TUNNEL_STALL_MS);
    (void)uv_read_stop(upstream_of(tunnel));
}

static void on_upstream_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct tunnel *tunnel = stream->data;
    const uv_buf_t bytes = uv_buf_init(buffer->base, count > 0 ? (unsigned)count : 0);
    if (count < 0)
        upstream_ended(tunnel);
    else if (count > 0 && !tunnel->ending)
        on_upstream_bytes(tunnel, &bytes);
}

static void upstream_resume(struct tunnel *tunnel)
{
    if (!tunnel->upstream_paused)
        return;
    tunnel->upstream_paused = false;
    tunnel->upstream_due_ms = UINT64_MAX;
    (void)uv_read_start(upstream_of(tunnel), on_allocate, on_upstream_read);
}

void tunnel_peer_written(struct tunnel *tunnel)
{
    if (uv_stream_get_write_queue_size(peer_of(tunnel)) <= TUNNEL_WAITING_MAX)
        upstream_resume(tunnel);
}

static void on_upstream_shutdown(uv_shutdown_t *request, int status)
{
    struct tunnel *tunnel = request->handle->data;
    if (status < 0 && tunnel->connection != NULL)
        connection_close(tunnel->connection);
}

/* What the peer sent before it left is still delivered; the upstream then closes too. */
void tunnel_peer_ended(struct tunnel *tunnel)
{
    if (tunnel->ending)
        return;
    tunnel->ending = true;
    tunnel->due_ms = after(tunnel, HTTP_DRAIN_MS);
    (void)uv_read_stop(peer_of(tunnel));
    upstream_resume(tunnel);
    if (!tunnel->answered ||
        uv_shutdown(&tunnel->shutdown, upstream_of(tunnel), on_upstream_shutdown) != 0)
        connection_close(tunnel->connection);
}

void tunnel_expire(struct tunnel *tunnel, uint64_t now_ms)
{
    if (now_ms >= tunnel->peer_due_ms || now_ms >= tunnel->upstream_due_ms)
        connection_close(tunnel->connection);
    else if (now_ms >= tunnel->due_ms)
        upstream_ended(tunnel);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct tunnel *tunnel = request->handle->data;
    if (tunnel->connection == NULL)
        return;
    if (status < 0 || uv_read_start(upstream_of(tunnel), on_allocate, on_upstream_read) != 0)
        upstream_ended(tunnel);
}

/* Which of the two names of MQTT the peer offers (MQTT 3.1.1, section 6); NULL for none. */
static const char *offered_protocol(struct slice offers)
{
    static const char *const names[] = {"mqtt", "mqttv3.1"};
    const char *end = offers.data + offers.length;
    const char *found = NULL;
    for (const char *start = offers.data; start < end;) {
        const char *comma = memchr(start, ',', (size_t)(end - start));
        const char *next = comma != NULL ? comma : end;
        while (start < next && (*start == ' ' || *start == '\t'))
            start++;
        const char *stop = next;
        while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        const struct slice offer = {start, (size_t)(stop - start)};
        for (int i = 0; i < 2 && found == NULL; i++)
            if (slice_is(offer, names[i]))
                found = names[i];
        start = next < end ? next + 1 : end;
    }
    return found;
}

static bool send_upgrade(struct tunnel *tunnel, const struct listen_address *target,
                         struct slice key, const char *protocol)
{
    char head[512];
    const bool ip6 = strchr(target->host, ':') != NULL;
    const int length = snprintf(head, sizeof head,
                                "GET /mqtt HTTP/1.1\r\nHost: %s%s%s:%u\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Key: %.*s\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
                                ip6 ? "[" : "", target->host, ip6 ? "]" : "", target->port,
                                (int)key.length, key.data, protocol);
    return length > 0 && (size_t)length < sizeof head &&
           upstream_write(tunnel, head, (size_t)length);
}

static struct tunnel *create(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (tunnel == NULL || uv_tcp_init(server->loop, &tunnel->upstream) != 0) {
        free(tunnel);
        return NULL;
    }
    tunnel->upstream.data = tunnel;
    tunnel->server = server;
    tunnel->connection = connection;
    tunnel->due_ms = after(tunnel, server->limits.request_ms);
    tunnel->peer_due_ms = UINT64_MAX;
    tunnel->upstream_due_ms = UINT64_MAX;
    server->handles_open++;
    server->counters.tunnels++;
    connection->tunnel = tunnel;
    connection->state = CONNECTION_TUNNEL;
    connection->deadline_ms = UINT64_MAX;
    return tunnel;
}

static bool connect_to(struct tunnel *tunnel, const struct listen_address *target)
{
    struct sockaddr_storage address = {0};
    if (!server_parse_address(target->host, target->port, &address) ||
        uv_tcp_connect(&tunnel->connect, &tunnel->upstream, (const struct sockaddr *)&address,
                       on_connected) != 0)
        return false;
    (void)uv_tcp_nodelay(&tunnel->upstream, 1);
    return true;
}

void tunnel_open(struct http_connection *connection, const struct listen_address *target)
{
    const struct request_buffer *request = connection->request;
    const struct slice key = {request->values[HEADER_WEBSOCKET_KEY],
                              request->value_lengths[HEADER_WEBSOCKET_KEY]};
    const char *protocol =
        offered_protocol((struct slice){request->values[HEADER_WEBSOCKET_PROTOCOL],
                                        request->value_lengths[HEADER_WEBSOCKET_PROTOCOL]});
    if (!websocket_key_is_valid(key)) {
        connection_refuse(connection, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
        return;
    }
    if (protocol == NULL) {
        connection_refuse(connection, 400, "Sec-WebSocket-Protocol must offer mqtt");
        return;
    }
    struct tunnel *tunnel = create(connection);
    if (tunnel == NULL)
        connection_refuse(connection, 503, "Out of memory");
    else if (!connect_to(tunnel, target) || !send_upgrade(tunnel, target, key, protocol))
        upstream_ended(tunnel);
}
