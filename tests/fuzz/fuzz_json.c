/* The JSON reader against another one: what ours accepts, json-c accepts too, with equal strings.
 * And the reader accepts whatever the writer makes of any bytes, and gives them back. */
#include "json_other.h"

#include "base/json.h"

#include <stdlib.h>

enum { TEXT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* Names with NULs are left out: the other implementation cuts them. */
static void compare_member(void *other, struct slice name, struct json_value value)
{
    char key[TEXT_MAX];
    char text[TEXT_MAX];
    size_t key_length;
    size_t length;
    size_t other_length;
    if (!json_string((struct json_value){JSON_STRING, name}, key, sizeof key, &key_length) ||
        strlen(key) != key_length || !json_string(value, text, sizeof text, &length))
        return;
    const char *same = json_other_string(other, key, &other_length);
    must(same != NULL && other_length == length && memcmp(same, text, length) == 0);
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
        compare_member(other, object.members[i].name, object.members[i].value);
        (void)json_number(object.members[i].value, &number);
    }
    json_other_free(other);
}

static void check_writer(struct slice bytes)
{
    static char data[6 * TEXT_MAX + 16];
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
    must(json_find(&object, "k").type == JSON_STRING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice text = {(const char *)data, size};
    check_reader(text);
    check_writer(text);
    return 0;
}
