/**
 * json_other: what another implementation (json-c) makes of a text. Behind a header of its own,
 * because both call their objects struct json_object.
 */
#ifndef DPOW_TESTS_JSON_OTHER_H
#define DPOW_TESTS_JSON_OTHER_H

#include <stdbool.h>
#include <stddef.h>

/** Reads strictly. @return owned by the caller, json_other_free(); NULL if it is refused */
void *json_other_read(const char *text, size_t length);

/** The string at a member of an object; NULL if there is none. Borrowed from the object. */
const char *json_other_string(void *object, const char *name, size_t *length);

/** How many members an object has. */
size_t json_other_count(void *object);

void json_other_free(void *object);

#endif
