/* Which HTTP path leads where (cli.md, "Hub"; dpow.md 3.3, 5.1). */
#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "hub/hub_internal.h"

#include <stdio.h>

static void respond(struct http_exchange *exchange, int status, const char *type, struct slice body)
{
    http_respond(exchange,
                 &(struct http_response){.status = status, .content_type = type, .body = body});
}

static const char json_type[] = "application/json; charset=utf-8";
static const char block_path[] = "/block/";
static const char text_type[] = "text/plain; charset=utf-8";

/* Whether a media type is named in an Accept header, in whatever order and with whatever weight. */
static bool accepts_problems(struct slice accept)
{
    static const char type[] = "application/problem+json";
    return memmem(accept.data, accept.length, type, strlen(type)) != NULL;
}

static void serve_service(struct hub *hub, struct http_exchange *exchange,
                          const struct http_request *request)
{
    service_api_post(hub->api, exchange, request->body, accepts_problems(request->accept));
}

static void serve_upcheck(struct hub *hub, struct http_exchange *exchange,
                          const struct http_request *request)
{
    (void)hub;
    (void)request;
    respond(exchange, 200, text_type, slice_of("up"));
}

/* Seconds since the last confirmed block; empty while none has been seen (dpow.md 5.1). */
static void serve_upcheck_blocks(struct hub *hub, struct http_exchange *exchange,
                                 const struct http_request *request)
{
    char text[32] = "";
    uint64_t last_us;
    (void)request;
    if (hub->watch != NULL && block_watch_last(hub->watch, &last_us))
        (void)snprintf(text, sizeof text, "%.2f",
                       (double)(clock_monotonic_us() - last_us) / 1000000);
    respond(exchange, 200, text_type, slice_of(text));
}

/* A node's HTTP callback, or POST /block/SECRET. */
static void serve_block(struct hub *hub, struct http_exchange *exchange,
                        const struct http_request *request)
{
    const size_t length = strlen(block_path);
    const struct slice path = request->path;
    if (hub->watch == NULL) {
        respond(exchange, 503, json_type, slice_of("{\"error\":\"The hub stops\"}"));
        return;
    }
    block_watch_post(hub->watch, exchange, request,
                     path.length > length ? (struct slice){path.data + length, path.length - length}
                                          : slice_of(""));
}

static const char *node_state(const struct hub *hub)
{
    static const char *const names[] = {
        [BLOCK_WATCH_NONE] = "none",
        [BLOCK_WATCH_DOWN] = "down",
        [BLOCK_WATCH_UP] = "up",
    };
    return hub->watch != NULL ? names[block_watch_state(hub->watch)] : "down";
}

static void serve_statistics(struct hub *hub, struct http_exchange *exchange,
                             const struct http_request *request)
{
    const struct board_view view = hub_view(hub);
    (void)request;
    http_respond(exchange, &(struct http_response){
                               .status = 200,
                               .content_type = json_type,
                               .headers = "Cache-Control: max-age=1\r\n",
                               .body = board_statistics(hub->board, &view),
                           });
}

static void respond_metrics(struct hub *hub, struct http_exchange *exchange)
{
    const struct board_view view = hub_view(hub);
    respond(exchange, 200, METRICS_CONTENT_TYPE, board_metrics(hub->board, &view));
}

static bool is_loopback(const char *peer)
{
    return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0 ||
           strncmp(peer, "::ffff:127.", 11) == 0;
}

/* On the services' listener, unless there is one for metrics, and for this machine only. */
static void serve_metrics(struct hub *hub, struct http_exchange *exchange,
                          const struct http_request *request)
{
    if (hub->metrics_http != NULL)
        respond(exchange, 404, json_type, slice_of("{\"error\":\"Not found\"}"));
    else if (!is_loopback(request->peer))
        respond(exchange, 403, json_type, slice_of("{\"error\":\"Forbidden\"}"));
    else
        respond_metrics(hub, exchange);
}

/* What the broker's plugin has let in and dropped, if it has said so. */
static void write_broker(struct json_writer *writer, const struct hub *hub)
{
    struct broker_counters counters;
    if (hub->link == NULL || !worker_link_broker_counters(hub->link, &counters))
        return;
    const struct {
        const char *name;
        uint64_t number;
    } members[] = {
        {"connections", counters.connections}, {"refused", counters.refused},
        {"dropped_large", counters.large},     {"dropped_malformed", counters.malformed},
        {"dropped_rate", counters.rate},       {"dropped_banned", counters.banned},
    };
    json_key(writer, "broker");
    json_begin_object(writer);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_key(writer, members[i].name);
        json_write_u64(writer, members[i].number);
    }
    json_end_object(writer);
}

static void serve_health(struct hub *hub, struct http_exchange *exchange,
                         const struct http_request *request)
{
    char data[2048];
    struct json_writer writer;
    const bool healthy = hub_healthy(hub);
    (void)request;
    json_writer_init(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "status");
    json_write_text(&writer, healthy ? "ok" : "failing");
    json_key(&writer, "reasons");
    json_begin_array(&writer);
    if (hub->store_reason[0] != '\0')
        json_write_text(&writer, hub->store_reason);
    if (hub->broker_reason[0] != '\0')
        json_write_text(&writer, hub->broker_reason);
    if (hub->phase == HUB_DRAINING)
        json_write_text(&writer, "the hub stops");
    json_end_array(&writer);
    write_broker(&writer, hub);
    json_key(&writer, "node"); /* not needed for serving: no reason to be failing */
    json_write_text(&writer, node_state(hub));
    json_end_object(&writer);
    respond(exchange, healthy ? 200 : 503, json_type, (struct slice){data, writer.length});
}

/* A path matches with and without its last slash. */
static const struct route {
    const char *path;
    const char *method;
    void (*serve)(struct hub *hub, struct http_exchange *exchange,
                  const struct http_request *request);
} routes[] = {
    {"/service/", "POST", serve_service},
    {block_path, "POST", serve_block},
    {"/upcheck/", "GET", serve_upcheck},
    {"/upcheck/blocks/", "GET", serve_upcheck_blocks},
    {"/api/statistics/", "GET", serve_statistics},
    {"/api/health/", "GET", serve_health},
    {"/metrics/", "GET", serve_metrics},
};

static bool path_is(struct slice path, const char *known)
{
    const size_t length = strlen(known);
    return (path.length == length || path.length == length - 1) &&
           memcmp(path.data, known, path.length) == 0;
}

/* What is below /block/ is for its handler to judge: a secret, perhaps. */
static struct slice routed_path(struct slice path)
{
    const size_t length = strlen(block_path);
    if (path.length > length && memcmp(path.data, block_path, length) == 0)
        path.length = length;
    return path;
}

static void on_request(void *context, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct hub *hub = context;
    const struct slice path = routed_path(request->path);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_is(path, routes[i].path))
            continue;
        const bool head = slice_is(request->method, "HEAD") && strcmp(routes[i].method, "GET") == 0;
        if (slice_is(request->method, routes[i].method) || head)
            routes[i].serve(hub, exchange, request);
        else
            respond(exchange, 405, json_type, slice_of("{\"error\":\"Method not allowed\"}"));
        return;
    }
    respond(exchange, 404, json_type, slice_of("{\"error\":\"Not found\"}"));
}

static void on_gone(void *context, struct http_exchange *exchange)
{
    struct hub *hub = context;
    service_api_post_gone(hub->api, exchange);
}

static bool on_upgrade(void *context, const struct http_request *request)
{
    (void)context;
    return path_is(request->path, "/service_ws/");
}

/* Workers reach the hub's own broker through the port of services (dpow.md 1). */
static const struct listen_address *on_tunnel(void *context, const struct http_request *request)
{
    const struct hub *hub = context;
    if (hub->broker == NULL || !path_is(request->path, "/mqtt/"))
        return NULL;
    return &broker_endpoints(hub->broker)->websocket;
}

static void on_open(void *context, struct websocket *socket, const struct http_request *request)
{
    (void)context;
    (void)socket;
    (void)request;
}

static void on_message(void *context, struct websocket *socket, struct slice text)
{
    struct hub *hub = context;
    service_api_message(hub->api, socket, text);
}

static void on_close(void *context, struct websocket *socket)
{
    struct hub *hub = context;
    service_api_socket_closed(hub->api, socket);
}

struct http_handlers hub_routes(struct hub *hub)
{
    return (struct http_handlers){
        .on_request = on_request,
        .on_gone = on_gone,
        .on_upgrade = on_upgrade,
        .on_tunnel = on_tunnel,
        .on_open = on_open,
        .on_message = on_message,
        .on_close = on_close,
        .context = hub,
    };
}

static void on_metrics_request(void *context, struct http_exchange *exchange,
                               const struct http_request *request)
{
    const bool reads = slice_is(request->method, "GET") || slice_is(request->method, "HEAD");
    if (!path_is(request->path, "/metrics/"))
        respond(exchange, 404, json_type, slice_of("{\"error\":\"Not found\"}"));
    else if (!reads)
        respond(exchange, 405, json_type, slice_of("{\"error\":\"Method not allowed\"}"));
    else
        respond_metrics(context, exchange);
}

static void on_metrics_gone(void *context, struct http_exchange *exchange)
{
    (void)context;
    (void)exchange;
}

static bool on_metrics_upgrade(void *context, const struct http_request *request)
{
    (void)context;
    (void)request;
    return false;
}

struct http_handlers hub_metrics_routes(struct hub *hub)
{
    return (struct http_handlers){
        .on_request = on_metrics_request,
        .on_gone = on_metrics_gone,
        .on_upgrade = on_metrics_upgrade,
        .context = hub,
    };
}
