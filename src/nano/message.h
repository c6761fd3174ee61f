/**
 * message: the MQTT topics and payloads that hub and workers exchange (dpow.md 2.1).
 *
 *     work/<type>    HASH,difficulty       hub to workers
 *     result/<type>  HASH,work,account     worker to hub
 *     cancel/<type>  HASH                  hub to workers
 *
 * HASH is 64 hexadecimal digits, upper case when written; difficulty and work are 16, lower case
 * when written; any case is read. The type is "precache" or "ondemand". No I/O.
 */
#ifndef DPOW_NANO_MESSAGE_H
#define DPOW_NANO_MESSAGE_H

#include "nano/account.h"
#include "nano/work.h"

/** What a work is asked for: ahead of need, or because somebody waits. Index of pairs of counters.
 */
enum work_type { WORK_PRECACHE, WORK_ONDEMAND, WORK_TYPES };

enum message_kind { MESSAGE_WORK, MESSAGE_RESULT, MESSAGE_CANCEL };

enum {
    MESSAGE_TOPIC_SIZE = 24, /**< Room for any topic of these kinds. */
    MESSAGE_WORK_SIZE = 82,  /**< 64 + 1 + 16 and the NUL. */
    MESSAGE_CANCEL_SIZE = 65,
    MESSAGE_RESULT_SIZE = 148, /**< 64 + 1 + 16 + 1 + 65 and the NUL. */
};

/** A result as it came: the account is whatever text the worker sent, not checked. */
struct message_result {
    struct root root;
    uint64_t nonce;
    struct slice account;
};

/** "precache" or "ondemand". */
const char *work_type_name(enum work_type type);

/** Reads a topic; only exactly these topics are known. */
bool message_topic_parse(struct slice topic, enum message_kind *kind, enum work_type *type);

/** Writes a topic and a NUL. */
void message_topic_format(enum message_kind kind, enum work_type type,
                          char topic[MESSAGE_TOPIC_SIZE]);

/** `HASH,difficulty`. */
bool message_work_parse(struct slice payload, struct root *root, uint64_t *threshold);
size_t message_work_format(const struct root *root, uint64_t threshold,
                           char payload[MESSAGE_WORK_SIZE]);

/** `HASH`. */
bool message_cancel_parse(struct slice payload, struct root *root);
size_t message_cancel_format(const struct root *root, char payload[MESSAGE_CANCEL_SIZE]);

/** `HASH,work,account`, exactly two commas; the account borrows the payload. */
bool message_result_parse(struct slice payload, struct message_result *result);
size_t message_result_format(const struct root *root, uint64_t nonce, const struct account *account,
                             char payload[MESSAGE_RESULT_SIZE]);

#endif
