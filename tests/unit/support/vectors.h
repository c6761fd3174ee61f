/**
 * vectors: the JSON files of tests/vectors, for tests. A file or member that is missing fails the
 * test.
 */
#ifndef DPOW_TESTS_VECTORS_H
#define DPOW_TESTS_VECTORS_H

#include <json-c/json.h>

/** Loads a file by name from the directory in DPOW_TEST_VECTORS; json_object_put() frees it. */
struct json_object *vectors_load(const char *name);

/** The array or object at a member. */
struct json_object *vectors_member(struct json_object *object, const char *name);

/** The text of a member. */
const char *vectors_text(struct json_object *object, const char *name);

/** The number of a member. */
double vectors_number(struct json_object *object, const char *name);

/** Sixteen hexadecimal digits of a member. */
unsigned long long vectors_hex(struct json_object *object, const char *name);

#endif
