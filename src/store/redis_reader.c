#include "store/redis_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_TIMEOUT_MS = 5000 };

static struct timeval milliseconds(int number)
{
    return (struct timeval){number / 1000, number % 1000 * 1000};
}

/* A text of the other side's on its way to a terminal. */
static void copy_printable(char *out, size_t size, struct slice text)
{
    size_t length = text.length < size - 1 ? text.length : size - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = isprint((unsigned char)text.data[i]) != 0 ? text.data[i] : '?';
    out[length] = '\0';
}

bool redis_refused(const char *doing, const redisReply *answer, struct error *error)
{
    char said[128];
    if (answer->type != REDIS_REPLY_ERROR)
        return error_set(error, ERROR_INVALID, "redis: %s: an answer of the wrong type", doing);
    copy_printable(said, sizeof said, (struct slice){answer->str, answer->len});
    return error_set(error, ERROR_SYSTEM, "redis: %s: %s", doing, said);
}

static bool lost(const struct redis_reader *reader, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, "redis: the connection is lost: %s",
                     reader->connection->errstr);
}

bool redis_reader_ask(struct redis_reader *reader, const struct redis_command *command,
                      struct error *error)
{
    const char *words[REDIS_ARGUMENTS_MAX];
    size_t lengths[REDIS_ARGUMENTS_MAX];
    for (int i = 0; i < command->count; i++) {
        words[i] = command->words[i].data;
        lengths[i] = command->words[i].length;
    }
    if (redisAppendCommandArgv(reader->connection, command->count, words, lengths) == REDIS_OK)
        return true;
    return lost(reader, error);
}

static bool send_all(struct redis_reader *reader)
{
    int done = 0;
    while (done == 0)
        if (redisBufferWrite(reader->connection, &done) != REDIS_OK)
            return false;
    return true;
}

/* hiredis's own redisGetReply() would collect an answer of any length. */
redisReply *redis_reader_answer(struct redis_reader *reader, struct error *error)
{
    redisContext *connection = reader->connection;
    void *answer = NULL;
    size_t received = 0;
    bool sent = false;
    while (redisGetReplyFromReader(connection, &answer) == REDIS_OK) {
        if (answer != NULL)
            return answer;
        if (received > REDIS_ANSWER_MAX) {
            (void)error_set(error, ERROR_LIMIT, "redis: an answer is longer than %d bytes",
                            REDIS_ANSWER_MAX);
            return NULL;
        }
        if (!sent && !send_all(reader))
            break;
        sent = true;
        const size_t before = connection->reader->len;
        if (redisBufferRead(connection) != REDIS_OK)
            break;
        received += connection->reader->len - before;
    }
    (void)lost(reader, error);
    return NULL;
}

redisReply *redis_reader_call(struct redis_reader *reader, const struct redis_command *command,
                              struct error *error)
{
    if (!redis_reader_ask(reader, command, error))
        return NULL;
    redisReply *answer = redis_reader_answer(reader, error);
    if (answer == NULL || answer->type != REDIS_REPLY_ERROR)
        return answer;
    (void)redis_refused("refused", answer, error);
    freeReplyObject(answer);
    return NULL;
}

static bool expect_ok(struct redis_reader *reader, const struct redis_command *command,
                      const char *doing, struct error *error)
{
    if (!redis_reader_ask(reader, command, error))
        return false;
    redisReply *answer = redis_reader_answer(reader, error);
    if (answer == NULL)
        return false;
    const bool good = answer->type == REDIS_REPLY_STATUS;
    if (!good)
        (void)redis_refused(doing, answer, error);
    freeReplyObject(answer);
    return good;
}

static bool log_in(struct redis_reader *reader, const struct redis_address *address,
                   struct error *error)
{
    char number[16];
    const struct slice auth = slice_of("AUTH");
    const struct slice password = slice_of(address->password);
    const struct redis_command with_user = {3, {auth, slice_of(address->user), password}};
    const struct redis_command without_user = {2, {auth, password}};
    (void)snprintf(number, sizeof number, "%u", address->database);
    const struct redis_command select = {2, {slice_of("SELECT"), slice_of(number)}};
    const bool known =
        password.length == 0 ||
        expect_ok(reader, address->user[0] != '\0' ? &with_user : &without_user, "log in", error);
    return known && (address->database == 0 || expect_ok(reader, &select, "database", error));
}

bool redis_reader_open(struct redis_reader *reader, const struct redis_address *address,
                       struct error *error)
{
    reader->connection =
        redisConnectWithTimeout(address->host, address->port, milliseconds(CONNECT_TIMEOUT_MS));
    if (reader->connection == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a connection to Redis");
    if (reader->connection->err != 0)
        (void)error_set(error, ERROR_SYSTEM, "cannot connect to redis at %.120s port %u: %s",
                        address->host, address->port, reader->connection->errstr);
    else if (redisSetTimeout(reader->connection, milliseconds(REDIS_TIMEOUT_MS)) != REDIS_OK)
        (void)lost(reader, error);
    else if (log_in(reader, address, error))
        return true;
    redis_reader_close(reader);
    return false;
}

void redis_reader_close(struct redis_reader *reader)
{
    if (reader->connection != NULL)
        redisFree(reader->connection);
    reader->connection = NULL;
}
