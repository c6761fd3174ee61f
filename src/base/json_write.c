#include "base/json.h"

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

/* The bytes of the well-formed UTF-8 sequence at data, or 0. A string of JSON is what the reader
 * accepts between quotes, so the reader is asked. */
static size_t well_formed(const char *data, size_t available)
{
    const size_t most = available < 4 ? available : 4;
    for (size_t length = 2; length <= most; length++) {
        char quoted[6] = {'"'};
        memcpy(quoted + 1, data, length);
        quoted[1 + length] = '"';
        if (json_valid((struct slice){quoted, length + 2}))
            return length;
    }
    return 0;
}

static void put_escaped(struct json_writer *writer, unsigned char byte)
{
    char text[8];
    if (byte == '"' || byte == '\\')
        (void)snprintf(text, sizeof text, "\\%c", byte);
    else if (byte == '\n')
        (void)snprintf(text, sizeof text, "\\n");
    else if (byte >= 0x80)
        (void)snprintf(text, sizeof text, "\\ufffd");
    else
        (void)snprintf(text, sizeof text, "\\u%04x", byte);
    put_text(writer, text);
}

void json_write_string(struct json_writer *writer, struct slice text)
{
    begin_value(writer);
    put(writer, "\"", 1);
    size_t i = 0;
    while (i < text.length) {
        const unsigned char byte = (unsigned char)text.data[i];
        size_t length = 1;
        if (byte >= 0x80)
            length = well_formed(text.data + i, text.length - i);
        else if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
            length = 0;
        if (length > 0)
            put(writer, text.data + i, length);
        else
            put_escaped(writer, byte);
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
    if (isfinite(number))
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
