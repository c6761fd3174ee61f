/**
 * confirmations: the confirmed blocks of the network, from a node's WebSocket (nano.md 5).
 *
 * It subscribes, and is *up* once the node has acknowledged that; a connection that is lost is made
 * again by itself. Nothing is replayed: what was confirmed while it was not up is never told, so
 * the owner asks for it. Blocks come in any order, more than once, and some never. All functions
 * belong to the loop's thread; the process ignores SIGPIPE.
 */
#ifndef DPOW_NODE_CONFIRMATIONS_H
#define DPOW_NODE_CONFIRMATIONS_H

#include "base/error.h"
#include "base/log.h"
#include "net/url.h"
#include "node/block_message.h"

#include <uv.h>

struct confirmations;

/** Whom to listen to and whom to tell; the callbacks come from the loop only, never from within a
 * function of this header. */
struct confirmations_options {
    const struct url *url; /**< Scheme ws. Copied. */
    uint64_t ping_ms;      /**< As websocket_client.h has it… */
    uint64_t retry_min_ms;
    uint64_t retry_max_ms;
    uint64_t ack_ms; /**< The subscription is sent again when so long not acknowledged. */
    /** The subscription is acknowledged (true), or lost with its connection (false). */
    void (*on_up)(void *context, bool up);
    /** A block; borrowed until the return. */
    void (*on_block)(void *context, const struct confirmed_block *block);
    void *context;
};

/** What has come. */
struct confirmations_stats {
    uint64_t connections;          /**< Subscriptions acknowledged. */
    uint64_t blocks;               /**< Told. */
    uint64_t others;               /**< Messages about something else. */
    uint64_t faults[BLOCK_FAULTS]; /**< Messages that could not be used, by enum block_fault. */
    bool up;
};

/** @return owned by the caller, or NULL with the error filled, as websocket_client_create() */
struct confirmations *confirmations_create(uv_loop_t *loop,
                                           const struct confirmations_options *options,
                                           const struct log *log, struct error *error);

void confirmations_stats(const struct confirmations *confirmations,
                         struct confirmations_stats *stats);

/** Ends the connection and frees once the handles have closed on the loop; no callback follows.
 * Callbacks may call it, once. */
void confirmations_close(struct confirmations *confirmations);

#endif
