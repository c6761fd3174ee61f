#include "base/clock.h"
#include "base/directory.h"
#include "base/json.h"
#include "base/random.h"
#include "hub/hub_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    START_MS = 15000, /* For the broker to take the first connection. */
    DRAIN_MS = 5000,  /* For what is in hand when a signal comes (cli.md). */
    STORE_PATIENCE_MS = 1000,
};

static void close_all(struct hub *hub);

bool hub_healthy(const struct hub *hub)
{
    return hub->store_reason[0] == '\0' && hub->broker_reason[0] == '\0' &&
           hub->phase == HUB_RUNNING;
}

static void fail(struct hub *hub)
{
    hub->failed = true;
    close_all(hub);
}

struct board_view hub_view(const struct hub *hub)
{
    return (struct board_view){
        .core = hub->core,
        .ledger = hub->ledger,
        .api = hub->api,
        .http = hub->http,
        .link = hub->link,
        .watch = hub->watch,
        .stopping = hub->phase == HUB_DRAINING || hub->phase == HUB_CLOSING,
        .store_works = hub->store_reason[0] == '\0',
        .broker_works = hub->broker_reason[0] == '\0',
    };
}

static void publish_statistics(struct hub *hub)
{
    const struct board_view view = hub_view(hub);
    worker_link_statistics(hub->link, board_topic(hub->board, &view));
}

static void on_core_timer(uv_timer_t *timer);
static void on_drain_expired(uv_timer_t *timer);

static void arm_core_timer(struct hub *hub)
{
    const uint64_t next_us = hub_core_next_timer(hub->core);
    if (next_us == hub->core_timer_us || hub->phase == HUB_CLOSING)
        return;
    hub->core_timer_us = next_us;
    if (next_us == UINT64_MAX) {
        (void)uv_timer_stop(&hub->core_timer);
        return;
    }
    const uint64_t now_us = clock_monotonic_us();
    const uint64_t wait_us = next_us > now_us ? next_us - now_us : 0;
    uv_update_time(&hub->loop);
    (void)uv_timer_start(&hub->core_timer, on_core_timer, (wait_us + 999) / 1000, 0);
}

/* Carries out what the last event asks for. None of these calls back into the core: answers and
 * publications report losses from the loop, and the store from its queue. For the same reason the
 * last answer does not close anything from here: who called may be in the midst of more events. */
static void act(void *context)
{
    struct hub *hub = context;
    const struct hub_actions actions = hub_core_actions(hub->core);
    for (size_t i = 0; i < actions.count; i++) {
        const struct hub_action *action = &actions.items[i];
        switch (action->kind) {
        case HUB_REPLY:
            service_api_reply(hub->api, action);
            break;
        case HUB_WORK:
        case HUB_CANCEL:
        case HUB_REWARD:
            if (hub->link != NULL) /* not yet there while the books are opened: asked for again */
                worker_link_publish(hub->link, action);
            break;
        case HUB_STORE_WORK:
        case HUB_STORE_ANSWER:
        case HUB_STORE_UNANSWER:
        case HUB_STORE_FRONTIER:
            ledger_submit(hub->ledger, action);
            break;
        case HUB_COUNT_ANSWER:
            ledger_count(hub->ledger, action->count_answer.service_id, action->count_answer.type);
            break;
        case HUB_ASK_FRONTIER:
            if (hub->watch != NULL)
                block_watch_ask(hub->watch, &action->ask_frontier);
            break;
        }
    }
    arm_core_timer(hub);
    if (hub->phase == HUB_DRAINING && hub_core_drained(hub->core))
        (void)uv_timer_start(&hub->phase_timer, on_drain_expired, 0, 0);
}

static void on_core_timer(uv_timer_t *timer)
{
    struct hub *hub = timer->data;
    hub->core_timer_us = UINT64_MAX;
    hub_core_timer(hub->core, clock_monotonic_us());
    act(hub);
}

static void on_second(uv_timer_t *timer)
{
    struct hub *hub = timer->data;
    const bool statistics_due = hub->ledger != NULL && board_second(hub->board, hub->ledger);
    if (!hub_healthy(hub))
        return;
    worker_link_heartbeat(hub->link);
    if (statistics_due)
        publish_statistics(hub);
}

static void on_store_health(void *context, const char *reason)
{
    struct hub *hub = context;
    if (reason != NULL)
        (void)snprintf(hub->store_reason, sizeof hub->store_reason, "store: %s", reason);
    else
        hub->store_reason[0] = '\0';
}

static void format_host(const char *host, uint16_t port, const char *scheme, char url[HUB_URL_SIZE])
{
    const bool ip6 = strchr(host, ':') != NULL;
    (void)snprintf(url, HUB_URL_SIZE, "%s://%s%s%s:%u", scheme, ip6 ? "[" : "", host,
                   ip6 ? "]" : "", port);
}

static void write_address(struct json_writer *writer, const char *name, const char *scheme,
                          const char *host, uint16_t port)
{
    char url[HUB_URL_SIZE];
    format_host(host, port, scheme, url);
    json_key(writer, name);
    json_write_text(writer, url);
}

/* The line that scripts wait for (cli.md), and the same for systemd. */
static void say_ready(struct hub *hub)
{
    char line[2048];
    struct json_writer writer;
    json_writer_init(&writer, line, sizeof line);
    json_begin_object(&writer);
    json_key(&writer, "ready");
    json_write_bool(&writer, true);
    write_address(&writer, "http", hub->tls != NULL ? "https" : "http", hub->options->listen.host,
                  http_server_port(hub->http));
    if (hub->broker != NULL) {
        const struct broker_endpoints *endpoints = broker_endpoints(hub->broker);
        write_address(&writer, "mqtt", "mqtt", endpoints->mqtt.host, endpoints->mqtt.port);
        write_address(&writer, "mqtt_ws", "ws", endpoints->websocket.host,
                      endpoints->websocket.port);
    }
    if (hub->metrics_http != NULL)
        write_address(&writer, "metrics", "http", hub->options->metrics_listen.host,
                      http_server_port(hub->metrics_http));
    json_key(&writer, "pid");
    json_write_i64(&writer, getpid());
    json_end_object(&writer);
    (void)printf("%s\n", line);
    (void)fflush(stdout);
    (void)sd_notify(0, "READY=1");
    log_write(&hub->log, LOG_INFO, "ready: %s", line);
}

static void on_broker(void *context, bool up, const char *reason)
{
    struct hub *hub = context;
    if (!up) {
        if (hub->broker_reason[0] == '\0')
            log_write(&hub->log, LOG_WARNING, "no broker: %s", reason);
        (void)snprintf(hub->broker_reason, sizeof hub->broker_reason, "broker: %s", reason);
        return;
    }
    hub->broker_reason[0] = '\0';
    if (hub->phase == HUB_STARTING) {
        hub->phase = HUB_RUNNING;
        (void)uv_timer_stop(&hub->phase_timer);
        say_ready(hub);
    } else {
        log_write(&hub->log, LOG_INFO, "the broker is back");
    }
    publish_statistics(hub);
}

static void on_start_expired(uv_timer_t *timer)
{
    struct hub *hub = timer->data;
    const char *line = hub->broker != NULL ? broker_last_line(hub->broker) : "";
    (void)error_set(&hub->error, ERROR_SYSTEM, "no connection to the broker within %d s: %s%s%s",
                    START_MS / 1000, hub->broker_reason, line[0] != '\0' ? "; it said: " : "",
                    line);
    fail(hub);
}

static void on_drain_expired(uv_timer_t *timer)
{
    struct hub *hub = timer->data;
    close_all(hub);
}

static void begin_stop(struct hub *hub)
{
    if (hub->phase == HUB_DRAINING || hub->phase == HUB_CLOSING) {
        close_all(hub);
        return;
    }
    log_write(&hub->log, LOG_INFO, "stopping");
    (void)sd_notify(0, "STOPPING=1");
    hub->phase = HUB_DRAINING;
    hub_core_drain(hub->core);
    http_server_stop_accepting(hub->http);
    (void)uv_timer_start(&hub->phase_timer, on_drain_expired, DRAIN_MS, 0);
    if (hub_core_drained(hub->core))
        close_all(hub);
}

static uint64_t base_difficulty(const struct hub_options *options)
{
    return options->base_difficulty != 0 ? options->base_difficulty : options->network->send;
}

static struct service_limits service_limits(const struct hub *hub)
{
    return (struct service_limits){
        .network = hub->options->network,
        .base = base_difficulty(hub->options),
        .max_multiplier = hub->settings.max_multiplier,
        .clamp = hub->settings.clamp,
    };
}

static void reload_settings(struct hub *hub)
{
    struct error error;
    struct hub_settings settings;
    if (!hub->options->reread(hub->options->reread_context, &settings, &error)) {
        log_write(&hub->log, LOG_ERROR, "SIGHUP: the settings stay as they were: %s", error.text);
        return;
    }
    hub->settings = settings;
    const struct service_limits limits = service_limits(hub);
    service_api_set_limits(hub->api, &limits);
    log_write(
        &hub->log, LOG_INFO,
        "SIGHUP: max-multiplier is %.15g, clamp is %s; other options hold from the next start",
        settings.max_multiplier, settings.clamp ? "on" : "off");
}

static void reload_certificate(struct hub *hub)
{
    struct error error;
    if (tls_server_reload(hub->tls, &error))
        log_write(&hub->log, LOG_INFO,
                  "SIGHUP: new connections get the TLS certificate that %s holds now",
                  hub->options->tls_certificate);
    else
        log_write(&hub->log, LOG_ERROR, "SIGHUP: the TLS certificate stays as it was: %s",
                  error.text);
}

static void reload(struct hub *hub)
{
    if (hub->api != NULL)
        reload_settings(hub);
    if (hub->tls != NULL)
        reload_certificate(hub);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct hub *hub = handle->data;
    if (number == SIGHUP) {
        reload(hub);
        return;
    }
    hub->interrupted = number == SIGINT;
    begin_stop(hub);
}

static void on_link_closed(void *context)
{
    struct hub *hub = context;
    hub->link = NULL;
    if (hub->broker != NULL)
        broker_stop(hub->broker, NULL, NULL);
    hub->broker = NULL;
}

static void on_http_closed(void *context)
{
    struct hub *hub = context;
    hub->http = NULL;
    service_api_destroy(hub->api);
    hub->api = NULL;
}

/* Answers what waits, makes durable what can be, and closes every handle: then the loop ends. */
static void close_all(struct hub *hub)
{
    if (hub->phase == HUB_CLOSING)
        return;
    hub->phase = HUB_CLOSING;
    block_watch_close(hub->watch);
    hub->watch = NULL;
    if (hub->ledger != NULL) {
        hub_core_abort(hub->core);
        act(hub);
        board_flush(hub->board, hub->ledger);
        ledger_stop(hub->ledger, STORE_PATIENCE_MS);
        ledger_destroy(hub->ledger);
        hub->ledger = NULL;
    }
    if (hub->http != NULL)
        http_server_close(hub->http, on_http_closed, hub);
    else if (hub->api != NULL)
        on_http_closed(hub);
    if (hub->metrics_http != NULL)
        http_server_close(hub->metrics_http, NULL, NULL);
    hub->metrics_http = NULL;
    if (hub->link != NULL)
        worker_link_close(hub->link, on_link_closed, hub);
    else
        on_link_closed(hub);
    if (hub->control != NULL)
        control_close(hub->control, NULL, NULL);
    hub->control = NULL;
    loop_close((uv_handle_t *)&hub->on_terminate);
    loop_close((uv_handle_t *)&hub->on_interrupt);
    loop_close((uv_handle_t *)&hub->on_hangup);
    loop_close((uv_handle_t *)&hub->core_timer);
    loop_close((uv_handle_t *)&hub->second_timer);
    loop_close((uv_handle_t *)&hub->phase_timer);
}

static bool make_data_directory(const char *path, struct error *error)
{
    struct stat status;
    if (strlen(path) >= HUB_PATH_SIZE - 64)
        return error_set(error, ERROR_INVALID, "data-dir: the path must have 1 to %d characters",
                         HUB_PATH_SIZE - 65);
    if (!directory_make(path, error))
        return false;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode) || access(path, W_OK | X_OK) != 0)
        return error_set(error, ERROR_SYSTEM, "%.160s is not a directory that can be written",
                         path);
    return true;
}

static bool load_service(void *context, const struct service_record *record)
{
    struct hub *hub = context;
    return services_add(hub->services, record, &hub->error);
}

static void measure(void *context, const struct service_measure *measure)
{
    struct hub *hub = context;
    board_measure(hub->board, measure);
}

static void on_reward(void *context, enum work_type type, uint64_t hashes)
{
    struct hub *hub = context;
    board_reward(hub->board, type, hashes);
}

static bool submit_for_admin(void *context, struct store_op *op,
                             void (*done)(void *done_context, struct store_op *op),
                             void *done_context)
{
    struct hub *hub = context;
    return hub->ledger != NULL && ledger_submit_other(hub->ledger, op, done, done_context);
}

/* A key's better hash on its way into the store. */
struct rehashing {
    struct store_op op;
    struct hub *hub;
    char old_hash[KEY_HASH_SIZE];
    char new_hash[KEY_HASH_SIZE];
};

static void on_rehashed(void *context, struct store_op *op)
{
    struct rehashing *rehashing = context;
    struct service *service = services_by_id(rehashing->hub->services, op->key.service_id);
    for (size_t i = 0; service != NULL && op->status == STORE_DONE && i < SERVICE_KEYS_MAX; i++)
        if (strcmp(service->record.keys[i].hash, rehashing->old_hash) == 0)
            memcpy(service->record.keys[i].hash, rehashing->new_hash, KEY_HASH_SIZE);
    free(rehashing);
}

static void rehash(void *context, int64_t service_id, const char *old_hash, const char *new_hash)
{
    struct hub *hub = context;
    struct service *service = services_by_id(hub->services, service_id);
    struct rehashing *rehashing = service != NULL ? calloc(1, sizeof *rehashing) : NULL;
    if (rehashing == NULL)
        return; /* the next start tries again */
    rehashing->hub = hub;
    (void)snprintf(rehashing->old_hash, sizeof rehashing->old_hash, "%s", old_hash);
    (void)snprintf(rehashing->new_hash, sizeof rehashing->new_hash, "%s", new_hash);
    rehashing->op.kind = STORE_KEY_REHASH;
    rehashing->op.key.service_id = service_id;
    rehashing->op.key.old_hash = rehashing->old_hash;
    rehashing->op.key.hash = rehashing->new_hash;
    if (!submit_for_admin(hub, &rehashing->op, on_rehashed, rehashing))
        free(rehashing);
}

/* The books: store, directory of services, core, ledger. */
static bool open_books(struct hub *hub)
{
    struct error *error = &hub->error;
    struct hub_core_options core_options = hub_core_options_default();
    random_system(core_options.seed, sizeof core_options.seed);
    core_options.send_threshold = base_difficulty(hub->options);
    core_options.receive_threshold = hub->options->network->receive < core_options.send_threshold
                                         ? hub->options->network->receive
                                         : core_options.send_threshold;
    hub->floor_threshold = core_options.receive_threshold;
    if (hub->options->store_url != NULL)
        (void)snprintf(hub->store_url, sizeof hub->store_url, "%s", hub->options->store_url);
    else
        (void)snprintf(hub->store_url, sizeof hub->store_url, "sqlite:%s/dpow.db",
                       hub->options->data_directory);
    hub->store = store_open(hub->store_url, &hub->log, error);
    hub->services = hub->store != NULL ? services_create(error) : NULL;
    error->code = ERROR_NONE;
    if (hub->services == NULL || !store_each_service(hub->store, load_service, hub, error) ||
        error->code != ERROR_NONE)
        return false;
    hub->core = hub_core_create(&core_options, error);
    if (hub->core == NULL)
        return false;
    hub->board = board_create(
        &(struct board_options){
            .services = hub->services,
            .base_difficulty = core_options.send_threshold,
            .log = &hub->log,
        },
        hub->store, error);
    if (hub->board == NULL)
        return false;
    hub->ledger = ledger_create(
        &(struct ledger_options){
            .core = hub->core,
            .store = hub->store,
            .services = hub->services,
            .clients = board_clients(hub->board),
            .waiters_max = core_options.waiters_max,
            .works_max = core_options.entries_max,
            .precache = hub->options->precache,
            .loop = &hub->loop,
            .log = &hub->log,
            .act = act,
            .on_health = on_store_health,
            .on_reward = on_reward,
            .context = hub,
        },
        error);
    return hub->ledger != NULL;
}

static void on_broker_unusable(void *context, const char *reason)
{
    struct hub *hub = context;
    (void)error_set(&hub->error, ERROR_SYSTEM, "%s", reason);
    fail(hub);
}

static void on_invalid(void *context, const struct account *account)
{
    struct hub *hub = context;
    if (hub->ledger != NULL)
        ledger_invalid(hub->ledger, account);
}

static bool open_broker(struct hub *hub)
{
    const struct hub_options *options = hub->options;
    struct worker_link_options link = {
        .has_plugin = options->broker_url == NULL,
        .floor_threshold = hub->floor_threshold,
        .core = hub->core,
        .clients = board_clients(hub->board),
        .loop = &hub->loop,
        .log = &hub->log,
        .act = act,
        .on_broker = on_broker,
        .on_invalid = on_invalid,
        .context = hub,
    };
    struct url url;
    char directory[HUB_PATH_SIZE];
    if (options->broker_url != NULL) {
        if (!url_parse(options->broker_url, &url, &hub->error))
            return false;
        link.tls = strcmp(url.scheme, "mqtts") == 0;
        if (!link.tls && strcmp(url.scheme, "mqtt") != 0)
            return error_set(&hub->error, ERROR_INVALID,
                             "broker: the URL must begin with mqtt:// or mqtts://");
        link.host = url.host;
        link.port = url.port != 0 ? url.port : link.tls ? 8883 : 1883;
        link.user = url.user[0] != '\0' ? url.user : NULL;
        link.password = url.password[0] != '\0' ? url.password : NULL;
    } else {
        (void)snprintf(directory, sizeof directory, "%s/broker", options->data_directory);
        hub->broker = broker_start(
            &(struct broker_options){
                .loop = &hub->loop,
                .log = &hub->log,
                .directory = directory,
                .endpoints = {options->mqtt_listen, options->mqtt_ws_listen},
                .limits = options->broker_limits,
                .on_unusable = on_broker_unusable,
                .context = hub,
            },
            &hub->error);
        if (hub->broker == NULL)
            return false;
        link.host = broker_endpoints(hub->broker)->mqtt.host;
        link.port = broker_endpoints(hub->broker)->mqtt.port;
        link.user = "dpowserver";
        link.password = broker_server_password(hub->broker);
    }
    hub->link = worker_link_create(&link, &hub->error);
    return hub->link != NULL;
}

static bool open_watch(struct hub *hub)
{
    const struct hub_options *options = hub->options;
    hub->watch = block_watch_create(
        &(struct block_watch_options){
            .core = hub->core,
            .loop = &hub->loop,
            .log = &hub->log,
            .websocket_url = options->node_ws_url,
            .rpc_url = options->node_rpc_url,
            .allowed = options->block_allow,
            .allowed_count = options->block_allow_count,
            .secret = options->block_secret,
            .act = act,
            .context = hub,
        },
        &hub->error);
    return hub->watch != NULL;
}

/* What follows from an operator's command beyond the directory of services. */
static void on_service_changed(void *context, enum admin_change change, struct service *service)
{
    struct hub *hub = context;
    const struct service_record *record = &service->record;
    const uint64_t now_us = clock_monotonic_us();
    switch (change) {
    case ADMIN_SERVICE_ADDED:
    case ADMIN_SERVICE_EDITED:
        if (!ledger_tell_service(hub->ledger, record))
            log_write(&hub->log, LOG_WARNING, "no memory to precache for service %s", record->name);
        break;
    case ADMIN_SERVICE_KEYS:
        service_api_forget_keys(hub->api, record->id);
        return;
    case ADMIN_SERVICE_BANNED:
        hub_core_revoke(hub->core, now_us, record->id, HUB_ANSWER_SUSPENDED);
        break;
    case ADMIN_SERVICE_REMOVED:
        service_api_forget_keys(hub->api, record->id);
        hub_core_revoke(hub->core, now_us, record->id, HUB_ANSWER_REVOKED);
        act(hub);
        hub_core_forget_service(hub->core, record->id);
        break;
    }
    act(hub);
}

static void on_client_changed(void *context, const struct client_record *client)
{
    struct hub *hub = context;
    if (!clients_ban(board_clients(hub->board), &client->account, client->ban.until_ms))
        log_write(&hub->log, LOG_WARNING, "no room to ban another account before a restart");
}

static bool ban_connection(void *context, struct slice client_id, unsigned seconds)
{
    struct hub *hub = context;
    return hub->link != NULL && worker_link_ban(hub->link, client_id, seconds);
}

static char *write_statistics(void *context, size_t *length)
{
    struct hub *hub = context;
    const struct board_view view = hub_view(hub);
    const struct slice json = board_statistics(hub->board, &view);
    *length = json.length;
    return strndup(json.data, json.length);
}

static bool open_http(struct hub *hub)
{
    const struct hub_options *options = hub->options;
    const struct http_limits limits = http_limits_default();
    const struct http_handlers handlers = hub_routes(hub);
    if (options->tls_certificate != NULL) {
        hub->tls = tls_server_create(options->tls_certificate, options->tls_key, &hub->error);
        if (hub->tls == NULL)
            return false;
    }
    hub->http = http_server_create(&hub->loop, options->listen.host, options->listen.port,
                                   &handlers, &limits, &hub->log, &hub->error);
    if (hub->http == NULL)
        return false;
    http_server_use_tls(hub->http, hub->tls);
    return true;
}

static bool open_metrics(struct hub *hub)
{
    const struct listen_address *listen = &hub->options->metrics_listen;
    const struct http_limits limits = http_limits_default();
    const struct http_handlers handlers = hub_metrics_routes(hub);
    if (listen->host[0] == '\0')
        return true;
    hub->metrics_http = http_server_create(&hub->loop, listen->host, listen->port, &handlers,
                                           &limits, &hub->log, &hub->error);
    return hub->metrics_http != NULL;
}

static bool open_doors(struct hub *hub)
{
    const struct hub_options *options = hub->options;
    const struct admin_options admin = {
        .services = hub->services,
        .submit = submit_for_admin,
        .service_changed = on_service_changed,
        .client_changed = on_client_changed,
        .ban_connection = ban_connection,
        .statistics = write_statistics,
        .context = hub,
    };
    hub->api = service_api_create(
        &(struct service_api_options){
            .core = hub->core,
            .services = hub->services,
            .limits = service_limits(hub),
            .loop = &hub->loop,
            .log = &hub->log,
            .act = act,
            .measure = measure,
            .rehash = rehash,
            .context = hub,
        },
        &hub->error);
    if (hub->api == NULL || !open_http(hub) || !open_metrics(hub))
        return false;
    hub->control =
        control_create(&hub->loop, options->data_directory, &admin, &hub->log, &hub->error);
    return hub->control != NULL;
}

static void start_timers(struct hub *hub)
{
    uv_signal_t *signals[] = {&hub->on_terminate, &hub->on_interrupt, &hub->on_hangup};
    const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < 3; i++) {
        (void)uv_signal_init(&hub->loop, signals[i]);
        signals[i]->data = hub;
        (void)uv_signal_start(signals[i], on_signal, numbers[i]);
    }
    (void)uv_timer_init(&hub->loop, &hub->core_timer);
    (void)uv_timer_init(&hub->loop, &hub->second_timer);
    (void)uv_timer_init(&hub->loop, &hub->phase_timer);
    hub->core_timer.data = hub;
    hub->second_timer.data = hub;
    hub->phase_timer.data = hub;
    hub->core_timer_us = UINT64_MAX;
    (void)uv_timer_start(&hub->second_timer, on_second, 1000, 1000);
    (void)uv_timer_start(&hub->phase_timer, on_start_expired, START_MS, 0);
}

bool hub_run(const struct hub_options *options, const struct log *log, bool *interrupted,
             struct error *error)
{
    if (!make_data_directory(options->data_directory, error))
        return false;
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL || uv_loop_init(&hub->loop) != 0) {
        free(hub);
        return error_set(error, ERROR_MEMORY, "no memory for the hub");
    }
    hub->options = options;
    hub->settings = options->settings;
    hub->log = log_for_part(log, "hub");
    (void)snprintf(hub->broker_reason, sizeof hub->broker_reason, "broker: not connected yet");
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ,
                 SIG_IGN); /* a file at its limit is an error like a full disk, not an end */
    start_timers(hub);
    if (open_books(hub) && open_broker(hub) && open_watch(hub) && open_doors(hub))
        arm_core_timer(hub); /* for the works that were restored, and will expire */
    else
        fail(hub);
    (void)uv_run(&hub->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&hub->loop);
    tls_server_destroy(hub->tls);
    store_close(hub->store);
    board_destroy(hub->board);
    services_destroy(hub->services);
    hub_core_destroy(hub->core);
    *interrupted = hub->interrupted;
    const bool good = !hub->failed;
    if (!good)
        *error = hub->error;
    free(hub);
    return good;
}
