#include "workserver/rpc.h"

#include "base/hex.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { NUMBER_SIZE = 400 };

const struct rpc_fault rpc_cancelled = {200, "Cancelled", NULL};
const struct rpc_fault rpc_failed = {200, "Work generation failed (see logs for details)", NULL};
const struct rpc_fault rpc_full = {200, "Work request limit exceeded", NULL};
const struct rpc_fault rpc_timeout = {200, "Work generation timed out", NULL};
const struct rpc_fault rpc_benchmark_failed = {500, "Benchmark failed", "Work generation failure"};
const struct rpc_fault rpc_benchmark_busy = {200, "Benchmark failed",
                                             "Another benchmark is running"};
const struct rpc_fault rpc_benchmark_forbidden = {403, "Benchmark failed",
                                                  "Only callers on this machine may ask for it"};

/* Members come in alphabetical order, as the servers that this one replaces write them. */
static void begin(struct json_writer *writer, char *buffer, struct slice id)
{
    json_writer_init(writer, buffer, RPC_ANSWER_ROOM + id.length);
    json_begin_object(writer);
}

static void write_id(struct json_writer *writer, struct slice id)
{
    if (id.length == 0)
        return;
    json_key(writer, "id");
    json_write_raw(writer, id);
}

static void write_text(struct json_writer *writer, const char *name, const char *text)
{
    json_key(writer, name);
    json_write_text(writer, text);
}

static void write_difficulty(struct json_writer *writer, uint64_t difficulty)
{
    char text[17];
    hex_u64_format(difficulty, text);
    write_text(writer, "difficulty", text);
}

/* The shortest text that reads back equal, without an exponent. */
static void write_multiplier(struct json_writer *writer, double multiplier)
{
    char text[NUMBER_SIZE];
    multiplier_format_shortest(multiplier, text, sizeof text);
    write_text(writer, "multiplier", text);
}

static void write_flag(struct json_writer *writer, const char *name, bool value)
{
    write_text(writer, name, value ? "1" : "0");
}

static void write_count(struct json_writer *writer, const char *name, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    write_text(writer, name, text);
}

static void write_ms(struct json_writer *writer, const char *name, double ms)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.3f", ms);
    write_text(writer, name, text);
}

static size_t end(struct json_writer *writer)
{
    json_end_object(writer);
    return writer->length;
}

size_t rpc_write_fault(char *buffer, const struct rpc_fault *fault, struct slice id)
{
    struct json_writer writer;
    begin(&writer, buffer, id);
    write_text(&writer, "error", fault->error);
    if (fault->hint != NULL)
        write_text(&writer, "hint", fault->hint);
    write_id(&writer, id);
    return end(&writer);
}

size_t rpc_write_work(char *buffer, const struct root *root, uint64_t nonce, uint64_t value,
                      uint64_t base, struct slice id)
{
    struct json_writer writer;
    char hash[65];
    char work[17];
    root_format(root, hash);
    work_format(nonce, work);
    begin(&writer, buffer, id);
    write_difficulty(&writer, value);
    write_text(&writer, "hash", hash);
    write_id(&writer, id);
    write_multiplier(&writer, difficulty_to_multiplier(value, base));
    write_text(&writer, "work", work);
    return end(&writer);
}

size_t rpc_write_validation(char *buffer, const struct rpc_request *request,
                            const struct network *network)
{
    struct json_writer writer;
    const uint64_t value = work_value(request->nonce, &request->root);
    begin(&writer, buffer, request->id);
    write_difficulty(&writer, value);
    write_id(&writer, request->id);
    write_multiplier(&writer, difficulty_to_multiplier(value, network->send));
    if (request->has_difficulty)
        write_flag(&writer, "valid", value >= request->threshold);
    write_flag(&writer, "valid_all", value >= network->send);
    write_flag(&writer, "valid_receive", value >= network->receive);
    return end(&writer);
}

size_t rpc_write_cancel(char *buffer, struct slice id)
{
    struct json_writer writer;
    begin(&writer, buffer, id);
    write_id(&writer, id);
    return end(&writer);
}

size_t rpc_write_status(char *buffer, bool generating, size_t waiting, struct slice id)
{
    struct json_writer writer;
    begin(&writer, buffer, id);
    write_flag(&writer, "generating", generating);
    write_id(&writer, id);
    write_count(&writer, "queue_size", waiting);
    return end(&writer);
}

size_t rpc_write_benchmark(char *buffer, uint64_t threshold, uint64_t base, uint64_t count,
                           double duration_ms, struct slice id)
{
    struct json_writer writer;
    begin(&writer, buffer, id);
    write_ms(&writer, "average", duration_ms / (double)count);
    write_count(&writer, "count", count);
    write_difficulty(&writer, threshold);
    write_ms(&writer, "duration", duration_ms);
    write_text(&writer, "hint", "Times in milliseconds");
    write_id(&writer, id);
    write_multiplier(&writer, difficulty_to_multiplier(threshold, base));
    return end(&writer);
}
