#include "net/http_internal.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <wslay/wslay.h>

struct websocket {
    struct http_connection *connection;
    wslay_event_context_ptr events;
    const char *input; /* What websocket_input() was given and has not been taken yet. */
    size_t input_length;
    bool receiving; /* In websocket_input(): sending waits for its end. */
    bool awaiting_pong;
    bool closing; /* A close frame has been queued. */
    uint64_t next_ping_ms;
    uint64_t pong_due_ms;
    void *user;
};

static ssize_t on_receive(wslay_event_context_ptr events, uint8_t *data, size_t size, int flags,
                          void *user)
{
    struct websocket *socket = user;
    (void)flags;
    if (socket->input_length == 0) {
        wslay_event_set_error(events, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    const size_t taken = size < socket->input_length ? size : socket->input_length;
    memcpy(data, socket->input, taken);
    socket->input += taken;
    socket->input_length -= taken;
    return (ssize_t)taken;
}

static ssize_t on_send(wslay_event_context_ptr events, const uint8_t *data, size_t size, int flags,
                       void *user)
{
    struct websocket *socket = user;
    const uv_buf_t part = uv_buf_init((char *)(uintptr_t)data, (unsigned)size);
    (void)flags;
    if (connection_write(socket->connection, &part, 1))
        return (ssize_t)size;
    wslay_event_set_error(events, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void on_frame_message(wslay_event_context_ptr events,
                             const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    struct websocket *socket = user;
    struct http_server *server = socket->connection->server;
    (void)events;
    if (message->opcode == WSLAY_PONG)
        socket->awaiting_pong = false;
    if (message->opcode != WSLAY_TEXT_FRAME || socket->closing ||
        socket->connection->state != CONNECTION_WEBSOCKET)
        return;
    server->counters.messages++;
    server->handlers.on_message(server->handlers.context, socket,
                                (struct slice){(const char *)message->msg, message->msg_length});
}

/* Sends what is queued, and ends the connection once both sides have said goodbye. */
static void flush(struct websocket *socket)
{
    struct http_connection *connection = socket->connection;
    if (connection->state != CONNECTION_WEBSOCKET || socket->receiving)
        return;
    const int status = wslay_event_send(socket->events);
    if (connection->state != CONNECTION_WEBSOCKET)
        return;
    const bool finished = wslay_event_get_close_sent(socket->events) != 0 &&
                          wslay_event_get_close_received(socket->events) != 0;
    if (status != 0 || finished ||
        (wslay_event_want_read(socket->events) == 0 && wslay_event_want_write(socket->events) == 0))
        connection_close(connection);
    else if (wslay_event_get_close_sent(socket->events) != 0 &&
             connection->deadline_ms == UINT64_MAX)
        connection->deadline_ms = uv_now(connection->server->loop) + WEBSOCKET_CLOSE_MS;
}

void websocket_input(struct websocket *socket, const char *data, size_t length)
{
    socket->input = data;
    socket->input_length = length;
    socket->receiving = true;
    const int status = wslay_event_recv(socket->events);
    socket->receiving = false;
    socket->input_length = 0;
    if (status != 0)
        connection_close(socket->connection);
    else
        flush(socket);
}

/* 16 bytes in base64 (RFC 6455 4.1); a decoder alone would skip spaces. */
bool websocket_key_is_valid(struct slice key)
{
    if (key.length != 24 || memcmp(key.data + 22, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!isalnum((unsigned char)key.data[i]) && key.data[i] != '+' && key.data[i] != '/')
            return false;
    return true;
}

bool websocket_accept_key(struct slice key, char accept[32])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[24 + sizeof guid];
    if (!websocket_key_is_valid(key))
        return false;
    memcpy(text, key.data, 24);
    memcpy(text + 24, guid, sizeof guid - 1);
    if (EVP_Digest(text, sizeof text - 1, digest, NULL, EVP_sha1(), NULL) != 1)
        return false;
    return EVP_EncodeBlock((unsigned char *)accept, digest, 20) == 28;
}

static bool send_handshake(struct http_connection *connection, const char *accept)
{
    char head[160];
    const int length = snprintf(head, sizeof head,
                                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                accept);
    const uv_buf_t part = uv_buf_init(head, (unsigned)length);
    return connection_write(connection, &part, 1);
}

static struct websocket *create(struct http_connection *connection)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_receive,
        .send_callback = on_send,
        .on_msg_recv_callback = on_frame_message,
    };
    const struct http_server *server = connection->server;
    struct websocket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return NULL;
    if (wslay_event_context_server_init(&socket->events, &callbacks, socket) != 0) {
        free(socket);
        return NULL;
    }
    wslay_event_config_set_max_recv_msg_length(socket->events, server->limits.message_bytes);
    socket->connection = connection;
    socket->next_ping_ms = uv_now(server->loop) + server->limits.ping_ms;
    return socket;
}

bool websocket_accept(struct http_connection *connection, const struct http_request *request)
{
    char accept[32];
    const struct http_handlers *handlers = &connection->server->handlers;
    const struct request_buffer *buffer = connection->request;
    if (!websocket_accept_key((struct slice){buffer->values[HEADER_WEBSOCKET_KEY],
                                             buffer->value_lengths[HEADER_WEBSOCKET_KEY]},
                              accept))
        return false;
    struct websocket *socket = create(connection);
    if (socket == NULL) {
        connection_close(connection);
        return true;
    }
    if (!send_handshake(connection, accept)) {
        websocket_free(socket);
        return true;
    }
    connection->websocket = socket;
    connection->state = CONNECTION_WEBSOCKET;
    connection->deadline_ms = UINT64_MAX;
    connection->server->counters.websockets++;
    handlers->on_open(handlers->context, socket, request);
    return true;
}

void websocket_expire(struct websocket *socket, uint64_t now_ms)
{
    const struct http_limits *limits = &socket->connection->server->limits;
    if (socket->awaiting_pong && now_ms >= socket->pong_due_ms) {
        connection_close(socket->connection);
        return;
    }
    if (socket->closing || now_ms < socket->next_ping_ms)
        return;
    const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
    if (!socket->awaiting_pong)
        socket->pong_due_ms = now_ms + limits->pong_ms;
    socket->awaiting_pong = true;
    socket->next_ping_ms = now_ms + limits->ping_ms;
    if (wslay_event_queue_msg(socket->events, &ping) != 0)
        connection_close(socket->connection);
    else
        flush(socket);
}

void websocket_send(struct websocket *socket, struct slice text)
{
    const struct wslay_event_msg message = {
        .opcode = WSLAY_TEXT_FRAME,
        .msg = (const uint8_t *)text.data,
        .msg_length = text.length,
    };
    if (socket->closing || socket->connection->state != CONNECTION_WEBSOCKET)
        return;
    if (wslay_event_queue_msg(socket->events, &message) != 0)
        connection_close(socket->connection);
    else
        flush(socket);
}

void websocket_close(struct websocket *socket, uint16_t code)
{
    if (socket->closing || socket->connection->state != CONNECTION_WEBSOCKET)
        return;
    socket->closing = true;
    if (wslay_event_queue_close(socket->events, code, NULL, 0) != 0)
        connection_close(socket->connection);
    else
        flush(socket);
}

void websocket_closed(struct websocket *socket)
{
    struct http_server *server = socket->connection->server;
    server->counters.websockets--;
    server->handlers.on_close(server->handlers.context, socket);
}

void websocket_free(struct websocket *socket)
{
    wslay_event_context_free(socket->events);
    free(socket);
}

void websocket_set_user(struct websocket *socket, void *user)
{
    socket->user = user;
}

void *websocket_user(const struct websocket *socket)
{
    return socket->user;
}
