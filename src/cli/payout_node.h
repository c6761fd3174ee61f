/**
 * payout_node: the few calls of a Nano node's RPC by which a payout is paid (nano.md 4), one at a
 * time, each waited for. The node is not trusted: what it answers is checked, and bounded in size
 * and time.
 *
 * All functions return false with the error filled: ERROR_INVALID if the node refused, with its own
 * words, otherwise it is not known whether it did what it was asked.
 */
#ifndef DPOW_CLI_PAYOUT_NODE_H
#define DPOW_CLI_PAYOUT_NODE_H

#include "cli/payout_book.h"
#include "net/url.h"

#include <uv.h>

/** A node. */
struct payout_node {
    uv_loop_t loop;
    struct url url;
    uint64_t timeout_ms;
    struct json_object reply; /**< Of the last call; borrows the text. */
    char *text;               /**< Owned. */
    struct error failure;     /**< Of the call that runs. */
};

/** Who pays. */
struct payout_wallet {
    const char *id; /**< 64 hexadecimal digits. */
    const char *source;
};

/** @param url http://HOST:PORT @param timeout_ms of each call */
bool payout_node_open(struct payout_node *node, const char *url, uint64_t timeout_ms,
                      struct error *error);
void payout_node_close(struct payout_node *node);

/** `version`: whether it is on the network of a genesis block. @param genesis 64 digits */
bool payout_node_check(struct payout_node *node, const char *genesis, struct error *error);

/** `account_balance`, blocks that are not confirmed yet included. */
bool payout_node_balance(struct payout_node *node, const char *account, u128 *balance,
                         struct error *error);

/** `send`: pays an item. The same send id again gives the same block. */
bool payout_node_send(struct payout_node *node, const struct payout_wallet *wallet,
                      const struct payout_item *item, char block[BLOCK_TEXT_SIZE],
                      struct error *error);

/** `block_info`: whether the item's block is confirmed. It must pay what the item says. */
bool payout_node_confirmed(struct payout_node *node, const struct payout_item *item,
                           bool *confirmed, struct error *error);

/** `block_confirm`: asks the node to have the item's block confirmed. */
bool payout_node_confirm(struct payout_node *node, const struct payout_item *item,
                         struct error *error);

#endif
