#include "hub/block_watch.h"

#include "base/clock.h"
#include "hub/hub.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    PING_MS = 15000,
    ACK_MS = 10000,
    RETRY_MIN_MS = 500,
    RETRY_MAX_MS = 30000, /* The original's pause (dpow.md 5.1). */
    RPC_TIMEOUT_MS = 10000,
    RPC_QUEUE = 8192,
};

/* An address as IPv6 has it, IPv4 within ::ffff:0:0/96: a socket for both writes it so. */
struct address {
    uint8_t bytes[16];
};

struct block_watch {
    struct block_watch_options options;
    struct log log;
    struct confirmations *confirmations; /* NULL without a WebSocket. */
    struct node_rpc *rpc;                /* NULL without an RPC. */
    struct address allowed[HUB_BLOCK_ALLOW_MAX];
    size_t allowed_count;
    char secret[BLOCK_SECRET_MAX + 1]; /* Empty for none. */
    bool seen;
    uint64_t last_us;
    bool sweeping; /* The RPC is being asked for all chains. */
    size_t cursor; /* How far. */
    struct block_watch_stats stats;
};

static bool address_parse(const char *text, struct address *address)
{
    static const uint8_t ip4_in_ip6[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t ip4[4];
    if (uv_inet_pton(AF_INET6, text, address->bytes) == 0)
        return true;
    if (uv_inet_pton(AF_INET, text, ip4) != 0)
        return false;
    memcpy(address->bytes, ip4_in_ip6, sizeof ip4_in_ip6);
    memcpy(address->bytes + sizeof ip4_in_ip6, ip4, sizeof ip4);
    return true;
}

/* Asks for the next accounts of all; the rest follows when there is room again. */
static void sweep(struct block_watch *watch)
{
    struct account accounts[FRONTIERS_MAX];
    if (!watch->sweeping)
        return;
    const size_t count =
        hub_core_chains(watch->options.core, &watch->cursor, accounts, FRONTIERS_MAX);
    watch->sweeping = count > 0;
    for (size_t i = 0; i < count; i++)
        (void)node_rpc_ask(watch->rpc, &accounts[i]);
}

static void begin_sweep(struct block_watch *watch)
{
    if (watch->rpc == NULL)
        return;
    watch->sweeping = true;
    watch->cursor = 0;
    sweep(watch);
}

static void on_room(void *context)
{
    sweep(context);
}

static void on_frontier(void *context, const struct account *account, const struct root *frontier)
{
    struct block_watch *watch = context;
    hub_core_frontier(watch->options.core, clock_monotonic_us(), account, frontier);
    watch->options.act(watch->options.context);
}

static void take_block(struct block_watch *watch, const struct confirmed_block *block)
{
    const struct hub_block confirmed = {
        .account = block->account,
        .hash = block->hash,
        .previous = block->previous,
        .height = block->height,
    };
    watch->seen = true;
    watch->last_us = clock_monotonic_us();
    if (watch->rpc != NULL)
        node_rpc_outdate(watch->rpc, &block->account);
    hub_core_confirmed(watch->options.core, watch->last_us, &confirmed);
    watch->options.act(watch->options.context);
}

static void on_block(void *context, const struct confirmed_block *block)
{
    take_block(context, block);
}

static void on_up(void *context, bool up)
{
    if (up)
        begin_sweep(context);
}

static bool take_allowed(struct block_watch *watch, const struct block_watch_options *options,
                         struct error *error)
{
    static const char *const own[] = {"127.0.0.1", "::1"};
    const char *const *texts = options->allowed_count > 0 ? options->allowed : own;
    const size_t count =
        options->allowed_count > 0 ? options->allowed_count : sizeof own / sizeof own[0];
    if (count > HUB_BLOCK_ALLOW_MAX)
        return error_set(error, ERROR_INVALID, "block-allow: at most %d addresses can be given",
                         HUB_BLOCK_ALLOW_MAX);
    for (size_t i = 0; i < count; i++)
        if (!address_parse(texts[i], &watch->allowed[i]))
            return error_set(error, ERROR_INVALID,
                             "block-allow: it must be a numeric address without a port");
    watch->allowed_count = count;
    return true;
}

static bool take_secret(struct block_watch *watch, const char *secret, struct error *error)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (secret == NULL)
        return true;
    const size_t length = strlen(secret);
    if (length < BLOCK_SECRET_MIN || length > BLOCK_SECRET_MAX ||
        strspn(secret, characters) != length)
        return error_set(error, ERROR_INVALID,
                         "block-secret: it must have %d to %d characters of A-Z a-z 0-9 - _",
                         BLOCK_SECRET_MIN, BLOCK_SECRET_MAX);
    memcpy(watch->secret, secret, length + 1);
    return true;
}

static bool read_url(const char *text, const char *option, const char *scheme, struct url *url,
                     struct error *error)
{
    struct error reason;
    if (!url_parse(text, url, &reason))
        return error_set(error, ERROR_INVALID, "%s: %s", option, reason.text);
    if (strcmp(url->scheme, scheme) != 0)
        return error_set(error, ERROR_INVALID, "%s: the URL must begin with %s://", option, scheme);
    return true;
}

static bool open_rpc(struct block_watch *watch, const char *text, struct error *error)
{
    struct url url;
    if (text == NULL)
        return true;
    if (!read_url(text, "node-rpc", "http", &url, error))
        return false;
    watch->rpc = node_rpc_create(watch->options.loop,
                                 &(struct node_rpc_options){
                                     .url = &url,
                                     .timeout_ms = RPC_TIMEOUT_MS,
                                     .retry_min_ms = RETRY_MIN_MS,
                                     .retry_max_ms = RETRY_MAX_MS,
                                     .queue_max = RPC_QUEUE,
                                     .on_frontier = on_frontier,
                                     .on_room = on_room,
                                     .context = watch,
                                 },
                                 &watch->log, error);
    return watch->rpc != NULL;
}

static bool open_websocket(struct block_watch *watch, const char *text, struct error *error)
{
    struct url url;
    if (text == NULL)
        return true;
    if (!read_url(text, "node-ws", "ws", &url, error))
        return false;
    watch->confirmations = confirmations_create(watch->options.loop,
                                                &(struct confirmations_options){
                                                    .url = &url,
                                                    .ping_ms = PING_MS,
                                                    .retry_min_ms = RETRY_MIN_MS,
                                                    .retry_max_ms = RETRY_MAX_MS,
                                                    .ack_ms = ACK_MS,
                                                    .on_up = on_up,
                                                    .on_block = on_block,
                                                    .context = watch,
                                                },
                                                &watch->log, error);
    return watch->confirmations != NULL;
}

struct block_watch *block_watch_create(const struct block_watch_options *options,
                                       struct error *error)
{
    struct block_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory to watch blocks");
        return NULL;
    }
    watch->options = *options;
    watch->log = log_for_part(options->log, "blocks");
    if (!take_allowed(watch, options, error) || !take_secret(watch, options->secret, error) ||
        !open_rpc(watch, options->rpc_url, error) ||
        !open_websocket(watch, options->websocket_url, error)) {
        block_watch_close(watch);
        return NULL;
    }
    if (watch->confirmations == NULL)
        begin_sweep(watch); /* otherwise when it is subscribed: then nothing falls in between */
    return watch;
}

void block_watch_ask(struct block_watch *watch, const struct account *account)
{
    if (watch->rpc == NULL || !node_rpc_ask(watch->rpc, account))
        watch->stats.not_asked++;
}

static bool is_allowed(const struct block_watch *watch, const char *peer)
{
    struct address address;
    if (!address_parse(peer, &address))
        return false;
    for (size_t i = 0; i < watch->allowed_count; i++)
        if (memcmp(watch->allowed[i].bytes, address.bytes, sizeof address.bytes) == 0)
            return true;
    return false;
}

static bool knows_secret(const struct block_watch *watch, struct slice text)
{
    const size_t length = strlen(watch->secret);
    return length > 0 && text.length == length &&
           sodium_memcmp(text.data, watch->secret, length) == 0;
}

static bool may_call_back(const struct block_watch *watch, const struct http_request *request,
                          struct slice rest)
{
    if (request->origin.length > 0)
        return false;
    return rest.length > 0 ? knows_secret(watch, rest) : is_allowed(watch, request->peer);
}

static void respond_error(struct http_exchange *exchange, int status, const char *body)
{
    http_respond(exchange, &(struct http_response){
                               .status = status,
                               .content_type = "application/json; charset=utf-8",
                               .body = slice_of(body),
                           });
}

void block_watch_post(struct block_watch *watch, struct http_exchange *exchange,
                      const struct http_request *request, struct slice rest)
{
    struct confirmed_block block;
    if (!may_call_back(watch, request, rest)) {
        if (watch->stats.callbacks_forbidden++ == 0)
            log_write(&watch->log, LOG_WARNING,
                      "%s may not tell of blocks; more of these are only counted", request->peer);
        respond_error(exchange, 403, "{\"error\":\"Forbidden\"}");
        return;
    }
    const enum block_fault fault = block_callback_read(request->body, &block);
    if (fault != BLOCK_OK) {
        if (watch->stats.callback_faults[fault]++ == 0)
            log_write(&watch->log, LOG_WARNING,
                      "a callback from %s cannot be used: %s; more of these are only counted",
                      request->peer, block_fault_text(fault));
        respond_error(exchange, 400, "{\"error\":\"Not a confirmed block\"}");
        return;
    }
    watch->stats.callbacks++;
    http_respond(exchange, &(struct http_response){.status = 200});
    take_block(watch, &block);
}

bool block_watch_last(const struct block_watch *watch, uint64_t *when_us)
{
    if (watch->seen)
        *when_us = watch->last_us;
    return watch->seen;
}

void block_watch_stats(const struct block_watch *watch, struct block_watch_stats *stats)
{
    *stats = watch->stats;
    if (watch->confirmations != NULL)
        confirmations_stats(watch->confirmations, &stats->confirmations);
    if (watch->rpc != NULL)
        node_rpc_stats(watch->rpc, &stats->rpc);
}

enum block_watch_state block_watch_state(const struct block_watch *watch)
{
    struct block_watch_stats stats;
    if (watch->confirmations == NULL && watch->rpc == NULL)
        return BLOCK_WATCH_NONE;
    block_watch_stats(watch, &stats);
    const bool deaf = watch->confirmations != NULL && !stats.confirmations.up;
    return deaf || stats.rpc.failing ? BLOCK_WATCH_DOWN : BLOCK_WATCH_UP;
}

void block_watch_close(struct block_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->confirmations != NULL)
        confirmations_close(watch->confirmations);
    if (watch->rpc != NULL)
        node_rpc_close(watch->rpc);
    sodium_memzero(watch->secret, sizeof watch->secret);
    free(watch);
}
