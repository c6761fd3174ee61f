/**
 * block_watch: what the network confirms, for the core: from a node's WebSocket and from its HTTP
 * callback; and what was missed, from the node's RPC (dpow.md 5).
 *
 * After each connection to the WebSocket, and at the start, the RPC is asked where every chain is,
 * a call's worth at a time. The hub serves without a node: then nothing is made ahead. All
 * functions belong to the loop's thread.
 */
#ifndef DPOW_HUB_BLOCK_WATCH_H
#define DPOW_HUB_BLOCK_WATCH_H

#include "base/log.h"
#include "hub/core.h"
#include "net/http_server.h"
#include "node/node.h"

enum {
    BLOCK_SECRET_MIN = 16, /**< Characters; A-Z a-z 0-9 - and _ only. */
    BLOCK_SECRET_MAX = 128,
};

struct block_watch;

/** Where blocks come from. Texts are borrowed until block_watch_create() returns, the rest for the
 * watch's life. */
struct block_watch_options {
    struct hub_core *core;
    uv_loop_t *loop;
    const struct log *log;
    const char *websocket_url;  /**< NULL: none. */
    const char *rpc_url;        /**< NULL: none; what the core wants to know is only counted. */
    const char *const *allowed; /**< Numeric addresses that may call back without the secret… */
    size_t allowed_count;       /**< …0: this machine's own. */
    const char *secret;         /**< The last part of the path that anybody may call back; NULL. */
    /** Carries out the core's actions; called after every event the watch puts into the core. */
    void (*act)(void *context);
    void *context;
};

/** How things stand with the node. */
enum block_watch_state {
    BLOCK_WATCH_NONE, /**< No node is configured. Callbacks may come all the same. */
    BLOCK_WATCH_DOWN, /**< The WebSocket is not subscribed, or the last call of the RPC failed. */
    BLOCK_WATCH_UP,
};

/** What has happened. */
struct block_watch_stats {
    uint64_t callbacks;                     /**< Blocks from the HTTP callback. */
    uint64_t callbacks_forbidden;           /**< Refused for their sender. */
    uint64_t callback_faults[BLOCK_FAULTS]; /**< Refused, by enum block_fault. */
    uint64_t not_asked; /**< Accounts the core wanted to know more of, and no RPC could be asked. */
    struct confirmations_stats confirmations; /**< Zeros without a WebSocket. */
    struct node_rpc_stats rpc;                /**< Zeros without an RPC. */
};

/** @return owned by the caller, or NULL with the error filled (naming the option) */
struct block_watch *block_watch_create(const struct block_watch_options *options,
                                       struct error *error);

/** The core's action HUB_ASK_FRONTIER. */
void block_watch_ask(struct block_watch *watch, const struct account *account);

/**
 * Answers a POST to the callback's path: 200 without a text, 400 for what is no confirmed block,
 * 403 for whoever may not say so. Pages in browsers may not, wherever they are.
 * @param rest what follows "/block/" in the path
 */
void block_watch_post(struct block_watch *watch, struct http_exchange *exchange,
                      const struct http_request *request, struct slice rest);

/** When the last confirmed block came, by clock_monotonic_us(). @return false if none has */
bool block_watch_last(const struct block_watch *watch, uint64_t *when_us);

enum block_watch_state block_watch_state(const struct block_watch *watch);

void block_watch_stats(const struct block_watch *watch, struct block_watch_stats *stats);

/** Ends all connections and frees, at once but for what the loop closes; nothing is put into the
 * core any more. NULL is ignored. */
void block_watch_close(struct block_watch *watch);

#endif
