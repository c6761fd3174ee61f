#include "worker/worker.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/queue.h"
#include "base/random.h"
#include "engine/engine.h"
#include "net/loop.h"
#include "net/mqtt_client.h"
#include "worker/worker_core.h"
#include "worker/worker_identity.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    KEEPALIVE_S = 60, /* dpow.md 8.1 */
    RETRY_MIN_MS = 500,
    RETRY_MAX_MS = 30000,
    SUMMARY_S = 60, /* Between log lines of the totals, when there is no screen. */
    CLIENT_TOPIC_SIZE = sizeof "client/" + ACCOUNT_TEXT_SIZE,
};

/* The end of a search on its way from the engine's thread. At most one search of a type is out at a
 * time, so each type has one message, which is free again when its end has been taken. */
struct ended {
    struct queue_item item;
    struct search_end end;
};

struct worker {
    const struct worker_options *options;
    struct log log;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t core_timer;
    uv_timer_t second_timer;
    uv_signal_t on_terminate;
    uv_signal_t on_interrupt;
    struct worker_core *core;
    struct engine *engine;
    struct worker_identity identity;
    struct mqtt_client *client;
    struct queue ends;
    struct ended ended[WORK_TYPES];
    search_id searches[WORK_TYPES];
    char client_topic[CLIENT_TOPIC_SIZE];
    uint64_t hashes_before;
    uint64_t second_before_us;
    unsigned seconds;
    unsigned pending_grants; /* Subscriptions of this connection that are not granted yet. */
    bool interrupted;
    bool closing;
};

static const enum search_priority priorities[WORK_TYPES] = {
    [WORK_PRECACHE] = SEARCH_PRECACHE,
    [WORK_ONDEMAND] = SEARCH_ONDEMAND,
};

static void act(struct worker *worker);

/* One log line; the live line, if there is one, makes room and is drawn again within a second. */
__attribute__((format(printf, 3, 4))) static void say(const struct worker *worker,
                                                      enum log_level level, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (level < worker->log.level)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (worker->options->screen)
        (void)fputs("\r\033[K", stderr);
    log_write(&worker->log, level, "%s", text);
}

static void on_search_end(void *context, const struct search_end *end)
{
    struct worker *worker = context;
    const enum work_type type = end->priority == SEARCH_ONDEMAND ? WORK_ONDEMAND : WORK_PRECACHE;
    worker->ended[type].end = *end;
    if (queue_push(&worker->ends, &worker->ended[type].item))
        (void)uv_async_send(&worker->wake);
}

/* On a device's own thread; a line is written at once. */
static void on_device(void *context, const struct device_event *event)
{
    say(context, event->working ? LOG_INFO : LOG_WARNING, "%s", event->text);
}

static void on_wake(uv_async_t *wake)
{
    struct worker *worker = wake->data;
    struct queue_item *item = queue_take_all(&worker->ends);
    while (item != NULL) {
        const struct ended *ended = (const struct ended *)(const void *)item;
        const struct search_end end = ended->end;
        item = item->next;
        if (worker->closing)
            continue;
        worker_core_ended(worker->core, clock_monotonic_us(),
                          end.priority == SEARCH_ONDEMAND ? WORK_ONDEMAND : WORK_PRECACHE,
                          end.outcome == SEARCH_FOUND, end.nonce);
        act(worker);
    }
}

static void on_core_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    worker_core_timer(worker->core, clock_monotonic_us());
    act(worker);
}

static void arm_core_timer(struct worker *worker)
{
    const uint64_t next_us = worker_core_next_timer(worker->core);
    const uint64_t now_us = clock_monotonic_us();
    if (next_us == UINT64_MAX)
        (void)uv_timer_stop(&worker->core_timer);
    else
        (void)uv_timer_start(&worker->core_timer, on_core_timer,
                             next_us > now_us ? (next_us - now_us) / 1000 + 1 : 0, 0);
}

static void publish_result(struct worker *worker, const struct worker_action *action)
{
    char topic[MESSAGE_TOPIC_SIZE];
    char payload[MESSAGE_RESULT_SIZE];
    message_topic_format(MESSAGE_RESULT, action->type, topic);
    const size_t length =
        message_result_format(&action->root, action->nonce, &worker->options->account, payload);
    if (!mqtt_client_publish(worker->client, topic, (struct slice){payload, length}, 0))
        say(worker, LOG_WARNING, "a result waits for the connection");
    say(worker, LOG_DEBUG, "sent %s/%.10s", work_type_name(action->type), payload);
}

static void start_search(struct worker *worker, const struct worker_action *action)
{
    struct error error;
    worker->searches[action->type] = engine_search(worker->engine, &action->root, action->threshold,
                                                   priorities[action->type], &error);
    if (worker->searches[action->type] != 0)
        return;
    say(worker, LOG_ERROR, "%s", error.text);
    /* The search has ended before it began; the core will try it again. */
    on_search_end(worker, &(struct search_end){.outcome = SEARCH_CANCELLED,
                                               .priority = priorities[action->type]});
}

static void carry_out(struct worker *worker, const struct worker_action *action)
{
    switch (action->kind) {
    case WORKER_SEARCH:
        start_search(worker, action);
        break;
    case WORKER_STOP:
        (void)engine_cancel(worker->engine, worker->searches[action->type]);
        break;
    case WORKER_PUBLISH:
        publish_result(worker, action);
        break;
    case WORKER_SAY_SILENT:
        say(worker, LOG_WARNING,
            "no heartbeat for %llu s: the hub seems to be offline; waiting for it",
            (unsigned long long)action->seconds);
        break;
    case WORKER_SAY_BACK:
        say(worker, LOG_INFO, "the hub is back after %llu s", (unsigned long long)action->seconds);
        break;
    case WORKER_SAY_DROPPED:
        say(worker, LOG_WARNING, "dropped %zu waiting requests: the hub is away", action->count);
        break;
    }
}

static void act(struct worker *worker)
{
    const struct worker_actions actions = worker_core_actions(worker->core);
    for (size_t i = 0; i < actions.count; i++)
        carry_out(worker, &actions.items[i]);
    arm_core_timer(worker);
}

static void subscribe(struct worker *worker, const char *topic)
{
    if (mqtt_client_subscribe(worker->client, topic, 0))
        worker->pending_grants++;
    else
        say(worker, LOG_ERROR, "cannot subscribe to %s", topic);
}

static void on_connected(void *context)
{
    struct worker *worker = context;
    worker->pending_grants = 0;
    subscribe(worker, "heartbeat");
    subscribe(worker, worker->client_topic);
    for (int type = 0; type < WORK_TYPES; type++) {
        char topic[MESSAGE_TOPIC_SIZE];
        if (!worker->options->types[type])
            continue;
        message_topic_format(MESSAGE_CANCEL, (enum work_type)type, topic);
        subscribe(worker, topic);
        message_topic_format(MESSAGE_WORK, (enum work_type)type, topic);
        subscribe(worker, topic);
    }
    worker_core_connected(worker->core, clock_monotonic_us());
    act(worker);
}

static void on_disconnected(void *context, const char *reason)
{
    struct worker *worker = context;
    say(worker, LOG_WARNING, "no connection to %s: %s; trying again", worker->options->hub.host,
        reason);
    worker_core_disconnected(worker->core, clock_monotonic_us());
    act(worker);
}

static void on_subscribed(void *context, const char *filter, bool granted)
{
    struct worker *worker = context;
    if (!granted)
        say(worker, LOG_ERROR, "the hub refuses the subscription of %s", filter);
    if (--worker->pending_grants == 0)
        say(worker, LOG_INFO, "connected to %s", worker->options->hub.host);
}

/* `client/<account>`: a reward, or a word of the hub about the account (dpow.md 2.4). */
static void on_client_message(struct worker *worker, struct slice payload)
{
    struct json_object object;
    char text[256];
    size_t length;
    struct root root;
    if (json_read_object(payload, &object) != JSON_OK)
        return;
    if (json_string(json_find(&object, "error"), text, sizeof text, &length))
        say(worker, LOG_WARNING, "the hub says: %s", text);
    if (json_string(json_find(&object, "block_rewarded"), text, sizeof text, &length) &&
        root_parse((struct slice){text, length}, &root)) {
        worker_core_rewarded(worker->core, &root);
        act(worker);
        say(worker, LOG_INFO, "rewarded for %.10s", text);
    }
}

static void on_hub_message(struct worker *worker, enum message_kind kind, enum work_type type,
                           struct slice payload)
{
    struct root root;
    uint64_t threshold;
    const uint64_t now_us = clock_monotonic_us();
    if (kind == MESSAGE_WORK && message_work_parse(payload, &root, &threshold))
        worker_core_work(worker->core, now_us, &root, threshold, type);
    else if (kind == MESSAGE_CANCEL && message_cancel_parse(payload, &root))
        worker_core_cancel(worker->core, now_us, &root);
    else
        return;
    act(worker);
}

static void on_message(void *context, struct slice topic, struct slice payload)
{
    struct worker *worker = context;
    enum message_kind kind;
    enum work_type type;
    if (worker->closing)
        return;
    if (slice_is(topic, "heartbeat")) {
        worker_core_heartbeat(worker->core, clock_monotonic_us());
        act(worker);
    } else if (slice_is(topic, worker->client_topic)) {
        on_client_message(worker, payload);
    } else if (message_topic_parse(topic, &kind, &type)) {
        on_hub_message(worker, kind, type, payload);
    }
}

static double measure_rate(struct worker *worker)
{
    struct engine_stats stats;
    const uint64_t now_us = clock_monotonic_us();
    engine_stats(worker->engine, &stats);
    const double rate = (double)(stats.hashes - worker->hashes_before) * 1e6 /
                        (double)(now_us - worker->second_before_us + 1);
    worker->hashes_before = stats.hashes;
    worker->second_before_us = now_us;
    return rate;
}

static void show_screen(const struct worker *worker, const struct worker_core_stats *stats,
                        double rate)
{
    char hash[65] = "nothing";
    const struct root *root = worker_core_searching(worker->core, WORK_ONDEMAND);
    if (root == NULL)
        root = worker_core_searching(worker->core, WORK_PRECACHE);
    if (root != NULL)
        root_format(root, hash);
    (void)fprintf(stderr,
                  "\r\033[K%s  %7.2f MH/s  solved %llu  rewarded %llu  waiting %zu  on %.10s",
                  mqtt_client_connected(worker->client) ? "online " : "offline", rate / 1e6,
                  (unsigned long long)stats->solved, (unsigned long long)stats->rewarded,
                  stats->waiting, hash);
    (void)fflush(stderr);
}

static void on_second(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    struct worker_core_stats stats;
    worker_core_stats(worker->core, &stats);
    worker->seconds++;
    if (worker->options->screen)
        show_screen(worker, &stats, measure_rate(worker));
    else if (worker->seconds % SUMMARY_S == 0)
        say(worker, LOG_INFO, "%.2f MH/s, solved %llu, rewarded %llu, cancelled %llu, waiting %zu",
            measure_rate(worker) / 1e6, (unsigned long long)stats.solved,
            (unsigned long long)stats.rewarded, (unsigned long long)stats.cancelled, stats.waiting);
}

/* The engine ends first: afterwards no thread wakes the loop any more. */
static void close_all(struct worker *worker)
{
    if (worker->closing)
        return;
    worker->closing = true;
    engine_destroy(worker->engine);
    worker->engine = NULL;
    if (worker->client != NULL)
        mqtt_client_close(worker->client, NULL, NULL);
    worker->client = NULL;
    loop_close((uv_handle_t *)&worker->wake);
    loop_close((uv_handle_t *)&worker->core_timer);
    loop_close((uv_handle_t *)&worker->second_timer);
    loop_close((uv_handle_t *)&worker->on_terminate);
    loop_close((uv_handle_t *)&worker->on_interrupt);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct worker *worker = handle->data;
    worker->interrupted = number == SIGINT;
    if (worker->options->screen)
        (void)fputc('\n', stderr);
    say(worker, LOG_INFO, "stopping");
    close_all(worker);
}

static bool set_up_loop(struct worker *worker, struct error *error)
{
    if (uv_async_init(&worker->loop, &worker->wake, on_wake) != 0)
        return error_set(error, ERROR_SYSTEM, "the system gives no way to wake the event loop");
    worker->wake.data = worker;
    (void)uv_timer_init(&worker->loop, &worker->core_timer);
    (void)uv_timer_init(&worker->loop, &worker->second_timer);
    (void)uv_signal_init(&worker->loop, &worker->on_terminate);
    (void)uv_signal_init(&worker->loop, &worker->on_interrupt);
    worker->core_timer.data = worker;
    worker->second_timer.data = worker;
    worker->on_terminate.data = worker;
    worker->on_interrupt.data = worker;
    (void)uv_timer_start(&worker->second_timer, on_second, 1000, 1000);
    (void)uv_signal_start(&worker->on_terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&worker->on_interrupt, on_signal, SIGINT);
    return true;
}

static bool set_up_engine(struct worker *worker, struct error *error)
{
    uint64_t seed;
    random_system(&seed, sizeof seed);
    worker->core = worker_core_create(seed, error);
    if (worker->core == NULL)
        return false;
    worker->engine = engine_create(
        &(struct engine_options){
            .devices = worker->options->devices.choices,
            .device_count = worker->options->devices.count,
            .cache_dir = worker->options->cache_dir,
            .on_end = on_search_end,
            .on_device = on_device,
            .context = worker,
        },
        error);
    return worker->engine != NULL;
}

static bool set_up_client(struct worker *worker, struct error *error)
{
    const struct url *hub = &worker->options->hub;
    const bool tls = strcmp(hub->scheme, "mqtts") == 0;
    if (!tls && strcmp(hub->scheme, "mqtt") != 0)
        return error_set(error, ERROR_INVALID,
                         "hub: the URL must begin with mqtt:// or mqtts:// (this worker does not "
                         "speak MQTT over %.15s)",
                         hub->scheme);
    if (!worker_identity_take(worker->options->identity_directory, &worker->identity, error))
        return false;
    worker->client = mqtt_client_create(&worker->loop,
                                        &(struct mqtt_options){
                                            .host = hub->host,
                                            .port = hub->port != 0 ? hub->port
                                                    : tls          ? 8883
                                                                   : 1883,
                                            .tls = tls,
                                            .user = hub->user[0] != '\0' ? hub->user : NULL,
                                            .password = hub->password,
                                            .client_id = worker->identity.id,
                                            .keepalive_s = KEEPALIVE_S,
                                            .retry_min_ms = RETRY_MIN_MS,
                                            .retry_max_ms = RETRY_MAX_MS,
                                            .on_connected = on_connected,
                                            .on_disconnected = on_disconnected,
                                            .on_message = on_message,
                                            .on_subscribed = on_subscribed,
                                            .context = worker,
                                        },
                                        &worker->log, error);
    return worker->client != NULL;
}

static void say_start(const struct worker *worker)
{
    for (size_t i = 0; i < engine_device_count(worker->engine); i++) {
        struct engine_device device;
        engine_device(worker->engine, i, &device);
        say(worker, LOG_INFO, "searching on %s with %s", device.name, device.variant);
    }
}

bool worker_run(const struct worker_options *options, const struct log *log, bool *interrupted,
                struct error *error)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL || uv_loop_init(&worker->loop) != 0 || !queue_init(&worker->ends)) {
        free(worker);
        return error_set(error, ERROR_MEMORY, "no memory for the worker");
    }
    char account[ACCOUNT_TEXT_SIZE];
    account_format(&options->account, account);
    (void)snprintf(worker->client_topic, sizeof worker->client_topic, "client/%s", account);
    worker->options = options;
    worker->identity.descriptor = -1;
    worker->log = log_for_part(log, "worker");
    worker->second_before_us = clock_monotonic_us();
    (void)signal(SIGPIPE, SIG_IGN);
    const bool started =
        set_up_loop(worker, error) && set_up_engine(worker, error) && set_up_client(worker, error);
    if (started)
        say_start(worker);
    else
        close_all(worker);
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&worker->loop);
    queue_destroy(&worker->ends);
    worker_core_destroy(worker->core);
    if (worker->identity.descriptor >= 0)
        worker_identity_release(&worker->identity);
    *interrupted = worker->interrupted;
    free(worker);
    return started;
}
