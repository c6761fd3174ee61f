#include "workserver/rpc.h"

#include "base/hex.h"
#include "base/json.h"

#include <math.h>

enum { FIELD_SIZE = 96, COUNT_MAX = 10000 };

static const char bad_json[] = "Failed to deserialize JSON";

static bool refuse(struct rpc_fault *fault, const char *error, const char *hint)
{
    *fault = (struct rpc_fault){400, error, hint};
    return false;
}

static bool is_hex(const char *text, size_t length)
{
    return strspn(text, "0123456789abcdefABCDEF") == length;
}

/* A string member as text; one that is too long for any field keeps its length. */
static bool read_text(const struct json_object *object, const char *name, char text[FIELD_SIZE],
                      size_t *length)
{
    const struct json_value value = json_find(object, name);
    if (value.type != JSON_STRING)
        return false;
    if (json_string(value, text, FIELD_SIZE, length))
        return true;
    /* Nothing that fits no field is short; whether it is hexadecimal shows at its beginning. */
    const size_t shown = FIELD_SIZE - 1;
    memcpy(text, value.text.data + 1, shown);
    text[shown] = '\0';
    *length = shown;
    return true;
}

static bool read_action(const struct json_object *object, enum rpc_kind *kind,
                        struct rpc_fault *fault)
{
    static const char *const names[] = {
        [RPC_GENERATE] = "work_generate", [RPC_VALIDATE] = "work_validate",
        [RPC_CANCEL] = "work_cancel",     [RPC_BENCHMARK] = "benchmark",
        [RPC_STATUS] = "status",
    };
    char text[FIELD_SIZE];
    size_t length;
    /* The hint names another field: clients know it so (work-server.md 1.5). */
    if (!read_text(object, "action", text, &length))
        return refuse(fault, bad_json, "Work field missing");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_is((struct slice){text, length}, names[i])) {
            *kind = (enum rpc_kind)i;
            return true;
        }
    return refuse(
        fault, "Unknown command",
        "Supported commands: work_generate, work_cancel, work_validate, benchmark, status");
}

static bool read_hash(const struct json_object *object, struct root *root, struct rpc_fault *fault)
{
    char text[FIELD_SIZE];
    size_t length;
    if (!read_text(object, "hash", text, &length))
        return refuse(fault, bad_json, "Hash field missing");
    if (length == 0)
        return refuse(fault, "Bad block hash", "Hash is empty. Expecting a hex string");
    if (!is_hex(text, length))
        return refuse(fault, "Bad block hash", "Expecting a hex string");
    if (length < 64)
        return refuse(fault, "Bad block hash", "Hash is too short (should be 32 bytes)");
    if (length > 64 || !root_parse((struct slice){text, length}, root))
        return refuse(fault, "Bad block hash", "Hash is too long (should be 32 bytes)");
    return true;
}

static bool read_work(const struct json_object *object, uint64_t *nonce, struct rpc_fault *fault)
{
    char text[FIELD_SIZE];
    size_t length;
    if (!read_text(object, "work", text, &length))
        return refuse(fault, bad_json, "Work field missing");
    if (length == 0)
        return refuse(fault, bad_json, "Work is empty. Expecting a hex string");
    if (!is_hex(text, length))
        return refuse(fault, bad_json, "Expecting a hex string for work");
    if (!work_parse((struct slice){text, length}, nonce))
        return refuse(fault, bad_json, "Work is too long (should be 8 bytes)");
    return true;
}

/* A hexadecimal number of 64 bits, leading zeros allowed. */
static bool parse_u64(const char *text, size_t length, uint64_t *number)
{
    if (length == 0 || !is_hex(text, length))
        return false;
    const size_t zeros = strspn(text, "0");
    if (zeros == length) {
        *number = 0;
        return true;
    }
    return work_parse((struct slice){text + zeros, length - zeros}, number);
}

static bool read_difficulty(const struct json_object *object, struct rpc_request *request,
                            struct rpc_fault *fault)
{
    char text[FIELD_SIZE];
    size_t length;
    if (json_find(object, "difficulty").type == JSON_ABSENT)
        return true;
    if (!read_text(object, "difficulty", text, &length))
        return refuse(fault, bad_json, "Expecting a hex string for difficulty");
    if (!parse_u64(text, length, &request->threshold))
        return refuse(fault, bad_json,
                      "Threshold not a valid unsigned long (u64). Example: 'ffffffc000000000'");
    request->has_difficulty = true;
    return true;
}

/* It overrides the difficulty, if both are there. */
static bool read_multiplier(const struct json_object *object, uint64_t base,
                            struct rpc_request *request, struct rpc_fault *fault)
{
    const struct json_value value = json_find(object, "multiplier");
    double multiplier;
    if (value.type == JSON_ABSENT)
        return true;
    if (!json_number(value, &multiplier) ||
        !difficulty_from_multiplier(multiplier, base, &request->threshold))
        return refuse(fault, bad_json, "Expecting a positive number for multiplier");
    return true;
}

static bool read_count(const struct json_object *object, uint64_t *count, struct rpc_fault *fault)
{
    const struct json_value value = json_find(object, "count");
    double number;
    if (value.type == JSON_ABSENT)
        return refuse(fault, bad_json, "count field missing");
    if (!json_number(value, &number) || number < 1 || number > COUNT_MAX || number != floor(number))
        return refuse(fault, bad_json, "Expecting a positive number for count");
    *count = (uint64_t)number;
    return true;
}

static bool read_priority(const struct json_object *object, uint64_t *priority,
                          struct rpc_fault *fault)
{
    const struct json_value value = json_find(object, "priority");
    double number;
    if (value.type == JSON_ABSENT)
        return true;
    if (!json_number(value, &number) || number < 0 || number > UINT32_MAX ||
        number != floor(number))
        return refuse(fault, bad_json, "Expecting a number from 0 to 4294967295 for priority");
    *priority = (uint64_t)number;
    return true;
}

static bool check_version(const struct json_object *object, struct rpc_fault *fault)
{
    char text[FIELD_SIZE];
    size_t length;
    if (json_find(object, "version").type == JSON_ABSENT ||
        (read_text(object, "version", text, &length) &&
         slice_is((struct slice){text, length}, "work_1")))
        return true;
    *fault = (struct rpc_fault){200, "Bad work version", NULL};
    return false;
}

/* A node waits for ever for an answer that is no success: refusals have status 200 (1.2). */
static bool check_limits(const struct rpc_rules *rules, const struct rpc_request *request,
                         struct rpc_fault *fault)
{
    if (request->threshold >= rules->difficulty_min && request->threshold <= rules->difficulty_max)
        return true;
    *fault =
        (struct rpc_fault){200, "Difficulty above config limit or below publish threshold", NULL};
    return false;
}

static bool read_fields(const struct json_object *object, const struct rpc_rules *rules,
                        struct rpc_request *request, struct rpc_fault *fault)
{
    const enum rpc_kind kind = request->kind;
    const bool searches = kind == RPC_GENERATE || kind == RPC_BENCHMARK;
    if (kind != RPC_BENCHMARK && kind != RPC_STATUS && !read_hash(object, &request->root, fault))
        return false;
    if (kind == RPC_VALIDATE && !read_work(object, &request->nonce, fault))
        return false;
    if ((searches || kind == RPC_VALIDATE) &&
        (!read_difficulty(object, request, fault) ||
         !read_multiplier(object, rules->network->send, request, fault)))
        return false;
    if (kind == RPC_BENCHMARK && !read_count(object, &request->count, fault))
        return false;
    if (kind == RPC_GENERATE &&
        (!read_priority(object, &request->priority, fault) || !check_version(object, fault)))
        return false;
    return !searches || check_limits(rules, request, fault);
}

bool rpc_parse(struct slice body, const struct rpc_rules *rules, struct rpc_request *request,
               struct rpc_fault *fault)
{
    struct json_object object;
    *request = (struct rpc_request){.threshold = rules->network->send};
    const enum json_result result = json_read_object(body, &object);
    if (result == JSON_MALFORMED)
        return refuse(fault, bad_json, NULL);
    if (result == JSON_NOT_OBJECT)
        return refuse(fault, bad_json, "Work field missing");
    const struct json_value id = json_find(&object, "id");
    if (id.type != JSON_ABSENT)
        request->id = id.text;
    return read_action(&object, &request->kind, fault) &&
           read_fields(&object, rules, request, fault);
}
