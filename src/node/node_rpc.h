/**
 * node_rpc: asks a node's RPC where the chains of accounts are (`accounts_frontiers`, nano.md 4).
 *
 * Accounts wait in a queue of bounded length, each once; one call is under way at a time, for up to
 * FRONTIERS_MAX of them. After a call that fails its accounts wait again, behind the others, and
 * nothing is asked for a pause that doubles each time. All functions belong to the loop's thread;
 * the process ignores SIGPIPE.
 *
 *     IDLE ──asked──► CALLING ──answer──► IDLE, or CALLING for the next ones
 *                        │  ▲
 *                failed  ▼  │ pause over
 *                       PAUSED
 */
#ifndef DPOW_NODE_NODE_RPC_H
#define DPOW_NODE_NODE_RPC_H

#include "base/error.h"
#include "base/log.h"
#include "nano/account.h"
#include "nano/work.h"
#include "net/url.h"

#include <uv.h>

struct node_rpc;

/** Whom to ask, and whom to tell; the callbacks come from the loop only, never from within a
 * function of this header, and may call all of them. */
struct node_rpc_options {
    const struct url *url; /**< Scheme http. Copied. */
    uint64_t timeout_ms;   /**< Of one call. */
    uint64_t retry_min_ms; /**< The first pause after a failure. */
    uint64_t retry_max_ms; /**< The longest one. */
    size_t queue_max;      /**< Accounts that wait; more are refused. */
    /** An account's head in the node's ledger; zeros if it has no block. */
    void (*on_frontier)(void *context, const struct account *account, const struct root *frontier);
    /** A call has ended, and less than a call's worth waits: whoever has much to ask goes on. */
    void (*on_room)(void *context);
    void *context;
};

/** What has happened. */
struct node_rpc_stats {
    uint64_t calls;      /**< Begun. */
    uint64_t failures;   /**< Ended without an answer that can be understood. */
    uint64_t answered;   /**< Accounts whose frontier was told. */
    uint64_t unanswered; /**< Accounts of which the node said nothing. */
    uint64_t refused;    /**< Accounts not taken because the queue was full. */
    size_t waiting;      /**< Accounts in the queue. */
    bool failing;        /**< The last call failed. */
};

/**
 * @return owned by the caller, or NULL with the error filled: another scheme than http
 *         (ERROR_INVALID), or no memory
 */
struct node_rpc *node_rpc_create(uv_loop_t *loop, const struct node_rpc_options *options,
                                 const struct log *log, struct error *error);

/**
 * Asks for an account. One that waits already is not asked for twice; one whose call is under way
 * is asked for again, for what that call brings may be old.
 * @return false, and it is counted as refused, when the queue is full
 */
bool node_rpc_ask(struct node_rpc *rpc, const struct account *account);

/** The caller has learned something newer of an account: an answer that is on its way is not told,
 * but asked for again. */
void node_rpc_outdate(struct node_rpc *rpc, const struct account *account);

void node_rpc_stats(const struct node_rpc *rpc, struct node_rpc_stats *stats);

/** Gives everything up and frees once the handles have closed on the loop; no callback follows.
 * Callbacks may call it, once. */
void node_rpc_close(struct node_rpc *rpc);

#endif
