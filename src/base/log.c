#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 1000, LINE_MAX = 6 * TEXT_MAX + 256, STAMP_SIZE = 32 };

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

bool log_format_parse(const char *text, enum log_format *format)
{
    if (strcmp(text, "text") == 0)
        *format = LOG_TEXT;
    else if (strcmp(text, "json") == 0)
        *format = LOG_JSON;
    else
        return false;
    return true;
}

bool log_level_parse(const char *text, enum log_level *level)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

struct log log_for_part(const struct log *log, const char *part)
{
    struct log named = *log;
    named.part = part;
    return named;
}

static void write_stamp(char stamp[STAMP_SIZE])
{
    const int64_t now_ms = clock_wall_ms();
    const time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    stamp[0] = '\0';
    if (gmtime_r(&seconds, &utc) == NULL)
        return;
    const size_t length = strftime(stamp, STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(stamp + length, STAMP_SIZE - length, ".%03dZ", (int)(now_ms % 1000));
}

static void write_all(int descriptor, const char *line, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(descriptor, line, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        line += written;
        length -= (size_t)written;
    }
}

static size_t json_line(const struct log *log, enum log_level level, const char *stamp,
                        const char *text, char line[LINE_MAX])
{
    struct json_writer writer;
    json_writer_init(&writer, line, LINE_MAX - 1);
    json_begin_object(&writer);
    json_key(&writer, "time");
    json_write_text(&writer, stamp);
    json_key(&writer, "level");
    json_write_text(&writer, level_names[level]);
    json_key(&writer, "part");
    json_write_text(&writer, log->part);
    json_key(&writer, "text");
    json_write_text(&writer, text);
    json_end_object(&writer);
    return writer.length;
}

/* A text may quote what came from outside: nothing in it may move the cursor or forge a line. */
static size_t text_line(const struct log *log, enum log_level level, const char *stamp,
                        const char *text, char line[LINE_MAX])
{
    size_t length =
        (size_t)snprintf(line, LINE_MAX / 2, "%s %-7s %s: ", stamp, level_names[level], log->part);
    const char *end = text + strlen(text);
    while (text < end && length < LINE_MAX - 32) {
        const size_t whole = utf8_length(text, (size_t)(end - text));
        const bool shown = whole > 0 && !utf8_is_control(text, whole);
        for (size_t left = whole > 0 ? whole : 1; left > 0; left--, text++)
            if (shown)
                line[length++] = *text;
            else
                length += (size_t)snprintf(line + length, 5, "\\x%02x", (unsigned char)*text);
    }
    return length;
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    if (level < log->level)
        return;
    char text[TEXT_MAX + 1];
    char line[LINE_MAX];
    char stamp[STAMP_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_stamp(stamp);
    size_t length = log->format == LOG_JSON ? json_line(log, level, stamp, text, line)
                                            : text_line(log, level, stamp, text, line);
    line[length++] = '\n';
    write_all(log->descriptor, line, length);
}
