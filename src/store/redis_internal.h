/**
 * redis_internal: questions to a Redis that is not trusted, for redis_source.c.
 */
#ifndef DPOW_STORE_REDIS_INTERNAL_H
#define DPOW_STORE_REDIS_INTERNAL_H

#include "store/redis_source.h"

#include <hiredis.h>

enum {
    REDIS_ARGUMENTS_MAX = 5,
    REDIS_ANSWER_MAX = 64 << 20, /**< Bytes of an answer. */
};

/** A command and its arguments. */
struct redis_command {
    int count;
    struct slice words[REDIS_ARGUMENTS_MAX];
};

/** A connection. Of no use after the first failure. */
struct redis_reader {
    redisContext *connection;
};

/** Connects, logs in and selects the database. */
bool redis_reader_open(struct redis_reader *reader, const struct redis_address *address,
                       struct error *error);
void redis_reader_close(struct redis_reader *reader);

/** Queues a command for redis_reader_answer(). */
bool redis_reader_ask(struct redis_reader *reader, const struct redis_command *command,
                      struct error *error);

/**
 * Waits for the answer to the first command that has none yet.
 * @return owned by the caller (freeReplyObject), also an answer that is an error; NULL with the
 *         error filled if none comes, or one that is malformed or over REDIS_ANSWER_MAX
 */
redisReply *redis_reader_answer(struct redis_reader *reader, struct error *error);

/** The two together; an answer that is an error of Redis's is a failure. */
redisReply *redis_reader_call(struct redis_reader *reader, const struct redis_command *command,
                              struct error *error);

/** Fills the error with what Redis said, its unprintable bytes replaced; returns false. */
bool redis_refused(const char *doing, const redisReply *answer, struct error *error);

#endif
