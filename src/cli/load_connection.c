#include "cli/load_internal.h"

#include <stdlib.h>

enum { OPCODE_TEXT = 1, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };

static void on_closed(uv_handle_t *handle)
{
    struct load_connection *connection = handle->data;
    free(connection->rest);
    connection->rest = NULL;
}

void load_connection_close(struct load_connection *connection)
{
    uv_handle_t *handle = (uv_handle_t *)&connection->tcp;
    if (handle->loop != NULL && !uv_is_closing(handle))
        uv_close(handle, on_closed);
}

struct write_request {
    uv_write_t base;
    char data[];
};

static void on_written(uv_write_t *base, int status)
{
    struct load_connection *connection = base->handle->data;
    free(base);
    if (status < 0 && status != UV_ECANCELED)
        load_lost(connection->load, connection, uv_strerror(status));
}

static bool write_later(struct load_connection *connection, const char *data, size_t length)
{
    struct write_request *request = malloc(sizeof *request + length);
    if (request == NULL)
        return false;
    memcpy(request->data, data, length);
    const uv_buf_t rest = uv_buf_init(request->data, (unsigned)length);
    if (uv_write(&request->base, (uv_stream_t *)&connection->tcp, &rest, 1, on_written) == 0)
        return true;
    free(request);
    return false;
}

void load_connection_flush(struct load *load, struct load_connection *connection)
{
    const size_t length = load->output_length;
    load->output_length = 0;
    if (length == 0 || uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    const uv_buf_t part = uv_buf_init(load->output, (unsigned)length);
    int written = uv_try_write((uv_stream_t *)&connection->tcp, &part, 1);
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0)
        load_lost(load, connection, uv_strerror(written));
    else if ((size_t)written < length &&
             !write_later(connection, load->output + written, length - (size_t)written))
        load_fail(load, ERROR_MEMORY, "no memory to send a request");
}

static void become_open(struct load *load, struct load_connection *connection)
{
    connection->open = true;
    load->open++;
    load_advance(load);
}

static size_t take_response(struct load *load, struct load_connection *connection,
                            struct slice bytes)
{
    struct load_response response;
    const enum load_reading reading = load_response_read(bytes, &response);
    if (reading == LOAD_MALFORMED)
        load_fail(load, ERROR_INVALID, "what answers is no HTTP server");
    if (reading != LOAD_COMPLETE)
        return 0;
    if (!connection->upgrading) {
        load_answered(load, connection, response.status, response.body);
    } else if (response.status == 101) {
        connection->upgrading = false;
        become_open(load, connection);
    } else {
        load_fail(load, ERROR_INVALID, "the hub answered the upgrade to a WebSocket with status %u",
                  response.status);
    }
    return response.size;
}

static size_t take_frame(struct load *load, struct load_connection *connection, struct slice bytes)
{
    struct load_frame frame;
    const enum load_reading reading = load_frame_read(bytes, &frame);
    if (reading == LOAD_MALFORMED)
        load_fail(load, ERROR_INVALID, "the hub sent no such frame as answers have");
    if (reading != LOAD_COMPLETE)
        return 0;
    if (frame.opcode == OPCODE_TEXT)
        load_answered(load, connection, 200, frame.payload);
    else if (frame.opcode == OPCODE_CLOSE)
        load_lost(load, connection, "closed by the hub");
    else if (frame.opcode == OPCODE_PING && frame.payload.length <= LOAD_CONTROL_MAX)
        load->output_length += load_control_write(load->output + load->output_length, OPCODE_PONG,
                                                  frame.payload, load->request.mask);
    return frame.size;
}

/* Returns how many bytes were complete messages. */
static size_t take_messages(struct load *load, struct load_connection *connection,
                            struct slice bytes)
{
    size_t taken = 0;
    while (taken < bytes.length && load->phase != LOAD_CLOSING && !connection->lost) {
        const struct slice rest = {bytes.data + taken, bytes.length - taken};
        const bool framed =
            !connection->upgrading && (load->options->websocket || connection->idle);
        const size_t size =
            framed ? take_frame(load, connection, rest) : take_response(load, connection, rest);
        if (size == 0)
            break;
        taken += size;
        if (load->output_length > LOAD_OUTPUT_SIZE - LOAD_REQUEST_SIZE)
            load_connection_flush(load, connection);
    }
    return taken;
}

static bool keep_rest(struct load_connection *connection, struct slice bytes)
{
    char *rest = bytes.length > 0 ? malloc(bytes.length) : NULL;
    if (bytes.length > 0 && rest == NULL)
        return false;
    if (rest != NULL)
        memcpy(rest, bytes.data, bytes.length);
    free(connection->rest);
    connection->rest = rest;
    connection->rest_length = bytes.length;
    return true;
}

/* The input is shared by all connections; what is left of one waits in memory of its own and comes
 * before the next bytes. */
static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    const struct load_connection *connection = handle->data;
    struct load *load = connection->load;
    (void)suggested;
    if (connection->rest_length > 0)
        memcpy(load->input, connection->rest, connection->rest_length);
    *buffer = uv_buf_init(load->input + connection->rest_length,
                          (unsigned)(sizeof load->input - connection->rest_length));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct load_connection *connection = stream->data;
    struct load *load = connection->load;
    (void)buffer;
    if (count == UV_ENOBUFS) {
        load_fail(load, ERROR_LIMIT, "an answer of the hub is longer than %d bytes",
                  LOAD_INPUT_SIZE);
        return;
    }
    if (count <= 0) {
        if (count < 0)
            load_lost(load, connection,
                      count == UV_EOF ? "closed by the hub" : uv_strerror((int)count));
        return;
    }
    const struct slice bytes = {load->input, connection->rest_length + (size_t)count};
    const size_t taken = take_messages(load, connection, bytes);
    if ((taken < bytes.length || connection->rest != NULL) &&
        !keep_rest(connection, (struct slice){bytes.data + taken, bytes.length - taken}))
        load_fail(load, ERROR_MEMORY, "no memory for an answer");
    load_connection_flush(load, connection);
    load_settled(load);
}

static void on_connected(uv_connect_t *connecting, int status)
{
    struct load_connection *connection = connecting->data;
    struct load *load = connection->load;
    const struct url *hub = load->options->hub;
    if (status == UV_ECANCELED || load->phase == LOAD_CLOSING)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&connection->tcp, on_allocate, on_read);
    if (status != 0) {
        load_fail(load, ERROR_SYSTEM, "the hub at %s:%u cannot be reached: %s", hub->host,
                  (unsigned)hub->port, uv_strerror(status));
        return;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    connection->upgrading = connection->idle || load->options->websocket;
    if (!connection->upgrading) {
        become_open(load, connection);
        return;
    }
    memcpy(load->output, load->upgrade, load->upgrade_length);
    load->output_length = load->upgrade_length;
    load_connection_flush(load, connection);
}

void load_connection_open(struct load *load, struct load_connection *connection)
{
    connection->connecting.data = connection;
    int status = uv_tcp_init(&load->loop, &connection->tcp);
    connection->tcp.data = connection;
    if (status == 0)
        status = uv_tcp_connect(&connection->connecting, &connection->tcp,
                                (const struct sockaddr *)&load->address, on_connected);
    if (status != 0)
        load_fail(load, ERROR_SYSTEM, "cannot open a connection: %s", uv_strerror(status));
}
