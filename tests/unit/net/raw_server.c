#include "raw_server.h"

#include "test.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 30000 };

struct raw_connection {
    uv_tcp_t tcp;
    uv_write_t write;
    struct raw_server *server;
    struct raw_connection *next;
    struct raw_answer answer;
    char head[RAW_RECEIVED_MAX];
    size_t head_length;
    bool head_seen;
    char *output;
    size_t output_length;
    size_t output_sent;
    char buffer[RAW_RECEIVED_MAX];
};

static void on_connection_closed(uv_handle_t *handle)
{
    struct raw_connection *connection = handle->data;
    struct raw_connection **link = &connection->server->connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    free(connection->output);
    free(connection);
}

static void close_connection(struct raw_connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, on_connection_closed);
}

static void end_answer(struct raw_connection *connection)
{
    connection->server->answered++;
    switch (connection->answer.ending) {
    case RAW_STAY:
        break;
    case RAW_CLOSE:
        close_connection(connection);
        break;
    case RAW_RESET:
        assert_int_equal(uv_tcp_close_reset(&connection->tcp, on_connection_closed), 0);
        break;
    case RAW_DEAF:
        (void)uv_read_stop((uv_stream_t *)&connection->tcp);
        break;
    }
}

static void write_next(struct raw_connection *connection);

static void on_written(uv_write_t *write, int status)
{
    struct raw_connection *connection = write->data;
    if (status == 0)
        write_next(connection);
    else
        close_connection(connection);
}

static void write_next(struct raw_connection *connection)
{
    const size_t left = connection->output_length - connection->output_sent;
    if (left == 0) {
        end_answer(connection);
        return;
    }
    const size_t length = connection->answer.bytewise ? 1 : left;
    const uv_buf_t part =
        uv_buf_init(connection->output + connection->output_sent, (unsigned)length);
    connection->output_sent += length;
    connection->write.data = connection;
    assert_int_equal(
        uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &part, 1, on_written), 0);
}

/* Computed here anew, from RFC 6455, so that a mistake in the client is seen. */
static void write_handshake(const char *head, const char *headers, char *out, size_t size)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    unsigned char digest[EVP_MAX_MD_SIZE];
    char accept[64];
    char text[64];
    const char *key = strstr(head, name);
    assert_non_null(key);
    (void)snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                   key + sizeof name - 1);
    assert_int_equal(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL), 1);
    assert_int_equal(EVP_EncodeBlock((unsigned char *)accept, digest, 20), 28);
    (void)snprintf(out, size,
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                   accept, headers != NULL ? headers : "");
}

static void answer_request(struct raw_connection *connection)
{
    const struct slice bytes = connection->answer.bytes;
    char handshake[256] = "";
    if (connection->answer.silent)
        return;
    if (connection->answer.handshake)
        write_handshake(connection->head, connection->answer.headers, handshake, sizeof handshake);
    const size_t head_length = strlen(handshake);
    connection->output_length = head_length + bytes.length;
    connection->output = malloc(connection->output_length + 1);
    assert_non_null(connection->output);
    memcpy(connection->output, handshake, head_length);
    if (bytes.length > 0)
        memcpy(connection->output + head_length, bytes.data, bytes.length);
    write_next(connection);
}

static void answer_ping(struct raw_connection *connection)
{
    const uv_buf_t pong = uv_buf_init((char[]){'\x8a', 0}, 2);
    connection->server->pings++;
    assert_int_equal(uv_try_write((uv_stream_t *)&connection->tcp, &pong, 1), 2);
}

/* Returns how many of the bytes belong to the head. */
static size_t take_head(struct raw_connection *connection, const char *data, size_t length)
{
    size_t used = 0;
    while (used < length && !connection->head_seen) {
        assert_true(connection->head_length + 1 < sizeof connection->head);
        connection->head[connection->head_length++] = data[used++];
        connection->head_seen =
            connection->head_length >= 4 &&
            memcmp(connection->head + connection->head_length - 4, "\r\n\r\n", 4) == 0;
    }
    return used;
}

static void take_rest(struct raw_connection *connection, const char *data, size_t length)
{
    struct raw_server *server = connection->server;
    const size_t room = sizeof server->received - server->received_length;
    const size_t kept = length < room ? length : room;
    memcpy(server->received + server->received_length, data, kept);
    server->received_length += (unsigned)kept;
    /* An empty ping is six bytes, with its mask, and comes alone. */
    if (connection->answer.pongs && length == 6 && (uint8_t)data[0] == 0x89)
        answer_ping(connection);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct raw_connection *connection = stream->data;
    struct raw_server *server = connection->server;
    if (count < 0) {
        close_connection(connection);
        return;
    }
    const bool head_seen = connection->head_seen;
    const size_t used = take_head(connection, buffer->base, (size_t)count);
    take_rest(connection, buffer->base + used, (size_t)count - used);
    if (!head_seen && connection->head_seen) {
        memcpy(server->head, connection->head, sizeof server->head);
        answer_request(connection);
    }
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct raw_connection *connection = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(connection->buffer, sizeof connection->buffer);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct raw_server *server = listener->data;
    struct raw_connection *connection = calloc(1, sizeof *connection);
    assert_int_equal(status, 0);
    assert_non_null(connection);
    assert_int_equal(uv_tcp_init(server->loop, &connection->tcp), 0);
    connection->tcp.data = connection;
    connection->server = server;
    connection->answer = server->answer;
    connection->next = server->connections;
    server->connections = connection;
    server->accepted++;
    server->received_length = 0;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&connection->tcp), 0);
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    assert_int_equal(uv_read_start((uv_stream_t *)&connection->tcp, on_allocate, on_read), 0);
}

void raw_server_start(struct raw_server *server, uv_loop_t *loop)
{
    struct sockaddr_in address;
    int length = sizeof address;
    *server = (struct raw_server){.loop = loop};
    assert_int_equal(uv_timer_init(loop, &server->patience), 0);
    assert_int_equal(uv_tcp_init(loop, &server->listener), 0);
    server->listener.data = server;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server->listener, 64, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &length),
                     0);
    server->port = ntohs(address.sin_port);
}

void raw_server_refuse(struct raw_server *server)
{
    uv_close((uv_handle_t *)&server->listener, NULL);
    (void)uv_run(server->loop, UV_RUN_NOWAIT);
}

void raw_server_stop(struct raw_server *server)
{
    for (struct raw_connection *each = server->connections; each != NULL; each = each->next)
        close_connection(each);
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, NULL);
    uv_close((uv_handle_t *)&server->patience, NULL);
    for (int i = 0; i < 10; i++) /* not to the end: a test that failed leaves clients behind */
        (void)uv_run(server->loop, UV_RUN_NOWAIT);
}

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("what was waited for did not happen");
}

void raw_wait_for(struct raw_server *server, const unsigned *counter, unsigned number)
{
    assert_int_equal(uv_timer_start(&server->patience, on_patience, PATIENCE_MS, 0), 0);
    while (*counter < number)
        (void)uv_run(server->loop, UV_RUN_ONCE);
    assert_int_equal(uv_timer_stop(&server->patience), 0);
}
