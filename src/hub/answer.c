#include "hub/answer.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static struct json_writer begin(char *buffer, size_t size)
{
    struct json_writer writer;
    json_writer_init(&writer, buffer, size);
    json_begin_object(&writer);
    return writer;
}

static const char *title_of(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 402:
        return "Payment Required";
    case 403:
        return "Forbidden";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Internal Server Error";
    }
}

static size_t end(struct json_writer *writer, const struct answer_frame *frame)
{
    if (frame->status != 0) {
        json_key(writer, "type");
        json_write_text(writer, "about:blank");
        json_key(writer, "title");
        json_write_text(writer, title_of(frame->status));
        json_key(writer, "status");
        json_write_i64(writer, frame->status);
    }
    if (frame->id.length > 0) {
        json_key(writer, "id");
        json_write_raw(writer, frame->id);
    }
    json_end_object(writer);
    return writer->length;
}

size_t answer_work(char *buffer, const struct root *root, uint64_t nonce, bool clamped,
                   const struct answer_frame *frame)
{
    char work[19] = "\"";
    char hash[67] = "\"";
    work_format(nonce, work + 1);
    root_format(root, hash + 1);
    work[17] = '"';
    hash[65] = '"';
    struct json_writer writer = begin(buffer, ANSWER_ROOM + frame->id.length);
    /* Digits need no escapes. */
    json_key(&writer, "work");
    json_write_raw(&writer, (struct slice){work, 18});
    json_key(&writer, "hash");
    json_write_raw(&writer, (struct slice){hash, 66});
    if (clamped) {
        json_key(&writer, "clamped");
        json_write_bool(&writer, true);
    }
    return end(&writer, frame);
}

size_t answer_error(char *buffer, const char *error, const struct answer_frame *frame)
{
    struct json_writer writer = begin(buffer, ANSWER_ROOM + frame->id.length);
    json_key(&writer, "error");
    json_write_text(&writer, error);
    return end(&writer, frame);
}

size_t answer_timeout(char *buffer, const struct answer_frame *frame)
{
    struct json_writer writer = begin(buffer, ANSWER_ROOM + frame->id.length);
    json_key(&writer, "error");
    json_write_text(&writer, "Timeout reached without work");
    json_key(&writer, "timeout");
    json_write_bool(&writer, true);
    return end(&writer, frame);
}

size_t answer_too_many(char *buffer, unsigned retry_after_s, const struct answer_frame *frame)
{
    struct json_writer writer = begin(buffer, ANSWER_ROOM + frame->id.length);
    json_key(&writer, "error");
    json_write_text(&writer, "Too many requests");
    json_key(&writer, "retry_after");
    json_write_u64(&writer, retry_after_s);
    return end(&writer, frame);
}

size_t answer_internal(char *buffer, int64_t wall_us, uint64_t number,
                       const struct answer_frame *frame)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    struct tm local;
    char stamp[32] = "";
    if (localtime_r(&seconds, &local) != NULL)
        (void)strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
    char text[160];
    (void)snprintf(text, sizeof text,
                   "Unknown error, please report the following timestamp to the maintainers: "
                   "%s.%06d %" PRIu64,
                   stamp, (int)(wall_us % 1000000), number);
    return answer_error(buffer, text, frame);
}
