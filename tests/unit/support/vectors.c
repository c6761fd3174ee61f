#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

static void die(const char *what, const char *name)
{
    (void)fprintf(stderr, "test vectors: %s %s\n", what, name);
    abort();
}

struct json_object *vectors_load(const char *name)
{
    char path[1024];
    const char *directory = getenv("DPOW_TEST_VECTORS");
    if (directory == NULL)
        die("DPOW_TEST_VECTORS is not set; looking for", name);
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    struct json_object *file = json_object_from_file(path);
    if (file == NULL)
        die("cannot read", path);
    return file;
}

struct json_object *vectors_member(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;
    if (!json_object_object_get_ex(object, name, &member))
        die("no member", name);
    return member;
}

const char *vectors_text(struct json_object *object, const char *name)
{
    return json_object_get_string(vectors_member(object, name));
}

double vectors_number(struct json_object *object, const char *name)
{
    return json_object_get_double(vectors_member(object, name));
}

unsigned long long vectors_hex(struct json_object *object, const char *name)
{
    return strtoull(vectors_text(object, name), NULL, 16);
}
