#include "json_c.h"

#include <json-c/json.h>

size_t json_c_three(const char *text, size_t length)
{
    static const char *const names[] = {"user", "hash", "api_key"};
    struct json_tokener *tokener = json_tokener_new_ex(16);
    struct json_object *object = json_tokener_parse_ex(tokener, text, (int)length);
    size_t total = 0;
    for (int i = 0; i < 3; i++) {
        struct json_object *member;
        if (json_object_object_get_ex(object, names[i], &member))
            total += (size_t)json_object_get_string_len(member);
    }
    json_object_put(object);
    json_tokener_free(tokener);
    return total;
}
