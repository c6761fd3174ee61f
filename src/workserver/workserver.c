#include "workserver/workserver_internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "net/loop.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    BODY_BYTES = 64 * 1024,
    REQUEST_MS = 30000,
    IDLE_MS = 3600 * 1000,
    PING_MS = 15000,
    PONG_MS = 15000,
};

static void on_core_timer(uv_timer_t *timer)
{
    struct workserver *server = timer->data;
    queue_core_timer(server->core, clock_monotonic_us());
    workserver_act(server);
}

static void arm_core_timer(struct workserver *server)
{
    const uint64_t next_us = queue_core_next_timer(server->core);
    const uint64_t now_us = clock_monotonic_us();
    if (server->stopping)
        return;
    if (next_us == UINT64_MAX)
        (void)uv_timer_stop(&server->core_timer);
    else
        (void)uv_timer_start(&server->core_timer, on_core_timer,
                             next_us > now_us ? (next_us - now_us) / 1000 + 1 : 0, 0);
}

/* Carries out the core's actions; the roots that could not be searched are added to failed. */
static size_t carry_out(struct workserver *server, struct root *failed, size_t failed_count)
{
    const struct queue_actions actions = queue_core_actions(server->core);
    for (size_t i = 0; i < actions.count; i++) {
        const struct queue_action *action = &actions.items[i];
        struct error error;
        if (action->kind == QUEUE_ANSWER) {
            calls_answer(server, action);
        } else if (action->kind == QUEUE_STOP) {
            searches_stop(server->searches, action->place);
        } else if (!searches_start(server->searches, action->place, &action->root,
                                   action->threshold, &error)) {
            log_write(&server->log, LOG_ERROR, "a search cannot start: %s", error.text);
            failed[failed_count++] = action->root;
        }
    }
    return failed_count;
}

/* A search that cannot start fails its root, whose place then goes to the next one, so there are
 * never more failed ones than places. */
void workserver_act(struct workserver *server)
{
    struct root failed[QUEUE_PLACES_MAX + 1];
    size_t failed_count = carry_out(server, failed, 0);
    for (;;) {
        if (failed_count > 0) {
            failed_count--;
            queue_core_failed(server->core, clock_monotonic_us(), &failed[failed_count]);
        } else if (!calls_continue_benchmark(server)) {
            break;
        }
        failed_count = carry_out(server, failed, failed_count);
    }
    arm_core_timer(server);
}

static void on_search_end(void *context, const struct search_end *end, bool current)
{
    struct workserver *server = context;
    if (server->stopping)
        return;
    if (end->outcome == SEARCH_FOUND)
        queue_core_found(server->core, clock_monotonic_us(), &end->root, end->nonce, end->value);
    else if (current)
        queue_core_failed(server->core, clock_monotonic_us(), &end->root);
    else
        return;
    workserver_act(server);
}

static void on_device(void *context, const struct device_event *event)
{
    const struct workserver *server = context;
    log_write(&server->log, event->working ? LOG_INFO : LOG_WARNING, "%s", event->text);
}

static void on_http_closed(void *context)
{
    struct workserver *server = context;
    server->http = NULL;
}

void workserver_stop(struct workserver *server)
{
    if (server->stopping)
        return;
    server->stopping = true;
    (void)sd_notify(0, "STOPPING=1");
    if (server->core != NULL) {
        queue_core_stop(server->core, clock_monotonic_us());
        if (server->http != NULL)
            workserver_act(server);
    }
    if (server->searches != NULL)
        searches_close(server->searches);
    if (server->http != NULL)
        http_server_close(server->http, on_http_closed, server);
    loop_close((uv_handle_t *)&server->on_terminate);
    loop_close((uv_handle_t *)&server->on_interrupt);
    loop_close((uv_handle_t *)&server->core_timer);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct workserver *server = handle->data;
    server->interrupted |= number == SIGINT;
    workserver_stop(server);
}

static void start_handles(struct workserver *server)
{
    (void)uv_signal_init(&server->loop, &server->on_terminate);
    (void)uv_signal_init(&server->loop, &server->on_interrupt);
    (void)uv_timer_init(&server->loop, &server->core_timer);
    server->on_terminate.data = server;
    server->on_interrupt.data = server;
    server->core_timer.data = server;
    (void)uv_signal_start(&server->on_terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&server->on_interrupt, on_signal, SIGINT);
}

static void say_devices(struct workserver *server)
{
    struct engine *engine = searches_engine(server->searches);
    for (size_t i = 0; i < engine_device_count(engine); i++) {
        struct engine_device device;
        engine_device(engine, i, &device);
        log_write(&server->log, LOG_INFO, "searching on %s with %s", device.name, device.variant);
    }
}

static bool say_ready(struct workserver *server, struct error *error)
{
    char line[256];
    char url[128];
    struct json_writer writer;
    const char *host = server->options->listen.host;
    (void)snprintf(url, sizeof url, strchr(host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u",
                   host, http_server_port(server->http));
    json_writer_init(&writer, line, sizeof line);
    json_begin_object(&writer);
    json_key(&writer, "ready");
    json_write_bool(&writer, true);
    json_key(&writer, "http");
    json_write_text(&writer, url);
    json_key(&writer, "pid");
    json_write_i64(&writer, getpid());
    json_end_object(&writer);
    if (printf("%s\n", line) < 0 || fflush(stdout) != 0)
        return error_set(error, ERROR_SYSTEM, "cannot write to standard output");
    (void)sd_notify(0, "READY=1");
    log_write(&server->log, LOG_INFO, "ready: %s", line);
    return true;
}

/* A place that no thread or GPU is free for would hold back what waits, priorities included. */
static unsigned limit_places(struct workserver *server, unsigned asked)
{
    struct engine *engine = searches_engine(server->searches);
    unsigned places = 0;
    for (size_t i = 0; i < engine_device_count(engine); i++) {
        struct engine_device device;
        engine_device(engine, i, &device);
        places += device.threads;
    }
    if (asked <= places)
        return asked;
    log_write(&server->log, LOG_WARNING,
              "the devices can be divided among %u hashes at once, not among %u", places, asked);
    return places;
}

static bool open_all(struct workserver *server, struct error *error)
{
    const struct workserver_options *options = server->options;
    const struct http_handlers handlers = calls_handlers(server);
    struct queue_options queue = options->queue;
    struct http_limits limits = http_limits_default();
    limits.body_bytes = BODY_BYTES;
    limits.message_bytes = BODY_BYTES;
    limits.request_ms = REQUEST_MS;
    limits.idle_ms = IDLE_MS;
    limits.connections = options->connections_max;
    limits.ping_ms = PING_MS;
    limits.pong_ms = PONG_MS;
    random_system(&queue.seed, sizeof queue.seed);
    random_seed(&server->random, queue.seed + 1);
    server->searches = searches_create(
        &(struct searches_options){
            .loop = &server->loop,
            .devices = &options->devices,
            .places = queue.places,
            .cache_dir = options->cache_dir,
            .on_end = on_search_end,
            .on_device = on_device,
            .context = server,
        },
        error);
    if (server->searches == NULL)
        return false;
    queue.places = limit_places(server, queue.places);
    server->core = queue_core_create(&queue, error);
    if (server->core == NULL)
        return false;
    server->http = http_server_create(&server->loop, options->listen.host, options->listen.port,
                                      &handlers, &limits, &server->log, error);
    return server->http != NULL && say_ready(server, error);
}

bool workserver_run(const struct workserver_options *options, const struct log *log,
                    bool *interrupted, struct error *error)
{
    struct workserver *server = calloc(1, sizeof *server);
    if (server == NULL || uv_loop_init(&server->loop) != 0) {
        free(server);
        return error_set(error, ERROR_MEMORY, "no memory for the work server");
    }
    server->options = options;
    server->log = log_for_part(log, "work-server");
    (void)signal(SIGPIPE, SIG_IGN);
    start_handles(server);
    const bool opened = open_all(server, error);
    if (opened)
        say_devices(server);
    else
        workserver_stop(server);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&server->loop);
    queue_core_destroy(server->core);
    *interrupted = server->interrupted;
    free(server);
    return opened;
}
