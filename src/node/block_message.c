#include "node/block_message.h"

#include "base/hex.h"
#include "base/json.h"
#include "nano/amount.h"
#include "nano/blake2b.h"

enum {
    FIELDS_MAX = 6,
    FIELD_TEXT_SIZE = 80,   /* The longest text of a block is an account's. */
    BLOCK_TEXT_SIZE = 4096, /* A node writes some 900 bytes. */
    HASHED_BYTES_MAX = 32,  /* Of one field. */
    STATE_PREAMBLE = 6,     /* The last of the 32 bytes before a state block's fields. */
};

enum field_kind { FIELD_HASH, FIELD_ACCOUNT, FIELD_RAW, FIELD_RAW_HEX };

/* The types of blocks, each with the fields that are hashed, in their order (nano.md 2). */
static const struct block_type {
    const char *name;
    struct {
        const char *name;
        enum field_kind kind;
    } fields[FIELDS_MAX];
} block_types[] = {
    {"state",
     {{"account", FIELD_ACCOUNT},
      {"previous", FIELD_HASH},
      {"representative", FIELD_ACCOUNT},
      {"balance", FIELD_RAW},
      {"link", FIELD_HASH}}},
    {"send",
     {{"previous", FIELD_HASH}, {"destination", FIELD_ACCOUNT}, {"balance", FIELD_RAW_HEX}}},
    {"receive", {{"previous", FIELD_HASH}, {"source", FIELD_HASH}}},
    {"open",
     {{"source", FIELD_HASH}, {"representative", FIELD_ACCOUNT}, {"account", FIELD_ACCOUNT}}},
    {"change", {{"previous", FIELD_HASH}, {"representative", FIELD_ACCOUNT}}},
};

const char *block_fault_text(enum block_fault fault)
{
    static const char *const texts[BLOCK_FAULTS] = {
        [BLOCK_OK] = "it is right",
        [BLOCK_MALFORMED] = "it is not the JSON object that it must be",
        [BLOCK_NO_CONTENTS] = "it has no block's contents",
        [BLOCK_TYPE] = "there is no such type of block",
        [BLOCK_FIELD] = "a field of the block is missing or malformed",
        [BLOCK_ACCOUNT] = "the block is of another account",
        [BLOCK_HASH] = "its hash is not that of its contents",
    };
    return texts[fault];
}

static bool read_text(struct json_value value, char text[FIELD_TEXT_SIZE], struct slice *slice)
{
    size_t length;
    if (!json_string(value, text, FIELD_TEXT_SIZE, &length))
        return false;
    *slice = (struct slice){text, length};
    return true;
}

static bool read_account(struct json_value value, struct account *account)
{
    char text[FIELD_TEXT_SIZE];
    struct slice slice;
    return read_text(value, text, &slice) && account_parse(slice, account) == ACCOUNT_OK;
}

static bool read_root(struct json_value value, struct root *root)
{
    char text[FIELD_TEXT_SIZE];
    struct slice slice;
    return read_text(value, text, &slice) && root_parse(slice, root);
}

static void store_raw(u128 raw, uint8_t bytes[16])
{
    for (int i = 15; i >= 0; i--) {
        bytes[i] = (uint8_t)raw;
        raw >>= 8;
    }
}

/* Reads a field into the bytes that are hashed; returns how many, 0 if it is malformed. */
static size_t read_field(struct json_value value, enum field_kind kind,
                         uint8_t bytes[HASHED_BYTES_MAX])
{
    char text[FIELD_TEXT_SIZE];
    struct slice slice;
    struct account account;
    u128 raw;
    if (!read_text(value, text, &slice))
        return 0;
    switch (kind) {
    case FIELD_HASH:
        return hex_decode(slice, bytes, 32) ? 32 : 0;
    case FIELD_RAW_HEX:
        return hex_decode(slice, bytes, 16) ? 16 : 0;
    case FIELD_ACCOUNT:
        if (account_parse(slice, &account) != ACCOUNT_OK)
            return 0;
        memcpy(bytes, account.key, 32);
        return 32;
    case FIELD_RAW:
        if (!amount_parse_raw(slice, &raw))
            return 0;
        store_raw(raw, bytes);
        return 16;
    }
    return 0;
}

static const struct block_type *find_type(const struct json_object *object)
{
    char text[FIELD_TEXT_SIZE];
    struct slice name;
    if (!read_text(json_find(object, "type"), text, &name))
        return NULL;
    for (size_t i = 0; i < sizeof block_types / sizeof block_types[0]; i++)
        if (slice_is(name, block_types[i].name))
            return &block_types[i];
    return NULL;
}

/* Hashes a block of a known type, and compares its own account, if it has one, with the message's;
 * fills hash and previous. */
static enum block_fault hash_contents(const struct json_object *object,
                                      const struct block_type *type, struct confirmed_block *block)
{
    static const uint8_t preamble[32] = {[31] = STATE_PREAMBLE};
    struct blake2b hash;
    blake2b_init(&hash, sizeof block->hash.bytes);
    block->is_state = type == &block_types[0];
    if (block->is_state)
        blake2b_update(&hash, preamble, sizeof preamble);
    for (size_t i = 0; i < FIELDS_MAX && type->fields[i].name != NULL; i++) {
        const char *name = type->fields[i].name;
        uint8_t bytes[HASHED_BYTES_MAX];
        const size_t size = read_field(json_find(object, name), type->fields[i].kind, bytes);
        if (size == 0)
            return BLOCK_FIELD;
        blake2b_update(&hash, bytes, size);
        if (strcmp(name, "previous") == 0)
            memcpy(block->previous.bytes, bytes, size);
        if (strcmp(name, "account") == 0 && memcmp(block->account.key, bytes, size) != 0)
            return BLOCK_ACCOUNT;
    }
    blake2b_final(&hash, block->hash.bytes);
    return BLOCK_OK;
}

static enum block_fault read_contents(struct slice text, struct confirmed_block *block)
{
    struct json_object object;
    if (json_read_object(text, &object) != JSON_OK)
        return BLOCK_MALFORMED;
    const struct block_type *type = find_type(&object);
    return type != NULL ? hash_contents(&object, type, block) : BLOCK_TYPE;
}

/* Reads what both kinds of message have: account, hash, and the block's contents. */
static enum block_fault read_block(const struct json_object *message, struct slice contents,
                                   struct confirmed_block *block)
{
    static const struct account burn;
    struct root told;
    *block = (struct confirmed_block){0};
    if (!read_account(json_find(message, "account"), &block->account) ||
        !read_root(json_find(message, "hash"), &told))
        return BLOCK_MALFORMED;
    if (memcmp(block->account.key, burn.key, sizeof burn.key) == 0)
        return BLOCK_FIELD; /* It cannot be opened (nano.md 1). */
    const enum block_fault fault = read_contents(contents, block);
    if (fault != BLOCK_OK)
        return fault;
    return memcmp(told.bytes, block->hash.bytes, sizeof told.bytes) == 0 ? BLOCK_OK : BLOCK_HASH;
}

static bool read_height(struct json_value sideband, uint64_t *height)
{
    struct json_object object;
    char text[FIELD_TEXT_SIZE];
    struct slice digits;
    u128 number;
    if (sideband.type == JSON_ABSENT || sideband.type == JSON_NULL)
        return true;
    if (json_read_object(sideband.text, &object) != JSON_OK)
        return false;
    const struct json_value value = json_find(&object, "height");
    if (value.type == JSON_ABSENT)
        return true;
    if (value.type == JSON_NUMBER)
        digits = value.text;
    else if (!read_text(value, text, &digits))
        return false;
    if (!u128_parse(digits, &number) || number > UINT64_MAX)
        return false;
    *height = (uint64_t)number;
    return true;
}

static enum block_fault read_confirmation(struct slice text, struct confirmed_block *block)
{
    struct json_object message;
    struct confirmed_block read;
    if (json_read_object(text, &message) != JSON_OK)
        return BLOCK_MALFORMED;
    const struct json_value contents = json_find(&message, "block");
    if (contents.type != JSON_OBJECT)
        return BLOCK_NO_CONTENTS;
    const enum block_fault fault = read_block(&message, contents.text, &read);
    if (fault != BLOCK_OK)
        return fault;
    if (!read_height(json_find(&message, "sideband"), &read.height))
        return BLOCK_MALFORMED;
    *block = read;
    return BLOCK_OK;
}

enum node_message block_message_read(struct slice text, struct confirmed_block *block,
                                     enum block_fault *fault)
{
    struct json_object object;
    char word[FIELD_TEXT_SIZE];
    struct slice slice;
    *fault = BLOCK_MALFORMED;
    if (json_read_object(text, &object) != JSON_OK)
        return NODE_UNUSABLE;
    if (read_text(json_find(&object, "ack"), word, &slice)) {
        *fault = BLOCK_OK;
        return slice_is(slice, "subscribe") ? NODE_SUBSCRIBED : NODE_OTHER;
    }
    if (!read_text(json_find(&object, "topic"), word, &slice))
        return NODE_UNUSABLE;
    if (!slice_is(slice, "confirmation")) {
        *fault = BLOCK_OK;
        return NODE_OTHER;
    }
    const struct json_value message = json_find(&object, "message");
    if (message.type == JSON_OBJECT)
        *fault = read_confirmation(message.text, block);
    return *fault == BLOCK_OK ? NODE_CONFIRMATION : NODE_UNUSABLE;
}

enum block_fault block_callback_read(struct slice text, struct confirmed_block *block)
{
    struct json_object object;
    struct confirmed_block read;
    char contents[BLOCK_TEXT_SIZE];
    size_t length;
    if (json_read_object(text, &object) != JSON_OK)
        return BLOCK_MALFORMED;
    const struct json_value member = json_find(&object, "block");
    if (member.type != JSON_STRING)
        return BLOCK_NO_CONTENTS;
    if (!json_string(member, contents, sizeof contents, &length))
        return BLOCK_MALFORMED;
    const enum block_fault fault = read_block(&object, (struct slice){contents, length}, &read);
    if (fault == BLOCK_OK)
        *block = read;
    return fault;
}
