#include "hub/service_api.h"

#include "base/clock.h"
#include "hub/answer.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
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
    uint64_t begun_us;
    uint64_t threshold; /* Once it has reached the core. */
    bool clamped;
    bool problems; /* Errors go out as application/problem+json. */
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

static void on_checked(void *context, void *user, const struct credential_outcome *outcome);

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

void service_api_set_limits(struct service_api *api, const struct service_limits *limits)
{
    api->options.limits = *limits;
}

void service_api_forget_keys(struct service_api *api, int64_t service_id)
{
    credential_forget(api->checker, service_id);
}

/* Where an answer goes: to an exchange, which it ends, or to a WebSocket. */
struct peer {
    struct http_exchange *exchange;
    struct websocket *socket;
    bool problems;
};

static struct peer peer_of(const struct call *call)
{
    return (struct peer){call->exchange, call->socket, call->problems};
}

/* Old clients take any status but 200 for a dead server (dpow.md 3.3): others only on request.
 * Sending may find the peer gone and close the connection, so a call is unlinked from it before. */
static void send_text(const struct peer *peer, int status, unsigned retry_after_s,
                      struct slice text)
{
    char header[48];
    const bool problem = peer->problems && status != 200;
    (void)snprintf(header, sizeof header, "Retry-After: %u\r\n", retry_after_s);
    if (peer->exchange != NULL)
        http_respond(peer->exchange,
                     &(struct http_response){
                         .status = problem ? status : 200,
                         .content_type = problem ? "application/problem+json; charset=utf-8"
                                                 : "application/json; charset=utf-8",
                         .headers = problem && retry_after_s > 0 ? header : NULL,
                         .body = text,
                     });
    else if (peer->socket != NULL)
        websocket_send(peer->socket, text);
}

static struct answer_frame frame_of(const struct peer *peer, struct slice id, int status)
{
    return (struct answer_frame){id, peer->problems && status != 200 ? status : 0};
}

static struct slice call_id(const struct call *call)
{
    return (struct slice){call->id, call->id_length};
}

/* Room for an answer of at most ANSWER_ROOM bytes beside the id. */
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

/* Why a request is refused, and the status that says so to those who ask for one. */
struct refusal {
    int status;
    const char *text;
    unsigned retry_after_s;
};

static const struct refusal refused_credentials = {401, "Invalid credentials", 0};
static const struct refusal refused_suspended = {403, "Service suspended", 0};
static const struct refusal refused_no_credit = {402, "No credits left", 0};
static const struct refusal refused_busy = {503, "Server busy", 0};

/* Without memory for its id, a request is still told that something failed. */
static void send_refusal(const struct peer *peer, const struct refusal *refusal, struct slice id)
{
    struct answer_buffer buffer;
    char *data = answer_buffer_open(&buffer, id.length);
    if (data == NULL) {
        id.length = 0;
        data = answer_buffer_open(&buffer, 0);
    }
    const struct answer_frame frame = frame_of(peer, id, refusal->status);
    const size_t length = refusal->retry_after_s > 0
                              ? answer_too_many(data, refusal->retry_after_s, &frame)
                              : answer_error(data, refusal->text, &frame);
    send_text(peer, refusal->status, refusal->retry_after_s, (struct slice){data, length});
    answer_buffer_close(&buffer);
}

static void measure_refusal(struct service_api *api, uint64_t begun_us)
{
    api->counters.refused++;
    api->options.measure(api->options.context, &(struct service_measure){
                                                   .waited_us = clock_monotonic_us() - begun_us,
                                               });
}

static void refuse(struct service_api *api, struct call *call, const struct refusal *refusal)
{
    const struct peer peer = peer_of(call);
    measure_refusal(api, call->begun_us);
    unlink_from_socket(call);
    send_refusal(&peer, refusal, call_id(call));
    free_call(api, call);
}

static void refuse_field(struct service_api *api, struct call *call, const char *text)
{
    refuse(api, call, &(struct refusal){400, text, 0});
}

struct moments {
    uint64_t now_us;
    uint64_t start_us; /* Not before, by the service's rate. */
};

/* The service may go on: the core has the request. */
static void hand_over(struct service_api *api, struct call *call, struct service *service,
                      const struct service_request *request, struct moments moments)
{
    const uint64_t now_us = moments.now_us;
    call->service = service;
    call->threshold = request->threshold;
    call->clamped = request->clamped;
    call->waiter =
        hub_core_request(api->options.core, now_us,
                         &(struct hub_request){
                             .token = (uint64_t)(uintptr_t)call,
                             .service_id = service->record.id,
                             .root = request->root,
                             .threshold = request->threshold,
                             .start_us = moments.start_us,
                             .deadline_us = now_us + (uint64_t)request->timeout_s * 1000000,
                             .has_account = request->has_account,
                             .account = request->account,
                             .free = service->record.unlimited,
                         });
    api->options.act(api->options.context);
}

/* Rows 5 to 13: the key is right. */
static void proceed(struct service_api *api, struct call *call, struct service *service,
                    const struct json_object *object)
{
    struct service_request request;
    char error[SERVICE_ERROR_SIZE];
    uint64_t start_us;
    unsigned retry_after_s;
    if (service->record.ban.until_ms != 0 && service_banned(service, clock_wall_ms())) {
        refuse(api, call, &refused_suspended);
        return;
    }
    if (!service_request_check(object, &api->options.limits, &request, error)) {
        refuse_field(api, call, error);
        return;
    }
    const uint64_t now_us = clock_monotonic_us();
    const struct service_demand demand = {
        .now_us = now_us,
        .timeout_us = (uint64_t)request.timeout_s * 1000000,
        .cached = !service->record.unlimited &&
                  hub_core_has_work(api->options.core, now_us, &request.root, request.threshold),
    };
    switch (service_admit(service, &demand, &start_us, &retry_after_s)) {
    case ADMISSION_OPEN:
        hand_over(api, call, service, &request, (struct moments){now_us, start_us});
        break;
    case ADMISSION_TOO_MANY:
        refuse(api, call, &(struct refusal){429, "Too many requests", retry_after_s});
        break;
    case ADMISSION_NO_CREDIT:
        refuse(api, call, &refused_no_credit);
        break;
    }
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
                          credentials->api_key, service != NULL ? service->record.keys : NULL, call,
                          &error))
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
        refuse(api, call, &refused_credentials);
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
        refuse(api, call, &refused_credentials);
        break;
    case CREDENTIAL_UNKNOWN:
        if (!start_check(api, call, text, service, credentials))
            refuse(api, call, &refused_busy);
        break;
    }
}

static void on_checked(void *context, void *user, const struct credential_outcome *outcome)
{
    struct service_api *api = context;
    struct call *call = user;
    struct json_object object;
    struct service_credentials credentials;
    char error[SERVICE_ERROR_SIZE];
    unlink_checking(api, call);
    if (outcome->new_hash != NULL)
        api->options.rehash(api->options.context, outcome->service_id, outcome->old_hash,
                            outcome->new_hash);
    if (call->exchange == NULL && call->socket == NULL) {
        free_call(api, call);
        return;
    }
    const struct slice text = {call->text, call->text_length};
    const bool read = service_request_read(text, &object, &credentials, error);
    /* By its number: meanwhile the name may have become another service's. */
    struct service *service =
        outcome->good && read ? services_by_id(api->options.services, outcome->service_id) : NULL;
    sodium_memzero(&credentials, sizeof credentials);
    if (service == NULL)
        refuse(api, call, &refused_credentials);
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

/* Where a WebSocket's calls are kept; a peer without one has no memory left for it. */
static void link_to_socket(struct session *session, struct call *call)
{
    call->next = session->calls;
    if (call->next != NULL)
        call->next->previous = call;
    session->calls = call;
    session->count++;
    call->session = session;
}

/* A request's text has arrived. */
static void begin(struct service_api *api, const struct peer *peer, struct slice text)
{
    struct json_object object;
    struct service_credentials credentials;
    char error[SERVICE_ERROR_SIZE];
    const uint64_t begun_us = clock_monotonic_us();
    const bool read = service_request_read(text, &object, &credentials, error);
    const struct slice id = json_find(&object, "id").text;
    struct session *session = peer->socket != NULL ? session_of(peer->socket) : NULL;
    const bool full = session != NULL && session->count >= CALLS_PER_SOCKET_MAX;
    struct call *call = NULL;
    if (read && !full && (peer->socket == NULL || session != NULL))
        call = new_call(api, id);
    if (call == NULL) {
        const struct refusal refusal = !read  ? (struct refusal){400, error, 0}
                                       : full ? (struct refusal){429, "Too many requests", 0}
                                              : refused_busy;
        measure_refusal(api, begun_us);
        send_refusal(peer, &refusal, id);
        sodium_memzero(&credentials, sizeof credentials);
        return;
    }
    call->begun_us = begun_us;
    call->exchange = peer->exchange;
    call->socket = peer->socket;
    call->problems = peer->problems;
    if (peer->exchange != NULL)
        http_exchange_set_user(peer->exchange, call);
    else if (session != NULL)
        link_to_socket(session, call);
    authenticate(api, call, text, &object, &credentials);
    sodium_memzero(&credentials, sizeof credentials);
}

void service_api_post(struct service_api *api, struct http_exchange *exchange, struct slice body,
                      bool problems)
{
    begin(api, &(struct peer){exchange, NULL, problems}, body);
}

void service_api_message(struct service_api *api, struct websocket *socket, struct slice text)
{
    begin(api, &(struct peer){NULL, socket, false}, text);
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

static size_t write_internal(struct service_api *api, char *data, const struct answer_frame *frame)
{
    const uint64_t number = ++api->internal_errors;
    log_write(&api->log, LOG_ERROR, "internal error %llu: a work could not be recorded in time",
              (unsigned long long)number);
    return answer_internal(data, clock_wall_ms() * 1000, number, frame);
}

static const struct answer_kind {
    int status;
    const char *error; /* NULL: it has a form of its own. */
} answer_kinds[HUB_ANSWERS] = {
    [HUB_ANSWER_WORK] = {200, NULL},
    [HUB_ANSWER_TIMEOUT] = {504, NULL},
    [HUB_ANSWER_BUSY] = {503, "Server busy"},
    [HUB_ANSWER_STOPPED] = {503, "Server busy"},
    [HUB_ANSWER_FAILED] = {500, NULL},
    [HUB_ANSWER_REVOKED] = {401, "Invalid credentials"},
    [HUB_ANSWER_SUSPENDED] = {403, "Service suspended"},
    [HUB_ANSWER_NO_CREDIT] = {402, "No credits left"},
};

static size_t write_answer(struct service_api *api, char *data, const struct hub_action *action,
                           const struct call *call, const struct answer_frame *frame)
{
    const char *error = answer_kinds[action->reply.answer].error;
    if (error != NULL)
        return answer_error(data, error, frame);
    if (action->reply.answer == HUB_ANSWER_WORK)
        return answer_work(data, &action->reply.root, action->reply.nonce, call->clamped, frame);
    if (action->reply.answer == HUB_ANSWER_TIMEOUT)
        return answer_timeout(data, frame);
    return write_internal(api, data, frame);
}

void service_api_reply(struct service_api *api, const struct hub_action *action)
{
    struct call *call = (struct call *)(uintptr_t)action->reply.token;
    const struct peer peer = peer_of(call);
    const int status = answer_kinds[action->reply.answer].status;
    const struct answer_frame frame = frame_of(&peer, call_id(call), status);
    struct answer_buffer buffer;
    char *data = answer_buffer_open(&buffer, call->id_length);
    unlink_from_socket(call);
    api->options.measure(api->options.context,
                         &(struct service_measure){
                             .reached_core = true,
                             .answer = action->reply.answer,
                             .type = action->reply.type,
                             .threshold = call->threshold,
                             .waited_us = clock_monotonic_us() - call->begun_us,
                         });
    if (data != NULL) {
        const size_t length = write_answer(api, data, action, call, &frame);
        send_text(&peer, status, 0, (struct slice){data, length});
    } else {
        send_refusal(&peer, &refused_busy, (struct slice){NULL, 0});
    }
    answer_buffer_close(&buffer);
    free_call(api, call);
}
