#include "node/confirmations.h"

#include "net/websocket_client.h"

#include <stdlib.h>

/* With the votes of an election, which another subscriber may have asked for, a message has some
 * 30 KB. */
enum { MESSAGE_MAX = 262144 };

/* No filter: accounts that services do not name are found by their blocks (dpow.md 12, row 20). */
static const char subscription[] =
    "{\"action\":\"subscribe\",\"topic\":\"confirmation\",\"ack\":true,\"id\":\"dpow\","
    "\"options\":{\"include_election_info\":false,\"include_sideband_info\":true}}";

struct confirmations {
    struct confirmations_options options;
    struct log log;
    struct websocket_client *client;
    uv_timer_t ack_timer;
    bool client_closed;
    bool timer_closed;
    bool told_down; /* The log has said that there is no connection. */
    struct confirmations_stats stats;
};

static void subscribe(struct confirmations *confirmations)
{
    if (!websocket_client_send(confirmations->client, slice_of(subscription)))
        log_write(&confirmations->log, LOG_DEBUG, "the subscription cannot be sent");
}

static void on_ack_late(uv_timer_t *timer)
{
    struct confirmations *confirmations = timer->data;
    log_write(&confirmations->log, LOG_WARNING, "the node does not acknowledge the subscription");
    subscribe(confirmations);
}

static void on_open(void *context)
{
    struct confirmations *confirmations = context;
    const uint64_t ack_ms = confirmations->options.ack_ms;
    subscribe(confirmations);
    (void)uv_timer_start(&confirmations->ack_timer, on_ack_late, ack_ms, ack_ms);
}

static void on_lost(void *context, const char *reason)
{
    struct confirmations *confirmations = context;
    const bool was_up = confirmations->stats.up;
    (void)uv_timer_stop(&confirmations->ack_timer);
    if (!confirmations->told_down)
        log_write(&confirmations->log, LOG_WARNING, "no confirmations from the node: %s", reason);
    confirmations->told_down = true;
    confirmations->stats.up = false;
    if (was_up)
        confirmations->options.on_up(confirmations->options.context, false);
}

static void on_subscribed(struct confirmations *confirmations)
{
    (void)uv_timer_stop(&confirmations->ack_timer);
    if (confirmations->stats.up)
        return;
    log_write(&confirmations->log, LOG_INFO, "the node tells of confirmations");
    confirmations->told_down = false;
    confirmations->stats.up = true;
    confirmations->stats.connections++;
    confirmations->options.on_up(confirmations->options.context, true);
}

static void on_text(void *context, struct slice text)
{
    struct confirmations *confirmations = context;
    struct confirmed_block block;
    enum block_fault fault;
    switch (block_message_read(text, &block, &fault)) {
    case NODE_CONFIRMATION:
        confirmations->stats.blocks++;
        confirmations->options.on_block(confirmations->options.context, &block);
        break;
    case NODE_SUBSCRIBED:
        on_subscribed(confirmations);
        break;
    case NODE_OTHER:
        confirmations->stats.others++;
        break;
    case NODE_UNUSABLE:
        if (confirmations->stats.faults[fault]++ == 0)
            log_write(&confirmations->log, LOG_WARNING,
                      "a message of the node cannot be used: %s; more of these are only counted",
                      block_fault_text(fault));
        break;
    }
}

struct confirmations *confirmations_create(uv_loop_t *loop,
                                           const struct confirmations_options *options,
                                           const struct log *log, struct error *error)
{
    struct confirmations *confirmations = calloc(1, sizeof *confirmations);
    if (confirmations == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the node's confirmations");
        return NULL;
    }
    confirmations->options = *options;
    confirmations->options.url = NULL; /* only borrowed */
    confirmations->log = log_for_part(log, "node");
    confirmations->client = websocket_client_create(loop,
                                                    &(struct websocket_client_options){
                                                        .url = options->url,
                                                        .ping_ms = options->ping_ms,
                                                        .retry_min_ms = options->retry_min_ms,
                                                        .retry_max_ms = options->retry_max_ms,
                                                        .message_bytes_max = MESSAGE_MAX,
                                                        .on_open = on_open,
                                                        .on_lost = on_lost,
                                                        .on_text = on_text,
                                                        .context = confirmations,
                                                    },
                                                    &confirmations->log, error);
    if (confirmations->client == NULL) {
        free(confirmations);
        return NULL;
    }
    (void)uv_timer_init(loop, &confirmations->ack_timer);
    confirmations->ack_timer.data = confirmations;
    return confirmations;
}

void confirmations_stats(const struct confirmations *confirmations,
                         struct confirmations_stats *stats)
{
    *stats = confirmations->stats;
}

static void release(struct confirmations *confirmations)
{
    if (confirmations->client_closed && confirmations->timer_closed)
        free(confirmations);
}

static void on_client_closed(void *context)
{
    struct confirmations *confirmations = context;
    confirmations->client_closed = true;
    release(confirmations);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct confirmations *confirmations = handle->data;
    confirmations->timer_closed = true;
    release(confirmations);
}

void confirmations_close(struct confirmations *confirmations)
{
    websocket_client_close(confirmations->client, on_client_closed, confirmations);
    uv_close((uv_handle_t *)&confirmations->ack_timer, on_timer_closed);
}
