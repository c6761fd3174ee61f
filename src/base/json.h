/**
 * json: a strict reader that allocates nothing, and a writer into a fixed buffer.
 *
 * The reader (RFC 8259) finds values as slices of the text, so that a value can be echoed to the
 * letter. It refuses what other readers disagree about: duplicate keys, invalid UTF-8, unpaired
 * surrogate escapes, leading zeros, bytes after the value. (Duplicates are looked for among the
 * members of the outermost object, the only ones that are ever used.) Thread-safe: it keeps no
 * state.
 */
#ifndef DPOW_BASE_JSON_H
#define DPOW_BASE_JSON_H

#include "base/bytes.h"

enum {
    JSON_DEPTH_MAX = 16,   /**< How deep arrays and objects may nest. */
    JSON_MEMBERS_MAX = 64, /**< How many members the outermost object may have. */
};

enum json_type {
    JSON_ABSENT, /**< json_find() found no such member. */
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/** A value: its type and its text, quotes and brackets included. Borrows the text it came from. */
struct json_value {
    enum json_type type;
    struct slice text;
};

/** An object that has been read through and found right. Borrows its text. */
struct json_object {
    size_t count;
    struct {
        struct slice name; /**< As written, quotes included, escapes not resolved. */
        struct json_value value;
    } members[JSON_MEMBERS_MAX];
};

/** How reading ended. */
enum json_result {
    JSON_OK,
    JSON_MALFORMED,  /**< Not JSON by the rules above, or too deep, or with too many members. */
    JSON_NOT_OBJECT, /**< JSON, but not an object. */
};

/**
 * Reads a text that must be one object and nothing else but white space around it.
 * @param text borrowed for as long as the object is used
 * @param object to be looked at only when JSON_OK is returned: it is filled while reading, as a
 * copy of its size for each message would cost more than the reading
 */
enum json_result json_read_object(struct slice text, struct json_object *object);

/** Whether a text is one JSON value of any type, by the same rules. */
bool json_valid(struct slice text);

/** The member of that name (plain ASCII, no escapes), or type JSON_ABSENT. */
struct json_value json_find(const struct json_object *object, const char *name);

/**
 * Visits the elements of an array in order; a visitor returns false to stop.
 * @param array of type JSON_ARRAY and found right, as json_read_object() leaves it; other types
 * have no elements
 */
void json_each_element(struct json_value array,
                       bool (*visit)(void *context, struct json_value element), void *context);

/**
 * Visits the members of an object in order, however many; a visitor returns false to stop. The same
 * name may come twice.
 * @param object a text that json_valid() has found right, or a value of type JSON_OBJECT; what is
 * no object has no members
 * @param visit gets the name as a value of type JSON_STRING
 */
void json_each_member(struct slice object,
                      bool (*visit)(void *context, struct json_value name, struct json_value value),
                      void *context);

/**
 * Resolves the escapes of a string value.
 * @param value of type JSON_STRING, otherwise false is returned
 * @param text where at most size - 1 bytes of UTF-8 and a NUL go
 * @param length set to the number of bytes without the NUL; the string itself may contain NULs
 * @return false if it is no string or does not fit; the bytes of text are then of no use
 */
bool json_string(struct json_value value, char *text, size_t size, size_t *length);

/**
 * Reads a number, or a string that holds a number by JSON's grammar and nothing else, of less than
 * 512 characters.
 * @param number the nearest double; infinite for a number too large
 */
bool json_number(struct json_value value, double *number);

/** A writer into a caller's buffer; what does not fit sets `overflow` and is left out. */
struct json_writer {
    char *data;
    size_t size; /**< Of the buffer; a NUL is always kept. */
    size_t length;
    bool overflow;
    bool separate; /**< Whether the next member or element needs a comma. */
};

/** Starts writing into a buffer of at least one byte. */
void json_writer_init(struct json_writer *writer, char *data, size_t size);

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);

/** Writes the name of the next member; names are literals that need no escapes. */
void json_key(struct json_writer *writer, const char *name);

/**
 * Writes a string. Quotes, backslashes and control characters (U+0080 to U+009F too) are escaped;
 * each byte that is not UTF-8 becomes U+FFFD.
 */
void json_write_string(struct json_writer *writer, struct slice text);
void json_write_text(struct json_writer *writer, const char *text);
void json_write_u64(struct json_writer *writer, uint64_t number);
void json_write_i64(struct json_writer *writer, int64_t number);
/** Writes a double, shortest text that reads back equal; null if it is not finite. */
void json_write_double(struct json_writer *writer, double number);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
/** Copies the text of a value that is JSON already. */
void json_write_raw(struct json_writer *writer, struct slice text);

#endif
