#include "json_other.h"

#include <json-c/json.h>

void *json_other_read(const char *text, size_t length)
{
    struct json_tokener *tokener = json_tokener_new_ex(64);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)length);
    if (json_tokener_get_error(tokener) != json_tokener_success) {
        json_object_put(value);
        value = NULL;
    }
    json_tokener_free(tokener);
    return value;
}

const char *json_other_string(void *object, const char *name, size_t *length)
{
    struct json_object *member = NULL;
    if (!json_object_object_get_ex(object, name, &member))
        return NULL;
    *length = (size_t)json_object_get_string_len(member);
    return json_object_get_string(member);
}

size_t json_other_count(void *object)
{
    return (size_t)json_object_object_length(object);
}

void json_other_free(void *object)
{
    json_object_put(object);
}
