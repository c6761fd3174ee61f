#include "node/node_rpc.h"

#include "base/random.h"
#include "base/table.h"
#include "net/http_client.h"
#include "node/frontiers_reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RESPONSE_MAX = 65536 };

enum rpc_state { RPC_IDLE, RPC_CALLING, RPC_PAUSED, RPC_CLOSING };

struct node_rpc {
    struct node_rpc_options options;
    struct url url;
    struct log log;
    uv_loop_t *loop;
    enum rpc_state state;
    uv_timer_t timer; /* IDLE: begins a call with all that one turn of the loop asks. PAUSED: its
                         end. */
    struct http_call *call;
    struct account *queue; /* A ring of queue_max. */
    size_t first;
    size_t waiting;
    struct table *queued; /* The accounts in the queue; the values mean nothing. */
    struct frontier_question batch[FRONTIERS_MAX]; /* CALLING: what is asked. */
    bool outdated[FRONTIERS_MAX];
    size_t batch_count;
    uint64_t pause_ms;
    struct node_rpc_stats stats;
};

static void on_timer(uv_timer_t *timer);

static void on_timer_closed(uv_handle_t *handle)
{
    struct node_rpc *rpc = handle->data;
    table_destroy(rpc->queued);
    free(rpc->queue);
    free(rpc);
}

struct node_rpc *node_rpc_create(uv_loop_t *loop, const struct node_rpc_options *options,
                                 const struct log *log, struct error *error)
{
    uint8_t seed[TABLE_SEED_SIZE];
    if (strcmp(options->url->scheme, "http") != 0) {
        (void)error_set(error, ERROR_INVALID, "node-rpc: the URL must begin with http://");
        return NULL;
    }
    struct node_rpc *rpc = calloc(1, sizeof *rpc);
    if (rpc != NULL) {
        random_system(seed, sizeof seed);
        rpc->queue = calloc(options->queue_max, sizeof *rpc->queue);
        rpc->queued = table_create(options->queue_max, seed);
    }
    if (rpc == NULL || rpc->queue == NULL || rpc->queued == NULL) {
        if (rpc != NULL) {
            table_destroy(rpc->queued);
            free(rpc->queue);
        }
        free(rpc);
        (void)error_set(error, ERROR_MEMORY, "no memory for the node's RPC");
        return NULL;
    }
    rpc->options = *options;
    rpc->url = *options->url;
    rpc->options.url = &rpc->url;
    rpc->log = log_for_part(log, "node");
    rpc->loop = loop;
    rpc->pause_ms = options->retry_min_ms;
    (void)uv_timer_init(loop, &rpc->timer);
    rpc->timer.data = rpc;
    return rpc;
}

static bool enqueue(struct node_rpc *rpc, const struct account *account)
{
    if (table_find(rpc->queued, account->key) != NULL)
        return true;
    if (rpc->waiting == rpc->options.queue_max || !table_insert(rpc->queued, account->key, rpc)) {
        rpc->stats.refused++;
        return false;
    }
    rpc->queue[(rpc->first + rpc->waiting) % rpc->options.queue_max] = *account;
    rpc->waiting++;
    return true;
}

static struct account dequeue(struct node_rpc *rpc)
{
    const struct account account = rpc->queue[rpc->first];
    assert(rpc->waiting > 0);
    rpc->first = (rpc->first + 1) % rpc->options.queue_max;
    rpc->waiting--;
    (void)table_remove(rpc->queued, account.key);
    return account;
}

static void begin_soon(struct node_rpc *rpc)
{
    if (rpc->state == RPC_IDLE && rpc->waiting > 0)
        (void)uv_timer_start(&rpc->timer, on_timer, 0, 0);
}

void node_rpc_outdate(struct node_rpc *rpc, const struct account *account)
{
    for (size_t i = 0; i < rpc->batch_count; i++)
        if (memcmp(rpc->batch[i].account.key, account->key, sizeof account->key) == 0)
            rpc->outdated[i] = true;
}

static bool in_batch(const struct node_rpc *rpc, const struct account *account)
{
    for (size_t i = 0; i < rpc->batch_count; i++)
        if (memcmp(rpc->batch[i].account.key, account->key, sizeof account->key) == 0)
            return true;
    return false;
}

bool node_rpc_ask(struct node_rpc *rpc, const struct account *account)
{
    if (rpc->state == RPC_CLOSING)
        return false;
    if (in_batch(rpc, account)) {
        node_rpc_outdate(rpc, account);
        return true;
    }
    const bool taken = enqueue(rpc, account);
    begin_soon(rpc);
    return taken;
}

/* The batch is answered: what has become old meanwhile waits again. */
static void end_batch(struct node_rpc *rpc)
{
    const size_t count = rpc->batch_count;
    rpc->batch_count = 0;
    rpc->state = RPC_IDLE;
    for (size_t i = 0; i < count; i++)
        if (rpc->outdated[i])
            (void)enqueue(rpc, &rpc->batch[i].account);
    begin_soon(rpc);
    if (rpc->waiting < FRONTIERS_MAX)
        rpc->options.on_room(rpc->options.context);
}

static void tell_batch(struct node_rpc *rpc)
{
    static const struct root zeros;
    for (size_t i = 0; i < rpc->batch_count && rpc->state != RPC_CLOSING; i++) {
        const struct frontier_question *question = &rpc->batch[i];
        if (rpc->outdated[i])
            continue;
        if (question->answer == FRONTIER_UNKNOWN) {
            rpc->stats.unanswered++;
            continue;
        }
        rpc->stats.answered++;
        rpc->options.on_frontier(rpc->options.context, &question->account,
                                 question->answer == FRONTIER_KNOWN ? &question->frontier : &zeros);
    }
}

/* The batch goes behind what else waits: if it is one account that the node cannot bear, the others
 * get their turn. */
static void pause_after_failure(struct node_rpc *rpc, const char *reason)
{
    for (size_t i = 0; i < rpc->batch_count; i++)
        (void)enqueue(rpc, &rpc->batch[i].account);
    rpc->batch_count = 0;
    if (!rpc->stats.failing)
        log_write(&rpc->log, LOG_WARNING, "the node's RPC does not answer: %s", reason);
    rpc->stats.failing = true;
    rpc->stats.failures++;
    rpc->state = RPC_PAUSED;
    (void)uv_timer_start(&rpc->timer, on_timer, rpc->pause_ms, 0);
    rpc->pause_ms = rpc->pause_ms * 2 < rpc->options.retry_max_ms ? rpc->pause_ms * 2
                                                                  : rpc->options.retry_max_ms;
}

static void on_failure(void *context, const char *reason)
{
    struct node_rpc *rpc = context;
    rpc->call = NULL;
    pause_after_failure(rpc, reason);
}

static void on_response(void *context, int status, struct slice body)
{
    struct node_rpc *rpc = context;
    rpc->call = NULL;
    const char *wrong = status != 200 ? "its status is not 200"
                                      : frontiers_read(body, rpc->batch, rpc->batch_count);
    if (wrong != NULL) {
        pause_after_failure(rpc, wrong);
        return;
    }
    if (rpc->stats.failing)
        log_write(&rpc->log, LOG_INFO, "the node's RPC answers again");
    rpc->stats.failing = false;
    rpc->pause_ms = rpc->options.retry_min_ms;
    tell_batch(rpc);
    if (rpc->state != RPC_CLOSING)
        end_batch(rpc);
}

static void call(struct node_rpc *rpc)
{
    char body[FRONTIERS_BODY_SIZE];
    struct error error;
    const size_t length = frontiers_write(rpc->batch, rpc->batch_count, body);
    memset(rpc->outdated, 0, sizeof rpc->outdated);
    rpc->state = RPC_CALLING;
    rpc->stats.calls++;
    rpc->call = http_call_start(rpc->loop,
                                &(struct http_call_options){
                                    .url = &rpc->url,
                                    .method = "POST",
                                    .content_type = "application/json",
                                    .body = {body, length},
                                    .timeout_ms = rpc->options.timeout_ms,
                                    .response_max = RESPONSE_MAX,
                                    .on_response = on_response,
                                    .on_failure = on_failure,
                                    .context = rpc,
                                },
                                &error);
    if (rpc->call == NULL)
        pause_after_failure(rpc, error.text);
}

static void on_timer(uv_timer_t *timer)
{
    struct node_rpc *rpc = timer->data;
    while (rpc->waiting > 0 && rpc->batch_count < FRONTIERS_MAX)
        rpc->batch[rpc->batch_count++].account = dequeue(rpc);
    if (rpc->batch_count > 0)
        call(rpc);
    else
        rpc->state = RPC_IDLE;
}

void node_rpc_stats(const struct node_rpc *rpc, struct node_rpc_stats *stats)
{
    *stats = rpc->stats;
    stats->waiting = rpc->waiting;
}

void node_rpc_close(struct node_rpc *rpc)
{
    rpc->state = RPC_CLOSING;
    if (rpc->call != NULL)
        http_call_cancel(rpc->call);
    rpc->call = NULL;
    uv_close((uv_handle_t *)&rpc->timer, on_timer_closed);
}
