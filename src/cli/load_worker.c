#include "cli/load_internal.h"

#include "nano/message.h"

#include <unistd.h>

/* Tries before the hub's difficulty is held to be no instant worker's: some milliseconds. */
enum { TRIES_MAX = 65536, KEEPALIVE_S = 60, RETRY_MS = 1000, ACCOUNT_LENGTH = 65 };

static const char account[] = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7";
static const char work_topic[] = "work/ondemand";

static void on_connected(void *context)
{
    struct load *load = context;
    if (!mqtt_client_subscribe(load->worker.client, work_topic, 0))
        load_fail(load, ERROR_SYSTEM, "cannot subscribe to %s at the broker", work_topic);
}

static void on_subscribed(void *context, const char *filter, bool granted)
{
    struct load *load = context;
    if (!granted) {
        load_fail(load, ERROR_SYSTEM, "the broker refused the subscription of %s", filter);
        return;
    }
    load->worker.ready = true;
    load_advance(load);
}

static void on_disconnected(void *context, const char *reason)
{
    struct load *load = context;
    load_fail(load, ERROR_SYSTEM, "broker %s:%u: %s", load->options->broker->host,
              (unsigned)load->options->broker->port, reason);
}

static bool find_nonce(struct load *load, const struct root *root, uint64_t threshold,
                       uint64_t *nonce)
{
    *nonce = random_next(&load->random);
    for (int i = 0; i < TRIES_MAX; i++)
        if (work_valid(++*nonce, root, threshold))
            return true;
    return false;
}

static void on_message(void *context, struct slice topic, struct slice payload)
{
    struct load *load = context;
    struct load_worker *worker = &load->worker;
    char result[MESSAGE_RESULT_SIZE];
    struct root root;
    uint64_t threshold;
    uint64_t nonce;
    (void)topic;
    if (!message_work_parse(payload, &root, &threshold))
        return;
    worker->threshold = threshold;
    if (!find_nonce(load, &root, threshold, &nonce)) {
        load_fail(load, ERROR_LIMIT,
                  "the hub asks for %016llx, which is too much for an instant worker: run it with "
                  "--base-difficulty 0000000000001000",
                  (unsigned long long)threshold);
        return;
    }
    root_format(&root, result);
    result[64] = ',';
    work_format(nonce, result + 65);
    result[81] = ',';
    memcpy(result + 82, account, ACCOUNT_LENGTH);
    (void)mqtt_client_publish(worker->client, "result/ondemand",
                              (struct slice){result, MESSAGE_RESULT_SIZE - 1}, 0);
}

bool load_worker_start(struct load *load, struct error *error)
{
    const struct url *broker = load->options->broker;
    char client_id[32];
    load->worker.ready = broker == NULL;
    if (broker == NULL)
        return true;
    (void)snprintf(client_id, sizeof client_id, "bench-%ld", (long)getpid());
    const struct mqtt_options options = {
        .host = broker->host,
        .port = broker->port,
        .tls = strcmp(broker->scheme, "mqtts") == 0,
        .user = broker->user[0] != '\0' ? broker->user : NULL,
        .password = broker->password[0] != '\0' ? broker->password : NULL,
        .client_id = client_id,
        .keepalive_s = KEEPALIVE_S,
        .retry_min_ms = RETRY_MS,
        .retry_max_ms = RETRY_MS,
        .on_connected = on_connected,
        .on_disconnected = on_disconnected,
        .on_message = on_message,
        .on_subscribed = on_subscribed,
        .context = load,
    };
    load->worker.client = mqtt_client_create(&load->loop, &options, load->options->log, error);
    return load->worker.client != NULL;
}

void load_worker_close(struct load *load)
{
    if (load->worker.client != NULL)
        mqtt_client_close(load->worker.client, NULL, NULL);
    load->worker.client = NULL;
}
