#include "base/json.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_writer_init(struct json_writer *writer, char *data, size_t size)
{
    *writer = (struct json_writer){.data = data, .size = size};
    data[0] = '\0';
}

static void put(struct json_writer *writer, const char *text, size_t length)
{
    if (writer->overflow || length >= writer->size - writer->length) {
        writer->overflow = true;
        return;
    }
    memcpy(writer->data + writer->length, text, length);
    writer->length += length;
    writer->data[writer->length] = '\0';
}

static void put_text(struct json_writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* Every value begins here: after another one in the same array or object comes a comma. */
static void begin_value(struct json_writer *writer)
{
    if (writer->separate)
        put(writer, ",", 1);
    writer->separate = true;
}

static void begin(struct json_writer *writer, const char *bracket)
{
    begin_value(writer);
    put(writer, bracket, 1);
    writer->separate = false;
}

static void end(struct json_writer *writer, const char *bracket)
{
    put(writer, bracket, 1);
    writer->separate = true;
}

void json_begin_object(struct json_writer *writer)
{
    begin(writer, "{");
}

void json_end_object(struct json_writer *writer)
{
    end(writer, "}");
}

void json_begin_array(struct json_writer *writer)
{
    begin(writer, "[");
}

void json_end_array(struct json_writer *writer)
{
    end(writer, "]");
}

void json_key(struct json_writer *writer, const char *name)
{
    begin_value(writer);
    put(writer, "\"", 1);
    put_text(writer, name);
    put(writer, "\":", 2);
    writer->separate = false;
}

/* A character that may not stand in a string as it is, or would move a terminal's cursor when a
 * line of a log is shown. The number of each is the value of its last byte. */
static void put_escaped(struct json_writer *writer, unsigned char number)
{
    char text[8];
    if (number == '"' || number == '\\')
        (void)snprintf(text, sizeof text, "\\%c", number);
    else if (number == '\n')
        (void)snprintf(text, sizeof text, "\\n");
    else
        (void)snprintf(text, sizeof text, "\\u%04x", number);
    put_text(writer, text);
}

void json_write_string(struct json_writer *writer, struct slice text)
{
    begin_value(writer);
    put(writer, "\"", 1);
    size_t i = 0;
    while (i < text.length) {
        const char *at = text.data + i;
        const size_t length = utf8_length(at, text.length - i);
        if (length == 0)
            put_text(writer, "\\ufffd");
        else if (utf8_is_control(at, length) || *at == '"' || *at == '\\')
            put_escaped(writer, (unsigned char)at[length - 1]);
        else
            put(writer, at, length);
        i += length > 0 ? length : 1;
    }
    put(writer, "\"", 1);
}

void json_write_text(struct json_writer *writer, const char *text)
{
    json_write_string(writer, slice_of(text));
}

void json_write_raw(struct json_writer *writer, struct slice text)
{
    begin_value(writer);
    put(writer, text.data, text.length);
}

static void write_plain(struct json_writer *writer, const char *text)
{
    json_write_raw(writer, slice_of(text));
}

void json_write_u64(struct json_writer *writer, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    write_plain(writer, text);
}

void json_write_i64(struct json_writer *writer, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, number);
    write_plain(writer, text);
}

void json_write_double(struct json_writer *writer, double number)
{
    char text[32] = "null";
    /* Whole numbers as people write them: 100 and not 1e+02. */
    if (isfinite(number) && number == trunc(number) && fabs(number) < 1e15)
        (void)snprintf(text, sizeof text, "%.0f", number);
    else if (isfinite(number))
        for (int digits = 1; digits <= 17; digits++) {
            (void)snprintf(text, sizeof text, "%.*g", digits, number);
            if (strtod(text, NULL) == number)
                break;
        }
    write_plain(writer, text);
}

void json_write_bool(struct json_writer *writer, bool value)
{
    write_plain(writer, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer)
{
    write_plain(writer, "null");
}
