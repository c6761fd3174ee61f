#include "hub/service_api.h"

#include "base/clock.h"
#include "hub/answer.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

/* One request between its arrival and its answer. Its peer is a POST exchange or a WebSocket. A
 * call whose peer leaves while its key is being checked, or while its answer is on the way from the
 * core, is an orphan, and is freed when that ends. */
struct call {
    struct call *previous; /* Among the calls of its WebSocket. */
    struct call *next;
    struct call *previous_checking; /* Among those whose key is being checked. */
    struct call *next_checking;
    struct http_exchange *exchange;
    struct websocket *socket;
    struct session *session; /* Of the WebSocket, while the call is among its calls. */
    struct service *service; /* Once admitted: to be released. */
    waiter_id waiter;
    bool checking;
    char *text; /* The request, kept while its key is being checked. */
    size_t text_length;
    size_t id_length;
    char id[];
};

/* What a WebSocket has in hand. */
struct session {
    struct call *calls;
    size_t count;
};

struct service_api {
    struct service_api_options options;
    struct log log;
    struct credential_checker *checker;
    struct call *checking;
    struct service_api_counters counters;
    uint64_t internal_errors;
};

static void on_checked(void *context, void *user, bool good);

struct service_api *service_api_create(const struct service_api_options *options,
                                       struct error *error)
{
    struct service_api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the service API");
        return NULL;
    }
    api->options = *options;
    api->log = log_for_part(options->log, "service");
    api->checker = credential_checker_create(options->loop, on_checked, api, error);
    if (api->checker == NULL) {
        free(api);
        return NULL;
    }
    return api;
}

void service_api_counters(const struct service_api *api, struct service_api_counters *counters)
{
    *counters = api->counters;
}

static struct session *session_of(struct websocket *socket)
{
    struct session *session = websocket_user(socket);
    if (session == NULL) {
        session = calloc(1, sizeof *session);
        websocket_set_user(socket, session);
    }
    return session;
}

static void unlink_from_socket(struct call *call)
{
    struct session *session = call->session;
    if (session == NULL)
        return;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        session->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    session->count--;
    call->session = NULL;
    call->socket = NULL;
}

static void link_checking(struct service_api *api, struct call *call)
{
    call->checking = true;
    call->next_checking = api->checking;
    if (api->checking != NULL)
        api->checking->previous_checking = call;
    api->checking = call;
}

static void unlink_checking(struct service_api *api, struct call *call)
{
    if (!call->checking)
        return;
    if (call->previous_checking != NULL)
        call->previous_checking->next_checking = call->next_checking;
    else
        api->checking = call->next_checking;
    if (call->next_checking != NULL)
        call->next_checking->previous_checking = call->previous_checking;
    call->checking = false;
}

static void free_call(struct service_api *api, struct call *call)
{
    unlink_checking(api, call);
    unlink_from_socket(call);
    if (call->service != NULL)
        service_release(call->service);
    if (call->text != NULL)
        sodium_memzero(call->text, call->text_length);
    free(call->text);
    free(call);
    api->counters.calls--;
}

/* The checker forgets what it has not checked; the calls are then nobody else's. */
void service_api_destroy(struct service_api *api)
{
    if (api == NULL)
        return;
    credential_checker_destroy(api->checker);
    struct call *next;
    for (struct call *call = api->checking; call != NULL; call = next) {
        next = call->next_checking;
        free_call(api, call);
    }
    free(api);
}

/* Sends an answer to an exchange, which it ends, or to a WebSocket. Sending may find the peer gone
 * and close the connection, so a call is unlinked from it before. */
static void send_text(struct http_exchange *exchange, struct websocket *socket, struct slice text)
{
    if (exchange != NULL)
        http_respond(exchange, &(struct http_response){
                                   .status = 200,
                                   .content_type = "application/json; charset=utf-8",
                                   .body = text,
                               });
    else if (socket != NULL)
        websocket_send(socket, text);
}

static struct slice call_id(const struct call *call)
{
    return (struct slice){call->id, call->id_length};
}

/* Sends an answer of at most ANSWER_ROOM bytes beside the id, made by one of answer.h's functions.
 */
enum { SMALL_ID = 512 };

struct answer_buffer {
    char *data;
    char small[ANSWER_ROOM + SMALL_ID];
};

static char *answer_buffer_open(struct answer_buffer *buffer, size_t id_length)
{
    buffer->data = id_length <= SMALL_ID ? buffer->small : malloc(ANSWER_ROOM + id_length);
    return buffer->data;
}

static void answer_buffer_close(struct answer_buffer *buffer)
{
    if (buffer->data != buffer->small)
        free(buffer->data);
}

/* Without memory for its id, a request is still told that something failed. */
static void send_error_to(struct http_exchange *exchange, struct websocket *socket,
                          const char *text, struct slice id)
{
    struct answer_buffer buffer;
    char *data = answer_buffer_open(&buffer, id.length);
    if (data == NULL) {
        id.length = 0;
        data = answer_buffer_open(&buffer, 0);
    }
    const size_t length = answer_error(data, text, id);
    send_text(exchange, socket, (struct slice){data, length});
    answer_buffer_close(&buffer);
}

static void finish_with_error(struct service_api *api, struct call *call, const char *text)
{
    struct http_exchange *exchange = call->exchange;
    struct websocket *socket = call->socket;
    api->counters.refused++;
    unlink_from_socket(call);
    send_error_to(exchange, socket, text, call_id(call));
    free_call(api, call);
}

static void finish_too_many(struct service_api *api, struct call *call, unsigned retry_after_s)
{
    struct answer_buffer buffer;
    struct websocket *socket = call->socket;
    char *data = answer_buffer_open(&buffer, call->id_length);
    if (data == NULL) {
        finish_with_error(api, call, "Too many requests");
        return;
    }
    api->counters.refused++;
    unlink_from_socket(call);
    send_text(call->exchange, socket,
              (struct slice){data, answer_too_many(data, retry_after_s, call_id(call))});
    answer_buffer_close(&buffer);
    free_call(api, call);
}

/* Rows 5 to 13: the key is right. */
static void proceed(struct service_api *api, struct call *call, struct service *service,
                    const struct json_object *object)
{
    struct service_request request;
    char error[SERVICE_ERROR_SIZE];
    const uint64_t now_us = clock_monotonic_us();
    uint64_t start_us;
    unsigned retry_after_s;
    if (!service_request_check(object, &api->options.limits, &request, error)) {
        finish_with_error(api, call, error);
        return;
    }
    const uint64_t timeout_us = (uint64_t)request.timeout_s * 1000000;
    if (!service_admit(service, now_us, timeout_us, &start_us, &retry_after_s)) {
        finish_too_many(api, call, retry_after_s);
        return;
    }
    call->service = service;
    call->waiter = hub_core_request(api->options.core, now_us,
                                    &(struct hub_request){
                                        .token = (uint64_t)(uintptr_t)call,
                                        .service_id = service->record.id,
                                        .root = request.root,
                                        .threshold = request.threshold,
                                        .start_us = start_us,
                                        .deadline_us = now_us + timeout_us,
                                    });
    api->options.act(api->options.context);
}

static bool start_check(struct service_api *api, struct call *call, struct slice text,
                        const struct service *service,
                        const struct service_credentials *credentials)
{
    struct error error;
    call->text = malloc(text.length);
    if (call->text == NULL)
        return false;
    memcpy(call->text, text.data, text.length);
    call->text_length = text.length;
    if (!credential_check(api->checker, service != NULL ? service->record.id : 0,
                          credentials->api_key, service != NULL ? service->record.key_hash : NULL,
                          call, &error))
        return false;
    link_checking(api, call);
    return true;
}

/* Row 4. */
static void authenticate(struct service_api *api, struct call *call, struct slice text,
                         const struct json_object *object,
                         const struct service_credentials *credentials)
{
    if (!credentials->well_formed) {
        finish_with_error(api, call, "Invalid credentials");
        return;
    }
    struct service *service = services_find(api->options.services, credentials->user);
    const int64_t id = service != NULL ? service->record.id : 0;
    switch (credential_recall(api->checker, id, credentials->api_key)) {
    case CREDENTIAL_GOOD:
        assert(service != NULL && "no key is good for no service");
        proceed(api, call, service, object);
        break;
    case CREDENTIAL_BAD:
        finish_with_error(api, call, "Invalid credentials");
        break;
    case CREDENTIAL_UNKNOWN:
        if (!start_check(api, call, text, service, credentials))
            finish_with_error(api, call, "Server busy");
        break;
    }
}

static void on_checked(void *context, void *user, bool good)
{
    struct service_api *api = context;
    struct call *call = user;
    struct json_object object;
    struct service_credentials credentials;
    char error[SERVICE_ERROR_SIZE];
    unlink_checking(api, call);
    if (call->exchange == NULL && call->socket == NULL) {
        free_call(api, call);
        return;
    }
    const struct slice text = {call->text, call->text_length};
    const bool read = service_request_read(text, &object, &credentials, error);
    struct service *service =
        good && read ? services_find(api->options.services, credentials.user) : NULL;
    sodium_memzero(&credentials, sizeof credentials);
    if (service == NULL)
        finish_with_error(api, call, "Invalid credentials");
    else
        proceed(api, call, service, &object);
}

static struct call *new_call(struct service_api *api, struct slice id)
{
    struct call *call = calloc(1, sizeof *call + id.length);
    if (call == NULL)
        return NULL;
    if (id.length > 0)
        memcpy(call->id, id.data, id.length);
    call->id_length = id.length;
    api->counters.calls++;
    return call;
}

/* A request's text has arrived; one of exchange and socket is given. */
static void begin(struct service_api *api, struct http_exchange *exchange, struct websocket *socket,
                  struct slice text)
{
    struct json_object object;
    struct service_credentials credentials;
    char error[SERVICE_ERROR_SIZE];
    const bool read = service_request_read(text, &object, &credentials, error);
    const struct slice id = json_find(&object, "id").text;
    struct session *session = socket != NULL ? session_of(socket) : NULL;
    if (!read || (session != NULL && session->count >= CALLS_PER_SOCKET_MAX)) {
        api->counters.refused++;
        send_error_to(exchange, socket, read ? "Too many requests" : error, id);
        return;
    }
    struct call *call = socket == NULL || session != NULL ? new_call(api, id) : NULL;
    if (call == NULL) {
        send_error_to(exchange, socket, "Server busy", (struct slice){NULL, 0});
        return;
    }
    call->exchange = exchange;
    call->socket = socket;
    if (exchange != NULL) {
        http_exchange_set_user(exchange, call);
    } else if (session != NULL) {
        call->next = session->calls;
        if (call->next != NULL)
            call->next->previous = call;
        session->calls = call;
        session->count++;
        call->session = session;
    }
    authenticate(api, call, text, &object, &credentials);
    sodium_memzero(&credentials, sizeof credentials);
}

void service_api_post(struct service_api *api, struct http_exchange *exchange, struct slice body)
{
    begin(api, exchange, NULL, body);
}

void service_api_message(struct service_api *api, struct websocket *socket, struct slice text)
{
    begin(api, NULL, socket, text);
}

/* The peer is gone. A check of the key cannot be called back, nor an answer that is on its way. */
static void abandon(struct service_api *api, struct call *call)
{
    unlink_from_socket(call);
    call->exchange = NULL;
    if (call->checking)
        return;
    if (hub_core_leave(api->options.core, clock_monotonic_us(), call->waiter))
        free_call(api, call);
    api->options.act(api->options.context);
}

void service_api_post_gone(struct service_api *api, struct http_exchange *exchange)
{
    struct call *call = http_exchange_user(exchange);
    if (call != NULL)
        abandon(api, call);
}

void service_api_socket_closed(struct service_api *api, struct websocket *socket)
{
    struct session *session = websocket_user(socket);
    if (session == NULL)
        return;
    struct call *next;
    for (struct call *call = session->calls; call != NULL; call = next) {
        next = call->next;
        abandon(api, call);
    }
    websocket_set_user(socket, NULL);
    free(session);
}

static size_t write_internal(struct service_api *api, char *data, struct slice id)
{
    const uint64_t number = ++api->internal_errors;
    log_write(&api->log, LOG_ERROR, "internal error %llu: a work could not be recorded in time",
              (unsigned long long)number);
    return answer_internal(data, clock_wall_ms() * 1000, number, id);
}

static size_t write_answer(struct service_api *api, char *data, const struct hub_action *action,
                           struct slice id)
{
    switch (action->reply.answer) {
    case HUB_ANSWER_WORK:
        return answer_work(data, &action->reply.root, action->reply.nonce, id);
    case HUB_ANSWER_TIMEOUT:
        return answer_timeout(data, id);
    case HUB_ANSWER_BUSY:
    case HUB_ANSWER_STOPPED:
        return answer_error(data, "Server busy", id);
    case HUB_ANSWER_REVOKED:
        return answer_error(data, "Invalid credentials", id);
    case HUB_ANSWER_FAILED:
        break;
    }
    return write_internal(api, data, id);
}

void service_api_reply(struct service_api *api, const struct hub_action *action)
{
    struct call *call = (struct call *)(uintptr_t)action->reply.token;
    struct answer_buffer buffer;
    struct websocket *socket = call->socket;
    char *data = answer_buffer_open(&buffer, call->id_length);
    unlink_from_socket(call);
    if (data != NULL) {
        const size_t length = write_answer(api, data, action, call_id(call));
        send_text(call->exchange, socket, (struct slice){data, length});
    } else {
        send_error_to(call->exchange, socket, "Server busy", (struct slice){NULL, 0});
    }
    answer_buffer_close(&buffer);
    free_call(api, call);
}
