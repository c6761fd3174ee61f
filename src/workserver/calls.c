/* Calls: requests that came by POST or WebSocket, until each has its answer. */
#include "base/clock.h"
#include "workserver/workserver_internal.h"

#include <stdlib.h>

static const char json_type[] = "application/json";

/* One WebSocket, and the calls of it that wait. */
struct connection {
    uint64_t opened_us;
    bool local;
    struct call *calls;
};

/* One request that waits: a POST's exchange or a WebSocket's message. */
struct call {
    struct http_exchange *exchange; /* NULL: of a WebSocket. */
    struct websocket *socket;
    struct call *previous; /* Of its WebSocket. */
    struct call *next;
    queue_waiter waiter;
    size_t id_length;
    char id[]; /* Its JSON text, echoed. */
};

/* Where a request came from. */
struct origin {
    struct http_exchange *exchange;
    struct websocket *socket;
    uint64_t opened_us;
    bool local; /* From this machine. */
};

bool calls_is_local(const char *peer)
{
    return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0 ||
           strncmp(peer, "::ffff:127.", 11) == 0;
}

void calls_respond(struct workserver *server, struct http_exchange *exchange, int status,
                   struct slice body)
{
    char headers[512];
    const char *origin = server->options->cors_origin;
    if (origin != NULL)
        (void)snprintf(headers, sizeof headers,
                       "Access-Control-Allow-Origin: %s\r\n"
                       "Access-Control-Allow-Headers: content-type\r\n"
                       "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n",
                       origin);
    http_respond(exchange, &(struct http_response){.status = status,
                                                   .content_type = json_type,
                                                   .headers = origin != NULL ? headers : NULL,
                                                   .body = body});
}

static void reply(struct workserver *server, const struct origin *origin, int status,
                  struct slice body)
{
    if (origin->exchange != NULL)
        calls_respond(server, origin->exchange, status, body);
    else
        websocket_send(origin->socket, body);
}

/* An answer is built in memory of its size: ids may be as long as a body. */
static char *make_buffer(struct slice id)
{
    return malloc(RPC_ANSWER_ROOM + id.length);
}

static void reply_fault(struct workserver *server, const struct origin *origin,
                        const struct rpc_fault *fault, struct slice id)
{
    char *buffer = make_buffer(id);
    if (buffer == NULL) {
        reply(server, origin, 503, slice_of("{\"error\":\"Out of memory\"}"));
        return;
    }
    const size_t length = rpc_write_fault(buffer, fault, id);
    reply(server, origin, fault->status, (struct slice){buffer, length});
    free(buffer);
}

static struct call *create_call(const struct origin *origin, struct slice id)
{
    struct call *call = malloc(sizeof *call + id.length);
    if (call == NULL)
        return NULL;
    *call = (struct call){
        .exchange = origin->exchange, .socket = origin->socket, .id_length = id.length};
    memcpy(call->id, id.data == NULL ? "" : id.data, id.length);
    if (origin->exchange != NULL) {
        http_exchange_set_user(origin->exchange, call);
        return call;
    }
    struct connection *connection = websocket_user(origin->socket);
    call->next = connection->calls;
    if (call->next != NULL)
        call->next->previous = call;
    connection->calls = call;
    return call;
}

static void free_call(struct call *call)
{
    if (call->socket != NULL) {
        struct connection *connection = websocket_user(call->socket);
        if (call->previous != NULL)
            call->previous->next = call->next;
        else
            connection->calls = call->next;
        if (call->next != NULL)
            call->next->previous = call->previous;
    }
    free(call);
}

/* The first call of a WebSocket that is gone; it has no part of it any more. */
static struct call *take_call(struct connection *connection)
{
    struct call *call = connection->calls;
    if (call == NULL)
        return NULL;
    connection->calls = call->next;
    if (call->next != NULL)
        call->next->previous = NULL;
    call->socket = NULL;
    return call;
}

static struct slice id_of(const struct call *call)
{
    return (struct slice){call->id, call->id_length};
}

static struct origin origin_of(const struct call *call)
{
    return (struct origin){.exchange = call->exchange, .socket = call->socket};
}

static void end_with_fault(struct workserver *server, struct call *call,
                           const struct rpc_fault *fault)
{
    const struct origin origin = origin_of(call);
    reply_fault(server, &origin, fault, id_of(call));
    free_call(call);
}

static const struct rpc_fault *fault_of(enum queue_answer answer)
{
    switch (answer) {
    case QUEUE_CANCELLED:
        return &rpc_cancelled;
    case QUEUE_FULL:
        return &rpc_full;
    case QUEUE_TIMEOUT:
        return &rpc_timeout;
    default:
        return &rpc_failed;
    }
}

static void end_with_work(struct workserver *server, struct call *call,
                          const struct queue_action *action)
{
    const struct origin origin = origin_of(call);
    char *buffer = make_buffer(id_of(call));
    if (buffer == NULL) {
        reply_fault(server, &origin, &rpc_failed, (struct slice){NULL, 0});
        free_call(call);
        return;
    }
    const size_t length = rpc_write_work(buffer, &action->root, action->nonce, action->value,
                                         server->options->rules.network->send, id_of(call));
    reply(server, &origin, 200, (struct slice){buffer, length});
    free(buffer);
    free_call(call);
}

static void end_benchmark(struct workserver *server)
{
    struct benchmark *benchmark = &server->benchmark;
    struct call *call = benchmark->call;
    const struct origin origin = origin_of(call);
    const double ms = (double)(clock_monotonic_us() - benchmark->begun_us) / 1000;
    char *buffer = make_buffer(id_of(call));
    benchmark->call = NULL;
    if (buffer == NULL || benchmark->failed) {
        free(buffer);
        end_with_fault(server, call, &rpc_benchmark_failed);
        return;
    }
    const size_t length = rpc_write_benchmark(buffer, benchmark->request.threshold,
                                              server->options->rules.network->send,
                                              benchmark->request.count, ms, id_of(call));
    reply(server, &origin, 200, (struct slice){buffer, length});
    free(buffer);
    free_call(call);
}

/* Another root is asked for when the core's actions have been carried out. */
static void on_benchmark_answer(struct workserver *server, const struct queue_action *action)
{
    struct benchmark *benchmark = &server->benchmark;
    benchmark->waiter = 0;
    benchmark->left--;
    benchmark->failed |= action->answer != QUEUE_FOUND;
    if (benchmark->left == 0 || benchmark->failed)
        end_benchmark(server);
    else
        benchmark->due = true;
}

/* A token is the call's address, or 0 for the benchmark. */
void calls_answer(struct workserver *server, const struct queue_action *action)
{
    struct call *call = (struct call *)(uintptr_t)action->token;
    if (call == NULL)
        on_benchmark_answer(server, action);
    else if (action->answer == QUEUE_FOUND)
        end_with_work(server, call, action);
    else
        end_with_fault(server, call, fault_of(action->answer));
}

bool calls_continue_benchmark(struct workserver *server)
{
    struct benchmark *benchmark = &server->benchmark;
    struct queue_request request = {.threshold = benchmark->request.threshold};
    if (!benchmark->due)
        return false;
    benchmark->due = false;
    for (size_t i = 0; i < sizeof request.root.bytes; i++)
        request.root.bytes[i] = (uint8_t)random_next(&server->random);
    request.opened_us = UINT64_MAX; /* No cancel is older: it is for nobody's root. */
    benchmark->waiter = queue_core_request(server->core, clock_monotonic_us(), &request);
    return true;
}

static void serve_benchmark(struct workserver *server, const struct origin *origin,
                            const struct rpc_request *request)
{
    struct benchmark *benchmark = &server->benchmark;
    if (!origin->local || benchmark->call != NULL) {
        reply_fault(server, origin, origin->local ? &rpc_benchmark_busy : &rpc_benchmark_forbidden,
                    request->id);
        return;
    }
    struct call *call = create_call(origin, request->id);
    if (call == NULL) {
        reply_fault(server, origin, &rpc_benchmark_failed, request->id);
        return;
    }
    *benchmark = (struct benchmark){.call = call,
                                    .left = request->count,
                                    .begun_us = clock_monotonic_us(),
                                    .request = *request,
                                    .due = true};
    benchmark->request.id = (struct slice){NULL, 0};
    if (calls_continue_benchmark(server))
        workserver_act(server);
}

static void serve_generate(struct workserver *server, const struct origin *origin,
                           const struct rpc_request *request)
{
    struct call *call = create_call(origin, request->id);
    if (call == NULL) {
        reply_fault(server, origin, &rpc_full, request->id);
        return;
    }
    /* When it is answered at once the call is gone when the actions have been carried out. */
    const queue_waiter waiter = queue_core_request(server->core, clock_monotonic_us(),
                                                   &(struct queue_request){
                                                       .token = (uint64_t)(uintptr_t)call,
                                                       .root = request->root,
                                                       .threshold = request->threshold,
                                                       .priority = request->priority,
                                                       .opened_us = origin->opened_us,
                                                   });
    call->waiter = waiter;
    workserver_act(server);
}

static void serve_small(struct workserver *server, const struct origin *origin,
                        const struct rpc_request *request)
{
    struct queue_stats stats;
    size_t length;
    char *buffer = make_buffer(request->id);
    if (buffer == NULL) {
        reply_fault(server, origin, &rpc_failed, (struct slice){NULL, 0});
        return;
    }
    if (request->kind == RPC_VALIDATE) {
        length = rpc_write_validation(buffer, request, server->options->rules.network);
    } else if (request->kind == RPC_CANCEL) {
        length = rpc_write_cancel(buffer, request->id);
    } else {
        queue_core_stats(server->core, &stats);
        length = rpc_write_status(buffer, stats.running > 0, stats.waiting, request->id);
    }
    reply(server, origin, 200, (struct slice){buffer, length});
    free(buffer);
}

/* The cancelled are told before the canceller: so a client that waits for the latter has the
 * former. */
static void serve_cancel(struct workserver *server, const struct origin *origin,
                         const struct rpc_request *request)
{
    queue_core_cancel(server->core, clock_monotonic_us(), &request->root, origin->opened_us);
    workserver_act(server);
    serve_small(server, origin, request);
}

static void serve(struct workserver *server, const struct origin *origin, struct slice body)
{
    struct rpc_request request;
    struct rpc_fault fault;
    if (!rpc_parse(body, &server->options->rules, &request, &fault))
        reply_fault(server, origin, &fault, request.id);
    else if (request.kind == RPC_GENERATE)
        serve_generate(server, origin, &request);
    else if (request.kind == RPC_BENCHMARK)
        serve_benchmark(server, origin, &request);
    else if (request.kind == RPC_CANCEL)
        serve_cancel(server, origin, &request);
    else
        serve_small(server, origin, &request);
}

static void leave(struct workserver *server, struct call *call)
{
    struct benchmark *benchmark = &server->benchmark;
    queue_waiter waiter = call->waiter;
    if (benchmark->call == call) {
        waiter = benchmark->waiter;
        *benchmark = (struct benchmark){.call = NULL};
    }
    free_call(call);
    queue_core_leave(server->core, clock_monotonic_us(), waiter);
    workserver_act(server);
}

static void on_request(void *context, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct workserver *server = context;
    const struct origin origin = {.exchange = exchange,
                                  .opened_us = request->opened_us,
                                  .local = calls_is_local(request->peer)};
    if (server->stopping) {
        reply_fault(server, &origin, &rpc_cancelled, (struct slice){NULL, 0});
        return;
    }
    if (pages_serve(server, exchange, request))
        return;
    if (!slice_is(request->method, "POST")) {
        calls_respond(server, exchange, 405, slice_of("{\"error\":\"Can only POST requests\"}"));
        return;
    }
    serve(server, &origin, request->body);
}

static void on_gone(void *context, struct http_exchange *exchange)
{
    struct call *call = http_exchange_user(exchange);
    if (call != NULL)
        leave(context, call);
}

/* A browser lets every page open a WebSocket anywhere: the server must look whose it is. */
static bool may_ask(const struct workserver *server, struct slice origin)
{
    const char *allowed = server->options->cors_origin;
    return origin.length == 0 ||
           (allowed != NULL && (strcmp(allowed, "*") == 0 || slice_is(origin, allowed)));
}

static bool on_upgrade(void *context, const struct http_request *request)
{
    const struct workserver *server = context;
    return !server->stopping && slice_is(request->path, "/websocket") &&
           may_ask(server, request->origin);
}

static void on_open(void *context, struct websocket *socket, const struct http_request *request)
{
    (void)context;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        websocket_close(socket, 1013);
        return;
    }
    connection->opened_us = request->opened_us;
    connection->local = calls_is_local(request->peer);
    websocket_set_user(socket, connection);
}

static void on_message(void *context, struct websocket *socket, struct slice text)
{
    const struct connection *connection = websocket_user(socket);
    if (connection != NULL)
        serve(context,
              &(struct origin){
                  .socket = socket, .opened_us = connection->opened_us, .local = connection->local},
              text);
}

static void on_close(void *context, struct websocket *socket)
{
    struct connection *connection = websocket_user(socket);
    if (connection == NULL)
        return;
    for (struct call *call = take_call(connection); call != NULL; call = take_call(connection))
        leave(context, call);
    free(connection);
}

struct http_handlers calls_handlers(struct workserver *server)
{
    return (struct http_handlers){
        .on_request = on_request,
        .on_gone = on_gone,
        .on_upgrade = on_upgrade,
        .on_open = on_open,
        .on_message = on_message,
        .on_close = on_close,
        .context = server,
    };
}
