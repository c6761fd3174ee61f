/* What is served besides the calls: version, queue, control, health and metrics
 * (work-server.md 1.7). */
#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "workserver/workserver_internal.h"

#include <stdlib.h>

enum { LISTED_SIZE = 640, METRICS_SIZE = 16384 };

static bool is(const struct http_request *request, const char *method, const char *path)
{
    const bool head = strcmp(method, "GET") == 0 && slice_is(request->method, "HEAD");
    return (slice_is(request->method, method) || head) && slice_is(request->path, path);
}

static void serve_text(struct workserver *server, struct http_exchange *exchange, const char *text)
{
    calls_respond(server, exchange, 200, slice_of(text));
}

/* Times are told as milliseconds since 1970; the core counts by the monotonic clock. */
struct listing {
    struct json_writer writer;
    int64_t wall_minus_monotonic_us;
    uint64_t base;
};

static void write_time(struct listing *listing, const char *name, uint64_t monotonic_us)
{
    char text[24];
    const int64_t ms = ((int64_t)monotonic_us + listing->wall_minus_monotonic_us) / 1000;
    (void)snprintf(text, sizeof text, "%lld", monotonic_us == 0 ? 0LL : (long long)ms);
    json_key(&listing->writer, name);
    json_write_text(&listing->writer, text);
}

static void write_number(struct listing *listing, const char *name, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    json_key(&listing->writer, name);
    json_write_text(&listing->writer, text);
}

static void write_reached(struct listing *listing, uint64_t difficulty)
{
    char text[17];
    char multiplier[400];
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)difficulty);
    multiplier_format_shortest(difficulty_to_multiplier(difficulty, listing->base), multiplier,
                               sizeof multiplier);
    json_key(&listing->writer, "difficulty");
    json_write_text(&listing->writer, text);
    json_key(&listing->writer, "multiplier");
    json_write_text(&listing->writer, multiplier);
}

static void write_listed(void *context, const struct queue_listed *entry)
{
    struct listing *listing = context;
    struct json_writer *writer = &listing->writer;
    char hash[65];
    char work[17];
    root_format(&entry->root, hash);
    json_begin_object(writer);
    write_number(listing, "id", entry->number);
    write_number(listing, "priority", entry->priority);
    write_time(listing, "start", entry->start_us);
    write_time(listing, "end", entry->end_us);
    json_key(writer, "request");
    json_begin_object(writer);
    json_key(writer, "hash");
    json_write_text(writer, hash);
    write_reached(listing, entry->threshold);
    json_end_object(writer);
    json_key(writer, "result");
    json_begin_object(writer);
    if (entry->found) {
        work_format(entry->nonce, work);
        json_key(writer, "work");
        json_write_text(writer, work);
        write_reached(listing, entry->value);
    }
    json_end_object(writer);
    json_end_object(writer);
}

static void write_part(const struct workserver *server, struct listing *listing, const char *name,
                       enum queue_state state)
{
    json_key(&listing->writer, name);
    json_begin_array(&listing->writer);
    queue_core_each(server->core, state, write_listed, listing);
    json_end_array(&listing->writer);
}

static void serve_queue(struct workserver *server, struct http_exchange *exchange)
{
    struct queue_stats stats;
    struct listing listing = {.base = server->options->rules.network->send};
    queue_core_stats(server->core, &stats);
    const size_t size =
        LISTED_SIZE * (stats.waiting + QUEUE_PLACES_MAX + QUEUE_FINISHED_MAX) + LISTED_SIZE;
    char *text = malloc(size);
    if (text == NULL) {
        calls_respond(server, exchange, 503, slice_of("{\"error\":\"Out of memory\"}"));
        return;
    }
    listing.wall_minus_monotonic_us = clock_wall_ms() * 1000 - (int64_t)clock_monotonic_us();
    json_writer_init(&listing.writer, text, size);
    json_begin_object(&listing.writer);
    write_part(server, &listing, "queued", QUEUE_WAITING);
    write_part(server, &listing, "active", QUEUE_RUNNING);
    write_part(server, &listing, "completed", QUEUE_FINISHED);
    json_end_object(&listing.writer);
    calls_respond(server, exchange, 200, (struct slice){text, listing.writer.length});
    free(text);
}

static void write_queue_metrics(struct metrics *metrics, const struct queue_stats *stats)
{
    static const char *const answers[QUEUE_ANSWERS] = {
        [QUEUE_FOUND] = "answer=\"found\"",     [QUEUE_CANCELLED] = "answer=\"cancelled\"",
        [QUEUE_FAILED] = "answer=\"failed\"",   [QUEUE_FULL] = "answer=\"full\"",
        [QUEUE_TIMEOUT] = "answer=\"timeout\"",
    };
    metrics_describe(metrics, "dpow_work_requests_total", "counter", "Requests for work.");
    metrics_sample_u64(metrics, "dpow_work_requests_total", NULL, stats->requests);
    metrics_describe(metrics, "dpow_work_joined_total", "counter",
                     "Requests that joined a search in hand.");
    metrics_sample_u64(metrics, "dpow_work_joined_total", NULL, stats->joined);
    metrics_describe(metrics, "dpow_work_remembered_total", "counter",
                     "Requests answered by a work found before.");
    metrics_sample_u64(metrics, "dpow_work_remembered_total", NULL, stats->remembered);
    metrics_describe(metrics, "dpow_work_answers_total", "counter", "Answers by kind.");
    for (int i = 0; i < QUEUE_ANSWERS; i++)
        metrics_sample_u64(metrics, "dpow_work_answers_total", answers[i], stats->answers[i]);
    metrics_describe(metrics, "dpow_work_left_total", "counter", "Callers that hung up.");
    metrics_sample_u64(metrics, "dpow_work_left_total", NULL, stats->left);
    metrics_describe(metrics, "dpow_work_roots", "gauge", "Roots in hand.");
    metrics_sample_u64(metrics, "dpow_work_roots", "state=\"waiting\"", stats->waiting);
    metrics_sample_u64(metrics, "dpow_work_roots", "state=\"running\"", stats->running);
    metrics_describe(metrics, "dpow_work_waiters", "gauge", "Requests that wait.");
    metrics_sample_u64(metrics, "dpow_work_waiters", NULL, stats->waiters);
}

static void write_device_metrics(struct metrics *metrics, struct engine *engine)
{
    static const char hashes[] = "dpow_device_hashes_total";
    static const char working[] = "dpow_device_working";
    char labels[64];
    struct engine_stats stats;
    struct engine_device device;
    engine_stats(engine, &stats);
    metrics_describe(metrics, hashes, "counter", "Nonces tried.");
    for (size_t i = 0; i < engine_device_count(engine); i++) {
        engine_device(engine, i, &device);
        (void)snprintf(labels, sizeof labels, "device=\"%s\"", device.name);
        metrics_sample_u64(metrics, hashes, labels, device.hashes);
    }
    metrics_describe(metrics, working, "gauge", "1 while the device is not taken out.");
    for (size_t i = 0; i < engine_device_count(engine); i++) {
        engine_device(engine, i, &device);
        (void)snprintf(labels, sizeof labels, "device=\"%s\"", device.name);
        metrics_sample_u64(metrics, working, labels, device.working);
    }
    metrics_describe(metrics, "dpow_device_errors_total", "counter", "Failures of devices.");
    metrics_sample_u64(metrics, "dpow_device_errors_total", NULL, stats.errors);
}

static void write_http_metrics(struct metrics *metrics, const struct http_server *http)
{
    struct http_counters counters;
    http_server_counters(http, &counters);
    metrics_describe(metrics, "dpow_http_requests_total", "counter", "Complete HTTP requests.");
    metrics_sample_u64(metrics, "dpow_http_requests_total", NULL, counters.requests);
    metrics_describe(metrics, "dpow_http_refused_total", "counter",
                     "Requests answered by a limit or as malformed.");
    metrics_sample_u64(metrics, "dpow_http_refused_total", NULL, counters.refused);
    metrics_describe(metrics, "dpow_websocket_messages_total", "counter", "WebSocket messages.");
    metrics_sample_u64(metrics, "dpow_websocket_messages_total", NULL, counters.messages);
    metrics_describe(metrics, "dpow_http_connections", "gauge", "Open connections.");
    metrics_sample_u64(metrics, "dpow_http_connections", NULL, counters.connections);
}

static void serve_metrics(struct workserver *server, struct http_exchange *exchange)
{
    char text[METRICS_SIZE];
    struct metrics metrics;
    struct queue_stats stats;
    queue_core_stats(server->core, &stats);
    metrics_init(&metrics, text, sizeof text);
    write_queue_metrics(&metrics, &stats);
    write_device_metrics(&metrics, searches_engine(server->searches));
    write_http_metrics(&metrics, server->http);
    http_respond(exchange, &(struct http_response){.status = 200,
                                                   .content_type = METRICS_CONTENT_TYPE,
                                                   .body = {text, metrics.length}});
}

/* Healthy while a device works: then requests are answered. */
static void serve_health(struct workserver *server, struct http_exchange *exchange)
{
    struct engine *engine = searches_engine(server->searches);
    bool healthy = false;
    for (size_t i = 0; i < engine_device_count(engine); i++) {
        struct engine_device device;
        engine_device(engine, i, &device);
        healthy |= device.working;
    }
    healthy &= !server->stopping;
    calls_respond(server, exchange, healthy ? 200 : 503,
                  slice_of(healthy ? "{\"status\":\"ok\"}" : "{\"status\":\"failing\"}"));
}

/* Clearing and stopping: if the operator allows it, for callers on this machine. */
static bool serve_control(struct workserver *server, struct http_exchange *exchange,
                          const struct http_request *request)
{
    const bool clears = is(request, "DELETE", "/api/v1/work/queue");
    const bool stops = is(request, "GET", "/api/v1/stop") || is(request, "POST", "/api/v1/stop");
    if (!clears && !stops)
        return false;
    if (!server->options->allow_control || !calls_is_local(request->peer) ||
        request->origin.length > 0) {
        calls_respond(server, exchange, 403,
                      clears
                          ? slice_of("{\"error\":\"Control requests are not allowed. This must be "
                                     "enabled in the server configuration.\"}")
                          : slice_of("{\"error\":\"Control requests are not allowed\"}"));
        return true;
    }
    serve_text(server, exchange, "{\"success\":\"true\"}");
    if (clears) {
        queue_core_clear(server->core, clock_monotonic_us());
        workserver_act(server);
    } else {
        workserver_stop(server);
    }
    return true;
}

bool pages_serve(struct workserver *server, struct http_exchange *exchange,
                 const struct http_request *request)
{
    if (is(request, "GET", "/api/v1/ping"))
        serve_text(server, exchange, "{\"success\":\"true\"}");
    else if (is(request, "GET", "/api/v1/version"))
        serve_text(server, exchange, "{\"version\":\"" DPOW_VERSION "\"}");
    else if (is(request, "GET", "/api/v1/work/queue"))
        serve_queue(server, exchange);
    else if (is(request, "GET", "/metrics"))
        serve_metrics(server, exchange);
    else if (is(request, "GET", "/healthz"))
        serve_health(server, exchange);
    else if (server->options->cors_origin != NULL && slice_is(request->method, "OPTIONS"))
        calls_respond(server, exchange, 204, (struct slice){NULL, 0});
    else
        return serve_control(server, exchange, request);
    return true;
}
