/**
 * block_message: confirmed blocks as a Nano node tells them, over its WebSocket or by its HTTP
 * callback (nano.md 5). No I/O, no state; any thread.
 *
 * What comes is not trusted: every block's hash is computed again from its contents (nano.md 2), so
 * a message can name no hash, previous block or account that do not belong together.
 */
#ifndef DPOW_NODE_BLOCK_MESSAGE_H
#define DPOW_NODE_BLOCK_MESSAGE_H

#include "nano/account.h"
#include "nano/work.h"

#include <stdint.h>

/** A block that the network has confirmed. */
struct confirmed_block {
    struct account account; /**< Whose chain it is in. */
    struct root hash;
    struct root previous; /**< Zeros for an account's first block. */
    uint64_t height;      /**< In the account's chain; 0 if the message does not say. */
    bool is_state;        /**< Otherwise of a type from before state blocks. */
};

/** Why a message cannot be used. */
enum block_fault {
    BLOCK_OK = 0,
    BLOCK_MALFORMED,   /**< Not a JSON object, or not one with what such a message must have. */
    BLOCK_NO_CONTENTS, /**< It names a block without its contents. */
    BLOCK_TYPE,        /**< Of a type that does not exist. */
    BLOCK_FIELD,       /**< A field of the block is missing or has no such value. */
    BLOCK_ACCOUNT,     /**< The block is of another account than the message says. */
    BLOCK_HASH,        /**< The contents have another hash than the message says. */
    BLOCK_FAULTS,
};

/** What a fault means, as the end of a sentence: "its hash is not that of its contents". */
const char *block_fault_text(enum block_fault fault);

/** What a message of the WebSocket is. */
enum node_message {
    NODE_CONFIRMATION, /**< A confirmed block. */
    NODE_SUBSCRIBED,   /**< The acknowledgement of a subscription. */
    NODE_OTHER,        /**< Another topic, or another acknowledgement. */
    NODE_UNUSABLE,     /**< None of these. */
};

/**
 * Reads a text of the WebSocket.
 * @param block written for NODE_CONFIRMATION only
 * @param fault set to why a message is NODE_UNUSABLE; otherwise to BLOCK_OK
 */
enum node_message block_message_read(struct slice text, struct confirmed_block *block,
                                     enum block_fault *fault);

/**
 * Reads the body of an HTTP callback, whose block is a JSON text within a string.
 * @param block written only when BLOCK_OK is returned
 */
enum block_fault block_callback_read(struct slice text, struct confirmed_block *block);

#endif
