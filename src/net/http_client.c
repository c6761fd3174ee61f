#include "net/http_client.h"

#include "net/http_client_internal.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>

enum call_state {
    CALL_DIALING,
    CALL_EXCHANGING, /* The request is being sent, or the answer read. */
    CALL_OVER,       /* Told or given up; freed when its handles have closed. */
};

struct http_call {
    enum call_state state;
    struct dial *dial; /* NULL when it has told its end. */
    uv_tcp_t *tcp;
    uv_timer_t timer;
    bool timer_closed;
    uv_write_t write;
    char *request; /* Head and body. */
    size_t request_length;
    uint64_t timeout_ms;
    struct http_parser parser;
    bool complete; /* The parser has seen the end of the answer. */
    char *body;
    size_t body_length;
    size_t body_capacity;
    size_t response_max;
    const char *fault; /* Why a callback has stopped the parser; NULL for none. */
    void (*on_response)(void *context, int status, struct slice body);
    void (*on_failure)(void *context, const char *reason);
    void *context;
    char reason[CLIENT_REASON_SIZE];
    char read_buffer[CLIENT_READ_BYTES];
};

static void release(struct http_call *call)
{
    if (call->dial != NULL || call->tcp != NULL || !call->timer_closed)
        return;
    free(call->request);
    free(call->body);
    free(call);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_call *call = handle->data;
    call->timer_closed = true;
    release(call);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct http_call *call = handle->data;
    free(handle);
    call->tcp = NULL;
    release(call);
}

static void close_handles(struct http_call *call)
{
    uv_close((uv_handle_t *)&call->timer, on_timer_closed);
    if (call->tcp != NULL)
        uv_close((uv_handle_t *)call->tcp, on_tcp_closed);
    if (call->dial != NULL)
        dial_cancel(call->dial);
}

static void fail(struct http_call *call, const char *reason)
{
    call->state = CALL_OVER;
    call->on_failure(call->context, reason);
    close_handles(call);
}

static void succeed(struct http_call *call)
{
    call->state = CALL_OVER;
    call->on_response(call->context, (int)call->parser.status_code,
                      (struct slice){call->body, call->body_length});
    close_handles(call);
}

static int stop(struct http_call *call, const char *fault)
{
    call->fault = fault;
    return -1;
}

static int stop_too_large(struct http_call *call)
{
    (void)snprintf(call->reason, sizeof call->reason, "the answer has more than %zu bytes",
                   call->response_max);
    return stop(call, call->reason);
}

static int on_headers_complete(http_parser *parser)
{
    struct http_call *call = parser->data;
    const unsigned status = parser->status_code;
    if (status < 100 || status > 599)
        return stop(call, "the answer's status is none of HTTP");
    if (status == 101)
        return stop(call, "the server changes to a protocol that nobody asked for");
    if (status >= 200 && parser->content_length != UINT64_MAX &&
        parser->content_length > call->response_max)
        return stop_too_large(call);
    return status < 200 || status == 204 || status == 304; /* these have no body */
}

static bool reserve(struct http_call *call, size_t needed)
{
    if (needed <= call->body_capacity)
        return true;
    const size_t capacity = needed > call->response_max / 2 ? call->response_max : needed * 2;
    char *grown = realloc(call->body, capacity);
    if (grown == NULL)
        return false;
    call->body = grown;
    call->body_capacity = capacity;
    return true;
}

static int on_body(http_parser *parser, const char *data, size_t length)
{
    struct http_call *call = parser->data;
    if (length > call->response_max - call->body_length)
        return stop_too_large(call);
    if (!reserve(call, call->body_length + length))
        return stop(call, "no memory for the answer");
    memcpy(call->body + call->body_length, data, length);
    call->body_length += length;
    return 0;
}

/* Answers of the class 1xx come before the one that counts. */
static int on_message_complete(http_parser *parser)
{
    struct http_call *call = parser->data;
    if (parser->status_code < 200)
        return 0;
    call->complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const struct http_parser_settings parser_settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Length 0 says that the server has closed its side, which ends some bodies. */
static void feed(struct http_call *call, const char *data, size_t length)
{
    (void)http_parser_execute(&call->parser, &parser_settings, data, length);
    const enum http_errno status = HTTP_PARSER_ERRNO(&call->parser);
    if (call->fault != NULL) {
        fail(call, call->fault);
    } else if (call->complete) {
        succeed(call);
    } else if (length == 0) {
        fail(call, "the server closed the connection before the end of its answer");
    } else if (status != HPE_OK) {
        (void)snprintf(call->reason, sizeof call->reason, "the answer is malformed: %.100s",
                       http_errno_description(status));
        fail(call, call->reason);
    }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct http_call *call = stream->data;
    if (count > 0)
        feed(call, buffer->base, (size_t)count);
    else if (count == UV_EOF)
        feed(call, NULL, 0);
    else if (count < 0)
        fail(call, uv_strerror((int)count));
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct http_call *call = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(call->read_buffer, sizeof call->read_buffer);
}

/* A server may answer, and close, before it has read the whole request: reading tells what became
 * of it. */
static void on_written(uv_write_t *write, int status)
{
    (void)write;
    (void)status;
}

static void on_dialed(void *context, uv_tcp_t *tcp, const char *reason)
{
    struct http_call *call = context;
    call->dial = NULL;
    call->tcp = tcp;
    if (call->state == CALL_OVER) {
        release(call);
        return;
    }
    if (tcp == NULL) {
        fail(call, reason);
        return;
    }
    const uv_buf_t request = uv_buf_init(call->request, (unsigned)call->request_length);
    tcp->data = call;
    call->state = CALL_EXCHANGING;
    if (uv_write(&call->write, (uv_stream_t *)tcp, &request, 1, on_written) != 0 ||
        uv_read_start((uv_stream_t *)tcp, on_allocate, on_read) != 0)
        fail(call, "the connection broke at once");
}

static void on_timeout(uv_timer_t *timer)
{
    struct http_call *call = timer->data;
    (void)snprintf(call->reason, sizeof call->reason, "no complete answer within %llu ms",
                   (unsigned long long)call->timeout_ms);
    fail(call, call->reason);
}

/* The rest of the head, and the body, after what request_head() has written. */
static bool write_request(struct http_call *call, const struct http_call_options *options,
                          const char *head, size_t head_length)
{
    char rest[512];
    const bool typed = options->content_type != NULL;
    const int rest_length =
        snprintf(rest, sizeof rest, "%s%s%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
                 typed ? "Content-Type: " : "", typed ? options->content_type : "",
                 typed ? "\r\n" : "", options->body.length);
    if (rest_length < 0 || (size_t)rest_length >= sizeof rest ||
        options->body.length > UINT32_MAX - REQUEST_HEAD_MAX - sizeof rest)
        return false;
    call->request_length = head_length + (size_t)rest_length + options->body.length;
    call->request = malloc(call->request_length);
    if (call->request == NULL)
        return false;
    memcpy(call->request, head, head_length);
    memcpy(call->request + head_length, rest, (size_t)rest_length);
    if (options->body.length > 0)
        memcpy(call->request + head_length + rest_length, options->body.data, options->body.length);
    return true;
}

static struct http_call *create(const struct http_call_options *options, struct error *error)
{
    char head[REQUEST_HEAD_MAX];
    const size_t head_length = request_head(options->method, options->url, head, error);
    if (head_length == 0)
        return NULL;
    struct http_call *call = calloc(1, sizeof *call);
    if (call == NULL || !write_request(call, options, head, head_length)) {
        free(call);
        (void)error_set(error, ERROR_MEMORY, "no memory for a request to %.64s",
                        options->url->host);
        return NULL;
    }
    call->timeout_ms = options->timeout_ms;
    call->response_max = options->response_max;
    call->on_response = options->on_response;
    call->on_failure = options->on_failure;
    call->context = options->context;
    http_parser_init(&call->parser, HTTP_RESPONSE);
    call->parser.data = call;
    return call;
}

struct http_call *http_call_start(uv_loop_t *loop, const struct http_call_options *options,
                                  struct error *error)
{
    const struct url *url = options->url;
    if (strcmp(url->scheme, "http") != 0) {
        (void)error_set(error, ERROR_INVALID, "URL: %s needs a proxy: only http is spoken here",
                        url->scheme);
        return NULL;
    }
    struct http_call *call = create(options, error);
    if (call == NULL)
        return NULL;
    call->dial = dial_start(loop, &(struct dial_options){
                                      .host = url->host,
                                      .port = url->port != 0 ? url->port : CLIENT_HTTP_PORT,
                                      .limit_ms = options->timeout_ms,
                                      .on_done = on_dialed,
                                      .context = call,
                                  });
    if (call->dial == NULL) {
        free(call->request);
        free(call);
        (void)error_set(error, ERROR_SYSTEM, "cannot start to look up %.64s", url->host);
        return NULL;
    }
    (void)uv_timer_init(loop, &call->timer);
    call->timer.data = call;
    (void)uv_timer_start(&call->timer, on_timeout, options->timeout_ms, 0);
    return call;
}

void http_call_cancel(struct http_call *call)
{
    if (call->state == CALL_OVER)
        return;
    call->state = CALL_OVER;
    close_handles(call);
}
