/**
 * frontiers_reply: the question `accounts_frontiers` of a node's RPC and its answer, as versions
 * before V24, V24 and V25 write it (nano.md 4). No I/O, no state; any thread.
 */
#ifndef DPOW_NODE_FRONTIERS_REPLY_H
#define DPOW_NODE_FRONTIERS_REPLY_H

#include "nano/account.h"
#include "nano/work.h"

/** What the node says of one account. */
enum frontier_answer {
    FRONTIER_UNKNOWN,  /**< Nothing, or nothing that can be understood. */
    FRONTIER_KNOWN,    /**< Its head block. */
    FRONTIER_UNOPENED, /**< It has no block. */
};

/** An account that was asked for, and the answer. */
struct frontier_question {
    struct account account;
    enum frontier_answer answer;
    struct root frontier; /**< FRONTIER_KNOWN only. */
};

enum {
    FRONTIERS_MAX = 50,         /**< Accounts of one question. */
    FRONTIERS_BODY_SIZE = 4096, /**< Room for the question. */
};

/**
 * Writes the body of the question.
 * @param count 1 to FRONTIERS_MAX
 * @return its length
 */
size_t frontiers_write(const struct frontier_question *questions, size_t count,
                       char body[FRONTIERS_BODY_SIZE]);

/**
 * Reads the node's answer into the questions; whatever else it says is ignored.
 * @return NULL, or why it is no answer at all: a text for the log, without the node's own words
 */
const char *frontiers_read(struct slice body, struct frontier_question *questions, size_t count);

#endif
