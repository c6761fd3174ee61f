#include "hub/worker_link.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/random.h"
#include "net/mqtt_client.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SUBSCRIPTIONS = WORK_TYPES,
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

static void on_connected(void *context)
{
    struct worker_link *link = context;
    link->granted = 0;
    for (int type = 0; type < WORK_TYPES; type++) {
        char topic[MESSAGE_TOPIC_SIZE];
        message_topic_format(MESSAGE_RESULT, (enum work_type)type, topic);
        if (!mqtt_client_subscribe(link->client, topic, 0))
            log_write(&link->log, LOG_ERROR, "cannot subscribe to %s", topic);
    }
}

static void on_subscribed(void *context, const char *filter, bool granted)
{
    struct worker_link *link = context;
    if (!granted) {
        log_write(&link->log, LOG_ERROR, "the broker refuses the subscription of %s", filter);
        return;
    }
    if (++link->granted < SUBSCRIPTIONS)
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

static void on_message(void *context, struct slice topic, struct slice payload)
{
    struct worker_link *link = context;
    enum message_kind kind;
    enum work_type type;
    struct message_result result;
    struct account account;
    if (!message_topic_parse(topic, &kind, &type) || kind != MESSAGE_RESULT ||
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
}

struct worker_link *worker_link_create(const struct worker_link_options *options,
                                       struct error *error)
{
    struct worker_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the link to the broker");
        return NULL;
    }
    uint8_t number[8];
    char text[17];
    char client_id[32];
    random_system(number, sizeof number);
    hex_encode_upper(number, sizeof number, text);
    (void)snprintf(client_id, sizeof client_id, "dpow-hub-%s", text);
    link->options = *options;
    link->log = log_for_part(options->log, "workers");
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

static void on_client_closed(void *context)
{
    struct worker_link *link = context;
    void (*done)(void *context) = link->done;
    void *done_context = link->done_context;
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
