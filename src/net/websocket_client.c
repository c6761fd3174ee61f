#include "net/websocket_client.h"

#include "base/random.h"
#include "net/http_client_internal.h"
#include "net/http_internal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <wslay/wslay.h>

enum {
    HEAD_BYTES_MAX = 8192,    /* Of the server's answer to the handshake. */
    UNSENT_MAX = 1024 * 1024, /* Bytes that wait for the server to read. */
    FIELD_SIZE = 32,
    VALUE_SIZE = 64,
};

enum client_state {
    WAITING, /* For the next attempt. */
    DIALING,
    HANDSHAKING, /* Connected; the server has not accepted yet. */
    OPEN,
    BROKEN, /* Sending failed within a call of the owner's, who is told from the loop. */
    CLOSING,
};

/* The headers of the server's answer that matter, in the order of header_names. */
enum header {
    HEADER_ANSWER_ACCEPT,
    HEADER_ANSWER_EXTENSIONS,
    HEADER_ANSWER_PROTOCOL,
    HEADER_ANSWER_UPGRADE,
    HEADER_ANSWER_COUNT, /* Also: the header being read is none of these. */
};

static const char *const header_names[HEADER_ANSWER_COUNT] = {
    [HEADER_ANSWER_ACCEPT] = "Sec-WebSocket-Accept",
    [HEADER_ANSWER_EXTENSIONS] = "Sec-WebSocket-Extensions",
    [HEADER_ANSWER_PROTOCOL] = "Sec-WebSocket-Protocol",
    [HEADER_ANSWER_UPGRADE] = "Upgrade",
};

static const char broke_protocol[] = "the server broke the WebSocket protocol";

/* The server's answer to the handshake while it is read. */
struct answer {
    struct http_parser parser;
    size_t bytes;
    char expected[32]; /* The value of Sec-WebSocket-Accept that our key asks for. */
    char field[FIELD_SIZE];
    size_t field_length; /* May exceed the room; such a name is none that matters. */
    bool in_value;
    enum header header; /* Whose value is being read. */
    char values[HEADER_ANSWER_COUNT][VALUE_SIZE];
    size_t lengths[HEADER_ANSWER_COUNT]; /* May exceed the room; such a value is never right. */
};

/* Follows the frames in the server's bytes, to see masked ones: wslay unmasks and accepts them. */
struct frame_watch {
    uint8_t head[10];
    size_t head_length;
    uint64_t payload_left;
};

/* One connection. It outlives its part in the client until the loop has let go of its handle. */
struct link {
    struct websocket_client *client;
    uv_tcp_t *tcp;
    wslay_event_context_ptr events;
    struct answer answer;
    struct frame_watch frames;
    const char *input; /* What receive() was given and wslay has not taken yet. */
    size_t input_length;
    bool receiving; /* In receive(): what is sent waits for its end. */
    char *output;   /* Frames to be written at once. */
    size_t output_length;
    size_t output_capacity;
    uint64_t received_ms; /* When the last bytes came, by the loop's time. */
    uint64_t pinged_ms;   /* When the last ping was sent. */
};

struct websocket_client {
    uv_loop_t *loop;
    struct log log;
    enum client_state state;
    char host[sizeof((struct url *)NULL)->host];
    uint16_t port;
    char head[REQUEST_HEAD_MAX]; /* Of the request, without the key. */
    size_t head_length;
    uint64_t ping_ms;
    uint64_t retry_min_ms;
    uint64_t retry_max_ms;
    uint64_t retry_ms; /* The next pause, before the draw. */
    size_t message_bytes_max;
    struct random random;
    uv_timer_t retry; /* The pause; in BROKEN, tells the loss. */
    uv_timer_t watchdog;
    struct dial *dial; /* NULL when it has told its end. */
    struct link *link; /* In HANDSHAKING, OPEN and BROKEN. */
    unsigned links_open;
    unsigned timers_open;
    char reason[CLIENT_REASON_SIZE];
    char read_buffer[CLIENT_READ_BYTES];
    void (*on_open)(void *context);
    void (*on_lost)(void *context, const char *reason);
    void (*on_text)(void *context, struct slice text);
    void *context;
    void (*done)(void *context);
    void *done_context;
};

static void finish_close(struct websocket_client *client)
{
    if (client->state != CLOSING || client->timers_open > 0 || client->links_open > 0 ||
        client->dial != NULL)
        return;
    void (*done)(void *context) = client->done;
    void *context = client->done_context;
    free(client);
    if (done != NULL)
        done(context);
}

static void on_link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    struct websocket_client *client = link->client;
    wslay_event_context_free(link->events);
    free(link->output);
    free(link);
    free(handle);
    client->links_open--;
    finish_close(client);
}

static void drop_link(struct websocket_client *client)
{
    (void)uv_timer_stop(&client->watchdog);
    if (client->link != NULL)
        uv_close((uv_handle_t *)client->link->tcp, on_link_closed);
    client->link = NULL;
}

static void on_retry(uv_timer_t *timer);

static void retry_later(struct websocket_client *client)
{
    const uint64_t half = client->retry_ms / 2;
    const uint64_t pause = half + random_below(&client->random, client->retry_ms - half + 1);
    client->retry_ms =
        client->retry_ms > client->retry_max_ms / 2 ? client->retry_max_ms : client->retry_ms * 2;
    (void)uv_timer_start(&client->retry, on_retry, pause, 0);
}

/* The connection, or the attempt at one, is over. The owner may close the client when told. */
static void lost(struct websocket_client *client, const char *reason)
{
    drop_link(client);
    client->state = WAITING;
    retry_later(client);
    client->on_lost(client->context, reason);
}

static void lost_by_system(struct websocket_client *client, int status)
{
    lost(client, status == UV_EOF ? "the server closed the connection" : uv_strerror(status));
}

struct write_request {
    uv_write_t base;
    char data[];
};

static void on_written(uv_write_t *write, int status)
{
    struct link *link = write->handle->data;
    struct websocket_client *client = link->client;
    free(write);
    if (status < 0 && client->link == link && client->state != BROKEN)
        lost_by_system(client, status);
}

static bool write_later(struct link *link, const char *data, size_t length)
{
    struct write_request *request = malloc(sizeof *request + length);
    if (request == NULL)
        return false;
    memcpy(request->data, data, length);
    const uv_buf_t part = uv_buf_init(request->data, (unsigned)length);
    if (uv_write(&request->base, (uv_stream_t *)link->tcp, &part, 1, on_written) == 0)
        return true;
    free(request);
    return false;
}

/* Returns NULL, or why the connection is lost. */
static const char *write_bytes(struct link *link, const char *data, size_t length)
{
    uv_stream_t *stream = (uv_stream_t *)link->tcp;
    const uv_buf_t part = uv_buf_init((char *)(uintptr_t)data, (unsigned)length);
    if (length == 0)
        return NULL;
    if (uv_stream_get_write_queue_size(stream) > UNSENT_MAX)
        return "the server does not read";
    int written = uv_try_write(stream, &part, 1);
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0)
        return uv_strerror(written);
    const size_t rest = length - (size_t)written;
    if (rest > 0 && !write_later(link, data + written, rest))
        return "no memory to send";
    return NULL;
}

static ssize_t on_frame_output(wslay_event_context_ptr events, const uint8_t *data, size_t size,
                               int flags, void *user)
{
    struct link *link = user;
    (void)flags;
    if (size > link->output_capacity - link->output_length) {
        const size_t capacity = (link->output_length + size) * 2;
        char *grown = realloc(link->output, capacity);
        if (grown == NULL) {
            wslay_event_set_error(events, WSLAY_ERR_CALLBACK_FAILURE);
            return -1;
        }
        link->output = grown;
        link->output_capacity = capacity;
    }
    memcpy(link->output + link->output_length, data, size);
    link->output_length += size;
    return (ssize_t)size;
}

/* Masks are not to be guessed (RFC 6455 10.3). */
static int on_mask(wslay_event_context_ptr events, uint8_t *mask, size_t size, void *user)
{
    (void)events;
    (void)user;
    random_system(mask, size);
    return 0;
}

/* Sends what is queued. Returns NULL, or why the connection is lost. */
static const char *flush(struct link *link)
{
    if (wslay_event_send(link->events) != 0)
        return "no memory to send";
    const size_t length = link->output_length;
    link->output_length = 0;
    return write_bytes(link, link->output, length);
}

static ssize_t on_frame_input(wslay_event_context_ptr events, uint8_t *data, size_t size, int flags,
                              void *user)
{
    struct link *link = user;
    (void)flags;
    if (link->input_length == 0 || link->client->link != link) {
        wslay_event_set_error(events, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    const size_t taken = size < link->input_length ? size : link->input_length;
    memcpy(data, link->input, taken);
    link->input += taken;
    link->input_length -= taken;
    return (ssize_t)taken;
}

static void on_frame_message(wslay_event_context_ptr events,
                             const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    struct link *link = user;
    struct websocket_client *client = link->client;
    (void)events;
    if (message->opcode != WSLAY_TEXT_FRAME || client->link != link || client->state != OPEN)
        return;
    client->on_text(client->context,
                    (struct slice){(const char *)message->msg, message->msg_length});
}

/* Why wslay wants to end the connection; NULL if it does not. */
static const char *goodbye(struct link *link)
{
    struct websocket_client *client = link->client;
    if (wslay_event_get_close_received(link->events) != 0)
        (void)snprintf(client->reason, sizeof client->reason,
                       "the server closed the WebSocket with code %u",
                       wslay_event_get_status_code_received(link->events));
    else if (wslay_event_get_close_sent(link->events) == 0)
        return NULL;
    else if (wslay_event_get_status_code_sent(link->events) == WSLAY_CODE_MESSAGE_TOO_BIG)
        (void)snprintf(client->reason, sizeof client->reason,
                       "the server sent a message of more than %zu bytes",
                       client->message_bytes_max);
    else if (wslay_event_get_status_code_sent(link->events) ==
             WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA)
        return "the server sent a text that is not UTF-8";
    else
        return broke_protocol;
    return client->reason;
}

static size_t extended_length(const struct frame_watch *frames)
{
    const uint8_t length = frames->head[1] & 0x7f;
    return length == 126 ? 2 : length == 127 ? 8 : 0;
}

static uint64_t payload_length(const struct frame_watch *frames)
{
    const size_t extended = extended_length(frames);
    uint64_t length = 0;
    if (extended == 0)
        return frames->head[1];
    for (size_t i = 0; i < extended; i++)
        length = length << 8 | frames->head[2 + i];
    return length;
}

/* Whether one of the frames that begin in these bytes is masked: a server's never are (RFC 6455
 * 5.1). */
static bool sees_mask(struct frame_watch *frames, const char *data, size_t length)
{
    while (length > 0) {
        if (frames->payload_left > 0) {
            const size_t skipped =
                length < frames->payload_left ? length : (size_t)frames->payload_left;
            frames->payload_left -= skipped;
            data += skipped;
            length -= skipped;
            continue;
        }
        frames->head[frames->head_length++] = (uint8_t)*data++;
        length--;
        if (frames->head_length < 2)
            continue;
        if ((frames->head[1] & 0x80) != 0)
            return true;
        if (frames->head_length < 2 + extended_length(frames))
            continue;
        frames->payload_left = payload_length(frames);
        frames->head_length = 0;
    }
    return false;
}

static void receive(struct link *link, const char *data, size_t length)
{
    struct websocket_client *client = link->client;
    if (sees_mask(&link->frames, data, length)) {
        lost(client, "the server sent a masked frame");
        return;
    }
    link->input = data;
    link->input_length = length;
    link->receiving = true;
    const int status = wslay_event_recv(link->events);
    link->receiving = false;
    link->input_length = 0;
    if (client->link != link || client->state != OPEN)
        return;
    const char *reason = flush(link);
    if (status == WSLAY_ERR_NOMEM)
        reason = "no memory to receive";
    else if (status != 0) /* a malformed frame, for our callback does not fail */
        reason = broke_protocol;
    else if (reason == NULL)
        reason = goodbye(link);
    if (reason != NULL)
        lost(client, reason);
}

static bool ping(struct link *link)
{
    const struct wslay_event_msg message = {.opcode = WSLAY_PING};
    const char *reason = "no memory to send";
    if (wslay_event_queue_msg(link->events, &message) == 0)
        reason = flush(link);
    if (reason != NULL)
        lost(link->client, reason);
    return reason == NULL;
}

static void on_watchdog(uv_timer_t *timer)
{
    struct websocket_client *client = timer->data;
    struct link *link = client->link;
    const uint64_t now_ms = uv_now(client->loop);
    if (client->state == HANDSHAKING) {
        lost(client, "the server does not answer the handshake");
        return;
    }
    if (client->state != OPEN)
        return;
    if (now_ms - link->received_ms >= 2 * client->ping_ms) {
        (void)snprintf(client->reason, sizeof client->reason, "nothing came for %llu ms",
                       (unsigned long long)(now_ms - link->received_ms));
        lost(client, client->reason);
        return;
    }
    if (now_ms - link->pinged_ms >= client->ping_ms) {
        link->pinged_ms = now_ms;
        if (!ping(link))
            return;
    }
    const uint64_t next_ping_ms = link->pinged_ms + client->ping_ms;
    const uint64_t silent_ms = link->received_ms + 2 * client->ping_ms;
    (void)uv_timer_start(timer, on_watchdog,
                         (next_ping_ms < silent_ms ? next_ping_ms : silent_ms) - now_ms, 0);
}

static int on_header_field(http_parser *parser, const char *data, size_t length)
{
    struct answer *answer = parser->data;
    if (answer->in_value)
        answer->field_length = 0;
    answer->in_value = false;
    if (answer->field_length < FIELD_SIZE && length <= FIELD_SIZE - answer->field_length)
        memcpy(answer->field + answer->field_length, data, length);
    answer->field_length += length;
    return 0;
}

static enum header find_header(const struct answer *answer)
{
    for (enum header header = 0; header < HEADER_ANSWER_COUNT; header++)
        if (answer->field_length == strlen(header_names[header]) &&
            strncasecmp(answer->field, header_names[header], answer->field_length) == 0)
            return header;
    return HEADER_ANSWER_COUNT;
}

/* A header that comes twice is run together, which none of those that matter survives. */
static int on_header_value(http_parser *parser, const char *data, size_t length)
{
    struct answer *answer = parser->data;
    if (!answer->in_value)
        answer->header = find_header(answer);
    answer->in_value = true;
    if (answer->header == HEADER_ANSWER_COUNT)
        return 0;
    size_t *used = &answer->lengths[answer->header];
    if (*used < VALUE_SIZE && length <= VALUE_SIZE - *used)
        memcpy(answer->values[answer->header] + *used, data, length);
    *used += length;
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    http_parser_pause(parser, 1);
    return 0;
}

/* A refusal's body is of no interest: the parser stops at the head's end. */
static int on_headers_complete(http_parser *parser)
{
    (void)parser;
    return 1;
}

static const struct http_parser_settings parser_settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
};

static bool value_is(const struct answer *answer, enum header header, const char *text)
{
    const char *value = answer->values[header];
    size_t length = answer->lengths[header];
    if (length > VALUE_SIZE)
        return false;
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    return length == strlen(text) && strncasecmp(value, text, length) == 0;
}

/* Returns NULL if the server accepts (RFC 6455 4.1), otherwise why not. */
static const char *judge(struct websocket_client *client, const struct answer *answer)
{
    if (answer->parser.status_code != 101) {
        (void)snprintf(client->reason, sizeof client->reason,
                       "the server answered the handshake with status %u",
                       answer->parser.status_code);
        return client->reason;
    }
    /* The parser has seen both Upgrade and "Connection: upgrade". */
    if (!answer->parser.upgrade || !value_is(answer, HEADER_ANSWER_UPGRADE, "websocket"))
        return "the server does not upgrade to a WebSocket";
    /* value_is() takes no notice of case, which matters in base64. */
    if (!value_is(answer, HEADER_ANSWER_ACCEPT, answer->expected) ||
        memcmp(answer->values[HEADER_ANSWER_ACCEPT], answer->expected, strlen(answer->expected)) !=
            0)
        return "the server answered the handshake of another client";
    if (answer->lengths[HEADER_ANSWER_EXTENSIONS] > 0 ||
        answer->lengths[HEADER_ANSWER_PROTOCOL] > 0)
        return "the server wants an extension or a subprotocol that nobody asked for";
    return NULL;
}

static void open_link(struct link *link, const char *rest, size_t length)
{
    struct websocket_client *client = link->client;
    client->state = OPEN;
    link->pinged_ms = uv_now(client->loop);
    (void)uv_timer_start(&client->watchdog, on_watchdog, client->ping_ms, 0);
    client->on_open(client->context);
    client->retry_ms = client->retry_min_ms;
    if (client->link == link && client->state == OPEN && length > 0)
        receive(link, rest, length);
}

static void read_answer(struct link *link, const char *data, size_t length)
{
    struct websocket_client *client = link->client;
    struct answer *answer = &link->answer;
    const size_t room = HEAD_BYTES_MAX - answer->bytes;
    const size_t used =
        http_parser_execute(&answer->parser, &parser_settings, data, length < room ? length : room);
    const enum http_errno status = HTTP_PARSER_ERRNO(&answer->parser);
    answer->bytes += used;
    if (status == HPE_PAUSED || answer->parser.upgrade) {
        const char *reason = judge(client, answer);
        if (reason != NULL)
            lost(client, reason);
        else
            open_link(link, data + used, length - used);
    } else if (status != HPE_OK) {
        lost(client, "the server does not answer the handshake in HTTP");
    } else if (answer->bytes >= HEAD_BYTES_MAX) {
        lost(client, "the head of the server's answer has more than 8192 bytes");
    }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct link *link = stream->data;
    struct websocket_client *client = link->client;
    if (client->state == BROKEN || count == 0)
        return;
    if (count < 0) {
        lost_by_system(client, (int)count);
        return;
    }
    link->received_ms = uv_now(client->loop);
    if (client->state == HANDSHAKING)
        read_answer(link, buffer->base, (size_t)count);
    else
        receive(link, buffer->base, (size_t)count);
}

/* What was read is consumed before the next read, of this link or a later one. */
static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct websocket_client *client = ((struct link *)handle->data)->client;
    (void)suggested;
    *buffer = uv_buf_init(client->read_buffer, sizeof client->read_buffer);
}

static struct link *create_link(struct websocket_client *client, uv_tcp_t *tcp)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_frame_input,
        .send_callback = on_frame_output,
        .genmask_callback = on_mask,
        .on_msg_recv_callback = on_frame_message,
    };
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    if (wslay_event_context_client_init(&link->events, &callbacks, link) != 0) {
        free(link);
        return NULL;
    }
    wslay_event_config_set_max_recv_msg_length(link->events, client->message_bytes_max);
    http_parser_init(&link->answer.parser, HTTP_RESPONSE);
    link->answer.parser.data = &link->answer;
    link->client = client;
    link->tcp = tcp;
    link->received_ms = uv_now(client->loop);
    tcp->data = link;
    client->link = link;
    client->links_open++;
    return link;
}

static const char *send_handshake(struct link *link)
{
    const struct websocket_client *client = link->client;
    char head[REQUEST_HEAD_MAX + 160];
    unsigned char nonce[16];
    char key[25];
    random_system(nonce, sizeof nonce);
    (void)EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
    if (!websocket_accept_key(slice_of(key), link->answer.expected))
        return "SHA-1 is not to be had";
    const int length =
        snprintf(head, sizeof head,
                 "%.*sUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: %s\r\n\r\n",
                 (int)client->head_length, client->head, key);
    return write_bytes(link, head, (size_t)length);
}

static void free_tcp(uv_handle_t *handle)
{
    free(handle);
}

static void on_dialed(void *context, uv_tcp_t *tcp, const char *reason)
{
    struct websocket_client *client = context;
    client->dial = NULL;
    if (client->state == CLOSING) {
        finish_close(client);
        return;
    }
    if (tcp == NULL) {
        lost(client, reason);
        return;
    }
    struct link *link = create_link(client, tcp);
    if (link == NULL) {
        uv_close((uv_handle_t *)tcp, free_tcp);
        lost(client, "no memory for the connection");
        return;
    }
    client->state = HANDSHAKING;
    (void)uv_tcp_nodelay(tcp, 1);
    (void)uv_timer_start(&client->watchdog, on_watchdog, 2 * client->ping_ms, 0);
    const char *fault = send_handshake(link);
    if (fault == NULL && uv_read_start((uv_stream_t *)tcp, on_allocate, on_read) != 0)
        fault = "the connection broke at once";
    if (fault != NULL)
        lost(client, fault);
}

static void connect_now(struct websocket_client *client)
{
    log_write(&client->log, LOG_DEBUG, "connecting to %s port %u", client->host, client->port);
    client->state = DIALING;
    client->dial = dial_start(client->loop, &(struct dial_options){
                                                .host = client->host,
                                                .port = client->port,
                                                .limit_ms = 2 * client->ping_ms,
                                                .on_done = on_dialed,
                                                .context = client,
                                            });
    if (client->dial == NULL)
        lost(client, "no memory to look the host's name up");
}

static void on_retry(uv_timer_t *timer)
{
    struct websocket_client *client = timer->data;
    if (client->state == BROKEN)
        lost(client, client->reason);
    else
        connect_now(client);
}

static uint64_t at_least_one(uint64_t value_ms)
{
    return value_ms > 0 ? value_ms : 1;
}

static void start_timers(struct websocket_client *client)
{
    (void)uv_timer_init(client->loop, &client->retry);
    (void)uv_timer_init(client->loop, &client->watchdog);
    client->retry.data = client;
    client->watchdog.data = client;
    client->timers_open = 2;
    (void)uv_timer_start(&client->retry, on_retry, 0, 0);
}

struct websocket_client *websocket_client_create(uv_loop_t *loop,
                                                 const struct websocket_client_options *options,
                                                 const struct log *log, struct error *error)
{
    const struct url *url = options->url;
    char head[REQUEST_HEAD_MAX];
    uint64_t seed;
    if (strcmp(url->scheme, "ws") != 0) {
        (void)error_set(error, ERROR_INVALID, "URL: %s needs a proxy: only ws is spoken here",
                        url->scheme);
        return NULL;
    }
    const size_t head_length = request_head("GET", url, head, error);
    if (head_length == 0)
        return NULL;
    struct websocket_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the connection to %.64s", url->host);
        return NULL;
    }
    random_system(&seed, sizeof seed);
    random_seed(&client->random, seed);
    client->loop = loop;
    client->log = log_for_part(log, "websocket");
    memcpy(client->host, url->host, sizeof client->host);
    client->port = url->port != 0 ? url->port : CLIENT_HTTP_PORT;
    memcpy(client->head, head, head_length);
    client->head_length = head_length;
    client->ping_ms = at_least_one(options->ping_ms);
    client->retry_min_ms = at_least_one(options->retry_min_ms);
    client->retry_max_ms =
        options->retry_max_ms > client->retry_min_ms ? options->retry_max_ms : client->retry_min_ms;
    client->retry_ms = client->retry_min_ms;
    client->message_bytes_max = options->message_bytes_max;
    client->on_open = options->on_open;
    client->on_lost = options->on_lost;
    client->on_text = options->on_text;
    client->context = options->context;
    start_timers(client);
    return client;
}

/* The owner is not called back from within its own call. */
static void break_later(struct websocket_client *client, const char *reason)
{
    (void)snprintf(client->reason, sizeof client->reason, "%s", reason);
    client->state = BROKEN;
    (void)uv_read_stop((uv_stream_t *)client->link->tcp);
    (void)uv_timer_start(&client->retry, on_retry, 0, 0);
}

static bool has_room(const struct link *link, size_t length)
{
    const size_t waiting = uv_stream_get_write_queue_size((const uv_stream_t *)link->tcp) +
                           wslay_event_get_queued_msg_length(link->events);
    return waiting < UNSENT_MAX && length <= UNSENT_MAX - waiting;
}

bool websocket_client_send(struct websocket_client *client, struct slice text)
{
    struct link *link = client->link;
    const struct wslay_event_msg message = {
        .opcode = WSLAY_TEXT_FRAME,
        .msg = (const uint8_t *)text.data,
        .msg_length = text.length,
    };
    if (client->state != OPEN || !has_room(link, text.length) ||
        wslay_event_queue_msg(link->events, &message) != 0)
        return false;
    if (link->receiving)
        return true;
    const char *reason = flush(link);
    if (reason != NULL)
        break_later(client, reason);
    return reason == NULL;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct websocket_client *client = handle->data;
    client->timers_open--;
    finish_close(client);
}

void websocket_client_close(struct websocket_client *client, void (*done)(void *context),
                            void *context)
{
    if (client->state == OPEN &&
        wslay_event_queue_close(client->link->events, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0) == 0)
        (void)flush(client->link);
    client->state = CLOSING;
    client->done = done;
    client->done_context = context;
    drop_link(client);
    if (client->dial != NULL)
        dial_cancel(client->dial);
    uv_close((uv_handle_t *)&client->retry, on_timer_closed);
    uv_close((uv_handle_t *)&client->watchdog, on_timer_closed);
}
