#include "hub/worker_link.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/random.h"
#include "broker/plugin.h"
#include "hub/connections.h"
#include "net/mqtt_client.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    BAN_S = 600,
    FILTER_SIZE = sizeof BROKER_RESULT_PREFIX + MESSAGE_TOPIC_SIZE,
    KEEPALIVE_S = 15,
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 2000,
    REWARD_SIZE = 384,
    STATISTICS_MAX = 200000, /* The broker takes packets of up to 262,144 bytes. */
    ACCOUNT_TOPIC_SIZE = sizeof "client/" + ACCOUNT_TEXT_SIZE,
};

struct worker_link {
    struct worker_link_options options;
    struct log log;
    struct mqtt_client *client;
    struct connections *connections;
    struct broker_counters broker;
    bool broker_known;
    unsigned granted;
    bool up;
    struct worker_link_counters counters;
    void (*done)(void *context);
    void *done_context;
};

static void publish(struct worker_link *link, const char *topic, struct slice payload)
{
    if (link->up && mqtt_client_publish(link->client, topic, payload, 0))
        link->counters.published++;
    else
        link->counters.unpublished++;
}

static void go_down(struct worker_link *link, const char *reason)
{
    link->granted = 0;
    link->up = false;
    link->options.on_broker(link->options.context, false, reason);
}

static void subscribe(struct worker_link *link, const char *filter)
{
    if (!mqtt_client_subscribe(link->client, filter, 0))
        log_write(&link->log, LOG_ERROR, "cannot subscribe to %s", filter);
}

static unsigned subscriptions(const struct worker_link *link)
{
    return WORK_TYPES + (link->options.has_plugin ? 1 : 0);
}

static void on_connected(void *context)
{
    struct worker_link *link = context;
    link->granted = 0;
    link->broker_known = false;
    for (int type = 0; type < WORK_TYPES; type++) {
        char topic[MESSAGE_TOPIC_SIZE];
        char filter[FILTER_SIZE];
        message_topic_format(MESSAGE_RESULT, (enum work_type)type, topic);
        (void)snprintf(filter, sizeof filter, "%s%s",
                       link->options.has_plugin ? BROKER_RESULT_PREFIX : "", topic);
        subscribe(link, filter);
    }
    if (link->options.has_plugin)
        subscribe(link, BROKER_REPORT_TOPIC);
}

static void on_subscribed(void *context, const char *filter, bool granted)
{
    struct worker_link *link = context;
    if (!granted) {
        log_write(&link->log, LOG_ERROR, "the broker refuses the subscription of %s", filter);
        return;
    }
    if (++link->granted < subscriptions(link))
        return;
    link->up = true;
    link->options.on_broker(link->options.context, true, NULL);
    hub_core_broker_back(link->options.core);
    link->options.act(link->options.context);
}

static void on_disconnected(void *context, const char *reason)
{
    go_down(context, reason);
}

/* Whether a text may stand in a topic: only characters of account texts, and not too long. */
static bool topic_safe(struct slice text)
{
    if (text.length == 0 || text.length >= ACCOUNT_TEXT_SIZE)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return true;
}

/* dpow.md 2.3 step 8: whoever mistyped an account can learn of it under the text as typed, where
 * that text cannot do harm in a topic. */
static void tell_invalid_account(struct worker_link *link, struct slice account)
{
    char topic[ACCOUNT_TOPIC_SIZE];
    char text[160];
    char payload[256];
    struct json_writer writer;
    link->counters.invalid_accounts++;
    if (!topic_safe(account))
        return;
    (void)snprintf(topic, sizeof topic, "client/%.*s", (int)account.length, account.data);
    (void)snprintf(text, sizeof text, "Work accepted but account %.*s is invalid",
                   (int)account.length, account.data);
    json_writer_init(&writer, payload, sizeof payload);
    json_begin_object(&writer);
    json_key(&writer, "error");
    json_write_text(&writer, text);
    json_end_object(&writer);
    publish(link, topic, (struct slice){payload, writer.length});
}

static bool find_number(const struct json_object *object, const char *name, uint64_t *number)
{
    double value;
    if (!json_number(json_find(object, name), &value) || !(value >= 0) || value >= 9e15)
        return false;
    *number = (uint64_t)value;
    return true;
}

static void read_refused(const struct json_object *refused, struct broker_counters *counters)
{
    static const char *const names[] = {"banned", "crowded", "taken", "sessions", "id"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t number;
        if (find_number(refused, names[i], &number))
            counters->refused += number;
    }
}

static void on_report(struct worker_link *link, struct slice payload)
{
    struct json_object report;
    struct json_object part;
    struct broker_counters read = {0};
    if (json_read_object(payload, &report) != JSON_OK ||
        !find_number(&report, "connections", &read.connections) ||
        json_read_object(json_find(&report, "dropped").text, &part) != JSON_OK ||
        !find_number(&part, "large", &read.large) ||
        !find_number(&part, "malformed", &read.malformed) ||
        !find_number(&part, "rate", &read.rate) || !find_number(&part, "banned", &read.banned))
        return;
    if (json_read_object(json_find(&report, "refused").text, &part) == JSON_OK)
        read_refused(&part, &read);
    link->broker = read;
    link->broker_known = true;
}

/* Late results are never faults, and neither is a work that met what was asked at first but not
 * what has been asked since: only what is below every threshold. */
static bool is_invalid(const struct worker_link *link, const struct message_result *result)
{
    return work_value(result->nonce, &result->root) < link->options.floor_threshold;
}

/* The account is what the result says; the connection is who sent it. */
static void on_fault(struct worker_link *link, const struct account *account, struct slice label)
{
    link->counters.faults++;
    if (account != NULL)
        link->options.on_invalid(link->options.context, account);
    if (!link->options.has_plugin ||
        !connections_fault(link->connections, clock_monotonic_us(), label))
        return;
    log_write(&link->log, LOG_WARNING,
              "connection %.*s sends invalid results: it is banned for %d s", (int)label.length,
              label.data, BAN_S);
    (void)worker_link_ban(link, label, BAN_S);
}

/* `hub/result/<type>` and `LABEL,` before what the worker has sent. */
static bool take_label(struct slice *topic, struct slice *payload, struct slice *label)
{
    const size_t prefix = strlen(BROKER_RESULT_PREFIX);
    const char *comma = payload->length > 0 ? memchr(payload->data, ',', payload->length) : NULL;
    if (topic->length < prefix || memcmp(topic->data, BROKER_RESULT_PREFIX, prefix) != 0 ||
        comma == NULL)
        return false;
    *label = (struct slice){payload->data, (size_t)(comma - payload->data)};
    *topic = (struct slice){topic->data + prefix, topic->length - prefix};
    *payload = (struct slice){comma + 1, payload->length - label->length - 1};
    return true;
}

static void on_message(void *context, struct slice topic, struct slice payload)
{
    struct worker_link *link = context;
    enum message_kind kind;
    enum work_type type;
    struct message_result result;
    struct account account;
    struct slice label = {NULL, 0};
    if (link->options.has_plugin && slice_is(topic, BROKER_REPORT_TOPIC)) {
        on_report(link, payload);
        return;
    }
    if ((link->options.has_plugin && !take_label(&topic, &payload, &label)) ||
        !message_topic_parse(topic, &kind, &type) || kind != MESSAGE_RESULT ||
        !message_result_parse(payload, &result)) {
        link->counters.malformed++;
        return;
    }
    const bool valid = account_parse(result.account, &account) == ACCOUNT_OK;
    if (valid && client_banned(link->options.clients, &account, clock_wall_ms())) {
        link->counters.banned++;
        return;
    }
    const enum hub_verdict verdict =
        hub_core_result(link->options.core, clock_monotonic_us(), &result.root, result.nonce,
                        valid ? &account : NULL);
    link->options.act(link->options.context);
    if (verdict == HUB_RESULT_ACCEPTED && !valid)
        tell_invalid_account(link, result.account);
    else if (verdict == HUB_RESULT_WEAK && is_invalid(link, &result))
        on_fault(link, valid ? &account : NULL, label);
}

struct worker_link *worker_link_create(const struct worker_link_options *options,
                                       struct error *error)
{
    struct worker_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the link to the broker");
        return NULL;
    }
    struct connections_options limits = connections_options_default();
    uint8_t number[8];
    char text[17];
    char client_id[32];
    random_system(limits.seed, sizeof limits.seed);
    random_system(number, sizeof number);
    hex_encode_upper(number, sizeof number, text);
    (void)snprintf(client_id, sizeof client_id, "dpow-hub-%s", text);
    link->options = *options;
    link->log = log_for_part(options->log, "workers");
    link->connections = connections_create(&limits);
    if (link->connections == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the link to the broker");
        free(link);
        return NULL;
    }
    link->client = mqtt_client_create(options->loop,
                                      &(struct mqtt_options){
                                          .host = options->host,
                                          .port = options->port,
                                          .tls = options->tls,
                                          .user = options->user,
                                          .password = options->password,
                                          .client_id = client_id,
                                          .keepalive_s = KEEPALIVE_S,
                                          .retry_min_ms = RETRY_MIN_MS,
                                          .retry_max_ms = RETRY_MAX_MS,
                                          .on_connected = on_connected,
                                          .on_disconnected = on_disconnected,
                                          .on_message = on_message,
                                          .on_subscribed = on_subscribed,
                                          .context = link,
                                      },
                                      options->log, error);
    if (link->client != NULL)
        return link;
    connections_destroy(link->connections);
    free(link);
    return NULL;
}

bool worker_link_up(const struct worker_link *link)
{
    return link->up;
}

static void publish_work(struct worker_link *link, const struct hub_action *action)
{
    char topic[MESSAGE_TOPIC_SIZE];
    char payload[MESSAGE_WORK_SIZE];
    message_topic_format(MESSAGE_WORK, action->work.type, topic);
    const size_t length = message_work_format(&action->work.root, action->work.threshold, payload);
    publish(link, topic, (struct slice){payload, length});
}

static void publish_cancel(struct worker_link *link, const struct hub_action *action)
{
    char topic[MESSAGE_TOPIC_SIZE];
    char payload[MESSAGE_CANCEL_SIZE];
    message_topic_format(MESSAGE_CANCEL, action->work.type, topic);
    const size_t length = message_cancel_format(&action->work.root, payload);
    publish(link, topic, (struct slice){payload, length});
}

/* `client/<account>` (dpow.md 2.4): a counter that was never set is absent. */
static void publish_reward(struct worker_link *link, const struct hub_action *action)
{
    const struct client_totals *totals = &action->reward.totals;
    char account[ACCOUNT_TEXT_SIZE];
    char topic[ACCOUNT_TOPIC_SIZE];
    char hash[65];
    char payload[REWARD_SIZE];
    struct json_writer writer;
    account_format(&action->reward.account, account);
    (void)snprintf(topic, sizeof topic, "client/%s", account);
    root_format(&action->reward.root, hash);
    json_writer_init(&writer, payload, sizeof payload);
    json_begin_object(&writer);
    for (int type = 0; type < WORK_TYPES; type++) {
        if (totals->rewarded.of[type] == 0)
            continue;
        json_key(&writer, work_type_name((enum work_type)type));
        json_write_u64(&writer, totals->rewarded.of[type]);
    }
    if (totals->has_snapshot) {
        json_key(&writer, "snapshot_precache");
        json_write_u64(&writer, totals->snapshot.of[WORK_PRECACHE]);
        json_key(&writer, "snapshot_ondemand");
        json_write_u64(&writer, totals->snapshot.of[WORK_ONDEMAND]);
    }
    json_key(&writer, "block_rewarded");
    json_write_text(&writer, hash);
    json_end_object(&writer);
    publish(link, topic, (struct slice){payload, writer.length});
}

void worker_link_publish(struct worker_link *link, const struct hub_action *action)
{
    if (action->kind == HUB_WORK)
        publish_work(link, action);
    else if (action->kind == HUB_CANCEL)
        publish_cancel(link, action);
    else if (action->kind == HUB_REWARD)
        publish_reward(link, action);
}

void worker_link_heartbeat(struct worker_link *link)
{
    publish(link, "heartbeat", (struct slice){"", 0});
}

void worker_link_statistics(struct worker_link *link, struct slice json)
{
    if (json.length <= STATISTICS_MAX)
        publish(link, "statistics", json);
    else
        log_write(&link->log, LOG_WARNING,
                  "statistics of %zu bytes are too large for the broker: not published",
                  json.length);
}

void worker_link_counters(const struct worker_link *link, struct worker_link_counters *counters)
{
    *counters = link->counters;
}

bool worker_link_broker_counters(const struct worker_link *link, struct broker_counters *counters)
{
    if (link->broker_known)
        *counters = link->broker;
    return link->broker_known;
}

bool worker_link_ban(struct worker_link *link, struct slice client, unsigned seconds)
{
    char label[LABEL_MAX + 1];
    char payload[LABEL_MAX + 16];
    if (!link->options.has_plugin || !link->up || client.length == 0 || seconds == 0 ||
        seconds > BROKER_BAN_MAX_S)
        return false;
    if (label_valid(client))
        (void)snprintf(label, sizeof label, "%.*s", (int)client.length, client.data);
    else
        label_make(client, label);
    const int length = snprintf(payload, sizeof payload, "%s,%u", label, seconds);
    publish(link, BROKER_BAN_TOPIC, (struct slice){payload, (size_t)length});
    link->counters.bans++;
    return true;
}

static void on_client_closed(void *context)
{
    struct worker_link *link = context;
    void (*done)(void *context) = link->done;
    void *done_context = link->done_context;
    connections_destroy(link->connections);
    free(link);
    if (done != NULL)
        done(done_context);
}

void worker_link_close(struct worker_link *link, void (*done)(void *context), void *context)
{
    link->done = done;
    link->done_context = context;
    link->up = false;
    mqtt_client_close(link->client, on_client_closed, link);
}
