#include "base/json.h"

#include "base/utf8.h"

#include <stdlib.h>

/* Where the reader stands. */
struct cursor {
    const char *at;
    const char *end;
};

static bool read_value(struct cursor *cursor, unsigned depth, enum json_type *type);

/* At the start of a text, which may be NULL when it is empty. */
static struct cursor cursor_at(struct slice text)
{
    const char *start = text.length > 0 ? text.data : "";
    return (struct cursor){start, start + text.length};
}

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
                                        *cursor->at == '\n' || *cursor->at == '\r'))
        cursor->at++;
}

static bool take(struct cursor *cursor, char expected)
{
    if (cursor->at == cursor->end || *cursor->at != expected)
        return false;
    cursor->at++;
    return true;
}

static bool take_literal(struct cursor *cursor, const char *literal)
{
    const size_t length = strlen(literal);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, literal, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

static bool is_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}

static bool take_digits(struct cursor *cursor)
{
    if (!is_digit(cursor))
        return false;
    while (is_digit(cursor))
        cursor->at++;
    return true;
}

static bool read_number(struct cursor *cursor)
{
    (void)take(cursor, '-');
    if (!take(cursor, '0') && !take_digits(cursor))
        return false;
    if (take(cursor, '.') && !take_digits(cursor))
        return false;
    if (take(cursor, 'e') || take(cursor, 'E')) {
        if (!take(cursor, '+'))
            (void)take(cursor, '-');
        return take_digits(cursor);
    }
    return true;
}

static bool read_unit(struct cursor *cursor, unsigned *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, cursor->at++) {
        if (cursor->at == cursor->end)
            return false;
        const char digit = *cursor->at;
        unsigned value;
        if (digit >= '0' && digit <= '9')
            value = (unsigned)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = (unsigned)(digit - 'a' + 10);
        else if (digit >= 'A' && digit <= 'F')
            value = (unsigned)(digit - 'A' + 10);
        else
            return false;
        *unit = *unit << 4 | value;
    }
    return true;
}

/* The code point of \uXXXX, or of a surrogate pair of two of them; the cursor is after the u. */
static bool read_code_point(struct cursor *cursor, unsigned *code)
{
    unsigned low;
    if (!read_unit(cursor, code))
        return false;
    if (*code >= 0xdc00 && *code <= 0xdfff)
        return false;
    if (*code < 0xd800 || *code > 0xdbff)
        return true;
    if (!take(cursor, '\\') || !take(cursor, 'u') || !read_unit(cursor, &low) || low < 0xdc00 ||
        low > 0xdfff)
        return false;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static size_t encode_utf8(unsigned code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    bytes[0] = (char)(0xf0 | code >> 18);
    bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
    bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
    bytes[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* One character of a string, its escape resolved; the cursor is not at the closing quote. */
static bool read_character(struct cursor *cursor, char bytes[4], size_t *length)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    if (!take(cursor, '\\')) {
        if (cursor->at == cursor->end || (unsigned char)*cursor->at < 0x20)
            return false;
        *length = utf8_length(cursor->at, (size_t)(cursor->end - cursor->at));
        memcpy(bytes, cursor->at, *length);
        cursor->at += *length;
        return *length > 0;
    }
    if (take(cursor, 'u')) {
        unsigned code;
        if (!read_code_point(cursor, &code))
            return false;
        *length = encode_utf8(code, bytes);
        return true;
    }
    const char *name =
        cursor->at < cursor->end && *cursor->at != '\0' ? strchr(names, *cursor->at) : NULL;
    if (name == NULL)
        return false;
    cursor->at++;
    bytes[0] = meant[name - names];
    *length = 1;
    return true;
}

/* Characters that stand for themselves: what nearly all of nearly every string is made of. */
static void skip_plain(struct cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at != '"' && *cursor->at != '\\' &&
           (unsigned char)*cursor->at >= 0x20 && (unsigned char)*cursor->at < 0x80)
        cursor->at++;
}

static bool read_string(struct cursor *cursor)
{
    char bytes[4];
    size_t length;
    if (!take(cursor, '"'))
        return false;
    for (;;) {
        skip_plain(cursor);
        if (take(cursor, '"'))
            return true;
        if (!read_character(cursor, bytes, &length))
            return false;
    }
}

static bool read_array(struct cursor *cursor, unsigned depth)
{
    enum json_type type;
    cursor->at++;
    skip_space(cursor);
    if (take(cursor, ']'))
        return true;
    for (;;) {
        if (!read_value(cursor, depth + 1, &type))
            return false;
        if (take(cursor, ']'))
            return true;
        if (!take(cursor, ','))
            return false;
    }
}

/* A name, quotes included, and the colon after it. */
static bool read_name(struct cursor *cursor, struct slice *name)
{
    skip_space(cursor);
    const char *start = cursor->at;
    if (!read_string(cursor))
        return false;
    *name = (struct slice){start, (size_t)(cursor->at - start)};
    skip_space(cursor);
    return take(cursor, ':');
}

static bool read_nested_object(struct cursor *cursor, unsigned depth)
{
    struct slice name;
    enum json_type type;
    cursor->at++;
    skip_space(cursor);
    if (take(cursor, '}'))
        return true;
    for (;;) {
        if (!read_name(cursor, &name) || !read_value(cursor, depth + 1, &type))
            return false;
        if (take(cursor, '}'))
            return true;
        if (!take(cursor, ','))
            return false;
    }
}

static bool read_bare_value(struct cursor *cursor, unsigned depth, enum json_type *type)
{
    switch (*cursor->at) {
    case '{':
        *type = JSON_OBJECT;
        return depth < JSON_DEPTH_MAX && read_nested_object(cursor, depth);
    case '[':
        *type = JSON_ARRAY;
        return depth < JSON_DEPTH_MAX && read_array(cursor, depth);
    case '"':
        *type = JSON_STRING;
        return read_string(cursor);
    case 't':
        *type = JSON_TRUE;
        return take_literal(cursor, "true");
    case 'f':
        *type = JSON_FALSE;
        return take_literal(cursor, "false");
    case 'n':
        *type = JSON_NULL;
        return take_literal(cursor, "null");
    default:
        *type = JSON_NUMBER;
        return read_number(cursor);
    }
}

/* A value and the white space around it. */
static bool read_value(struct cursor *cursor, unsigned depth, enum json_type *type)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || !read_bare_value(cursor, depth, type))
        return false;
    skip_space(cursor);
    return true;
}

bool json_valid(struct slice text)
{
    struct cursor cursor = cursor_at(text);
    enum json_type type;
    return read_value(&cursor, 0, &type) && cursor.at == cursor.end;
}

static bool has_escapes(struct slice text)
{
    return memchr(text.data, '\\', text.length) != NULL;
}

/* Whether two names, quotes included, are the same once their escapes are resolved. */
static bool same_name(struct slice a, struct slice b)
{
    if (a.length == b.length && memcmp(a.data, b.data, a.length) == 0)
        return true;
    if (!has_escapes(a) && !has_escapes(b))
        return false;
    struct cursor left = {a.data + 1, a.data + a.length - 1};
    struct cursor right = {b.data + 1, b.data + b.length - 1};
    while (left.at < left.end && right.at < right.end) {
        char left_bytes[4];
        char right_bytes[4];
        size_t left_length;
        size_t right_length;
        if (!read_character(&left, left_bytes, &left_length) ||
            !read_character(&right, right_bytes, &right_length) || left_length != right_length ||
            memcmp(left_bytes, right_bytes, left_length) != 0)
            return false;
    }
    return left.at == left.end && right.at == right.end;
}

static bool add_member(struct json_object *object, struct slice name, enum json_type type,
                       struct slice value)
{
    if (object->count == JSON_MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < object->count; i++)
        if (same_name(object->members[i].name, name))
            return false;
    object->members[object->count].name = name;
    object->members[object->count].value = (struct json_value){type, value};
    object->count++;
    return true;
}

static bool read_member(struct cursor *cursor, struct json_object *object)
{
    struct slice name;
    enum json_type type = JSON_ABSENT;
    if (!read_name(cursor, &name))
        return false;
    skip_space(cursor);
    const char *start = cursor->at;
    if (start == cursor->end || !read_bare_value(cursor, 1, &type))
        return false;
    const struct slice value = {start, (size_t)(cursor->at - start)};
    skip_space(cursor);
    return add_member(object, name, type, value);
}

static bool read_members(struct cursor *cursor, struct json_object *object)
{
    cursor->at++;
    skip_space(cursor);
    if (take(cursor, '}'))
        return true;
    for (;;) {
        if (!read_member(cursor, object))
            return false;
        if (take(cursor, '}'))
            return true;
        if (!take(cursor, ','))
            return false;
    }
}

enum json_result json_read_object(struct slice text, struct json_object *object)
{
    struct cursor cursor = cursor_at(text);
    object->count = 0;
    skip_space(&cursor);
    if (cursor.at == cursor.end || *cursor.at != '{')
        return json_valid(text) ? JSON_NOT_OBJECT : JSON_MALFORMED;
    if (!read_members(&cursor, object))
        return JSON_MALFORMED;
    skip_space(&cursor);
    return cursor.at == cursor.end ? JSON_OK : JSON_MALFORMED;
}

/* Whether a name, quotes included, reads as a plain text once its escapes are resolved. */
static bool name_is(struct slice name, const char *plain)
{
    if (!has_escapes(name))
        return slice_is((struct slice){name.data + 1, name.length - 2}, plain);
    struct cursor cursor = {name.data + 1, name.data + name.length - 1};
    for (; cursor.at < cursor.end; plain++) {
        char bytes[4];
        size_t length;
        if (!read_character(&cursor, bytes, &length) || length != 1 || bytes[0] != *plain ||
            *plain == '\0')
            return false;
    }
    return *plain == '\0';
}

struct json_value json_find(const struct json_object *object, const char *name)
{
    for (size_t i = 0; i < object->count; i++)
        if (name_is(object->members[i].name, name))
            return object->members[i].value;
    return (struct json_value){JSON_ABSENT, {NULL, 0}};
}

/* A value without the white space around it. */
static bool read_trimmed(struct cursor *cursor, struct json_value *value)
{
    skip_space(cursor);
    const char *begin = cursor->at;
    if (!read_value(cursor, 1, &value->type))
        return false;
    /* read_value() goes on to the next character that is no white space. */
    const char *end = cursor->at;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r'))
        end--;
    value->text = (struct slice){begin, (size_t)(end - begin)};
    return true;
}

void json_each_element(struct json_value array,
                       bool (*visit)(void *context, struct json_value element), void *context)
{
    struct json_value element;
    if (array.type != JSON_ARRAY)
        return;
    struct cursor cursor = {array.text.data + 1, array.text.data + array.text.length - 1};
    while (read_trimmed(&cursor, &element) && visit(context, element) && take(&cursor, ','))
        continue;
}

void json_each_member(struct slice object,
                      bool (*visit)(void *context, struct json_value name, struct json_value value),
                      void *context)
{
    struct json_value name = {JSON_STRING, {NULL, 0}};
    struct json_value value;
    struct cursor cursor = cursor_at(object);
    skip_space(&cursor);
    if (!take(&cursor, '{'))
        return;
    while (read_name(&cursor, &name.text) && read_trimmed(&cursor, &value) &&
           visit(context, name, value) && take(&cursor, ','))
        continue;
}

bool json_string(struct json_value value, char *text, size_t size, size_t *length)
{
    if (value.type != JSON_STRING || size == 0)
        return false;
    struct cursor cursor = {value.text.data + 1, value.text.data + value.text.length - 1};
    size_t used = 0;
    while (cursor.at < cursor.end) {
        const char *plain = cursor.at;
        skip_plain(&cursor);
        const size_t run = (size_t)(cursor.at - plain);
        if (run >= size - used)
            return false;
        memcpy(text + used, plain, run);
        used += run;
        if (cursor.at == cursor.end)
            break;
        char bytes[4];
        size_t count;
        if (!read_character(&cursor, bytes, &count) || count >= size - used)
            return false;
        memcpy(text + used, bytes, count);
        used += count;
    }
    text[used] = '\0';
    *length = used;
    return true;
}

bool json_number(struct json_value value, double *number)
{
    enum { DIGITS_MAX = 512 };
    char text[DIGITS_MAX];
    struct slice digits = value.text;
    if (value.type == JSON_STRING)
        digits = (struct slice){value.text.data + 1, value.text.length - 2};
    else if (value.type != JSON_NUMBER)
        return false;
    struct cursor cursor = {digits.data, digits.data + digits.length};
    if (digits.length >= DIGITS_MAX || !read_number(&cursor) || cursor.at != cursor.end)
        return false;
    memcpy(text, digits.data, digits.length);
    text[digits.length] = '\0';
    *number = strtod(text, NULL);
    return true;
}
