/* The JSON reader against another one: what ours accepts, json-c accepts too, with as many members
 * and equal strings. The exceptions: json-c cuts names at a NUL, and takes an escaped character for
 * half a pair if its low 16 bits look like one (U+1D800, say); objects with such names are compared
 * no further, and such strings not at all. And the reader accepts whatever the writer makes of any
 * bytes, and gives them back if they are UTF-8. */
#include "json_other.h"

#include "base/json.h"
#include "base/utf8.h"

#include <stdlib.h>

enum { TEXT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_misread(const char *text, size_t length)
{
    const unsigned char *byte = (const unsigned char *)text;
    for (size_t i = 0; i + 3 < length; i++) {
        const unsigned low = (byte[i + 1] & 15U) << 12 | (byte[i + 2] & 63U) << 6;
        if (byte[i] >= 0xf0 && (low & 0xf800U) == 0xd800U)
            return true;
    }
    return false;
}

/* The name as a string; false if it is longer than texts here, has a NUL, or is misread. */
static bool plain_name(struct slice name, char text[TEXT_MAX])
{
    size_t length;
    return json_string((struct json_value){JSON_STRING, name}, text, TEXT_MAX, &length) &&
           strlen(text) == length && !is_misread(text, length);
}

static void compare_member(void *other, const char *name, struct json_value value)
{
    char text[TEXT_MAX];
    size_t length;
    size_t other_length;
    const char *same = json_other_string(other, name, &other_length);
    if (value.type == JSON_STRING && json_string(value, text, sizeof text, &length) &&
        !is_misread(text, length))
        must(same != NULL && other_length == length && memcmp(same, text, length) == 0);
}

static void compare_members(void *other, const struct json_object *object)
{
    char name[TEXT_MAX];
    for (size_t i = 0; i < object->count; i++)
        if (!plain_name(object->members[i].name, name))
            return;
    must(json_other_count(other) == object->count);
    for (size_t i = 0; i < object->count; i++)
        if (plain_name(object->members[i].name, name))
            compare_member(other, name, object->members[i].value);
}

static void check_reader(struct slice text)
{
    struct json_object object;
    double number;
    if (json_read_object(text, &object) != JSON_OK)
        return;
    must(json_valid(text));
    void *other = json_other_read(text.data, text.length);
    must(other != NULL);
    for (size_t i = 0; i < object.count; i++) {
        must(json_valid(object.members[i].value.text));
        (void)json_number(object.members[i].value, &number);
    }
    compare_members(other, &object);
    json_other_free(other);
}

static bool is_utf8(struct slice bytes)
{
    for (size_t i = 0; i < bytes.length;) {
        const size_t length = utf8_length(bytes.data + i, bytes.length - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

static void check_writer(struct slice bytes)
{
    static char data[6 * TEXT_MAX + 16];
    static char back[3 * TEXT_MAX + 1];
    size_t length;
    struct json_writer writer;
    struct json_object object;
    if (bytes.length > TEXT_MAX)
        return;
    json_writer_init(&writer, data, sizeof data);
    json_begin_object(&writer);
    json_key(&writer, "k");
    json_write_string(&writer, bytes);
    json_end_object(&writer);
    must(!writer.overflow);
    must(json_read_object((struct slice){data, writer.length}, &object) == JSON_OK);
    must(json_string(json_find(&object, "k"), back, sizeof back, &length));
    must(length >= bytes.length);
    if (is_utf8(bytes) && bytes.length > 0)
        must(length == bytes.length && memcmp(back, bytes.data, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = {(const char *)data, size};
    check_reader(text);
    check_writer(text);
    return 0;
}
