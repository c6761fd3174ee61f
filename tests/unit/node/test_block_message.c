#include "test.h"
#include "vectors.h"

#include "node/block_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 8192 };

static const char account_text[] =
    "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7";
static const char other_text[] =
    "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9";
static const char hash_text[] = "6A57C2C2F2863A3165F5045F87A3919B17088D803A5F864D98ED6E9FB0D4D21B";
static const char contents[] =
    "{\"type\":\"state\","
    "\"account\":\"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7\","
    "\"previous\":\"81991F4544E61BA7B3FCB9AC045EBEACDBE3304ED7150D92C994FE22F2900F93\","
    "\"representative\":\"nano_1dzcca9ycmtx3q79mocmu95zdduxptp3gp5fqkmb1ownscpweggzah8cb4rb\","
    "\"balance\":\"999000000000000000000000000000\","
    "\"link\":\"E30D22B7935BCC25412FC07427391AB4C98A4AD68BAA733300D23D82C9D20AD3\"}";

/* A confirmation with these parts; a NULL one is left out. */
static const char *confirmation(const char *account, const char *hash, const char *block,
                                const char *sideband)
{
    static char text[TEXT_MAX];
    const int length = snprintf(
        text, sizeof text,
        "{\"topic\":\"confirmation\",\"time\":\"1\",\"message\":{\"amount\":\"1\"%s%s%s%s%s%s%s%s%"
        "s%s}}",
        account != NULL ? ",\"account\":\"" : "", account != NULL ? account : "",
        account != NULL ? "\"" : "", hash != NULL ? ",\"hash\":\"" : "", hash != NULL ? hash : "",
        hash != NULL ? "\"" : "", block != NULL ? ",\"block\":" : "", block != NULL ? block : "",
        sideband != NULL ? ",\"sideband\":" : "", sideband != NULL ? sideband : "");
    assert_true(length > 0 && (size_t)length < sizeof text);
    return text;
}

static enum block_fault fault_of(const char *text)
{
    struct confirmed_block block;
    enum block_fault fault;
    if (block_message_read(slice_of(text), &block, &fault) != NODE_UNUSABLE)
        return BLOCK_OK;
    assert_true(fault > BLOCK_OK && fault < BLOCK_FAULTS);
    assert_non_null(block_fault_text(fault));
    return fault;
}

static void assert_root(const struct root *root, const char *expected)
{
    char text[65];
    root_format(root, text);
    assert_string_equal(text, expected);
}

/* The contents of a vector as a block, with the type where the vector says none. */
static const char *block_of_vector(struct json_object *vector, const char *type)
{
    struct json_object *name = json_object_new_string(type);
    struct json_object *source;
    json_object_object_add(vector, "type", name);
    if (json_object_object_get_ex(vector, "source_block", &source))
        json_object_object_add(vector, "source", json_object_get(source));
    return json_object_to_json_string(vector);
}

static void assert_vector_is_read(struct json_object *vector, const char *type, const char *account)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    struct confirmed_block block;
    enum block_fault fault;
    struct account expected;
    struct json_object *previous;
    const char *text = confirmation(account, vectors_text(vector, "hash"),
                                    block_of_vector(vector, type), "{\"height\":\"7\"}");
    assert_int_equal(block_message_read(slice_of(text), &block, &fault), NODE_CONFIRMATION);
    assert_root(&block.hash, vectors_text(vector, "hash"));
    assert_int_equal(account_parse(slice_of(account), &expected), ACCOUNT_OK);
    assert_memory_equal(block.account.key, expected.key, 32);
    assert_root(&block.previous, json_object_object_get_ex(vector, "previous", &previous)
                                     ? json_object_get_string(previous)
                                     : zeros);
    assert_int_equal(block.is_state, strcmp(type, "state") == 0);
    assert_int_equal(block.height, 7);
}

static void state_blocks_of_the_vectors_are_read(void **state)
{
    (void)state;
    static const char *const lists[] = {"cases", "published"};
    struct json_object *file = vectors_load("blocks.json");
    for (size_t l = 0; l < COUNT(lists); l++) {
        struct json_object *list = vectors_member(file, lists[l]);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            struct json_object *vector = json_object_array_get_idx(list, i);
            assert_vector_is_read(vector, "state", vectors_text(vector, "account"));
        }
    }
    json_object_put(file);
}

static void blocks_of_older_types_take_their_account_from_the_message(void **state)
{
    (void)state;
    struct json_object *file = vectors_load("blocks.json");
    struct json_object *list = vectors_member(vectors_member(file, "legacy"), "cases");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *vector = json_object_array_get_idx(list, i);
        struct json_object *signer;
        char type[16];
        (void)snprintf(type, sizeof type, "%s", vectors_text(vector, "type"));
        const char *account = json_object_object_get_ex(vector, "signer", &signer)
                                  ? json_object_get_string(signer)
                                  : vectors_text(vector, "account");
        assert_vector_is_read(vector, type, account);
    }
    json_object_put(file);
}

static void hashes_that_common_mistakes_make_are_refused(void **state)
{
    (void)state;
    struct json_object *file = vectors_load("blocks.json");
    struct json_object *list = vectors_member(vectors_member(file, "wrong_hashes"), "cases");
    assert_int_equal(fault_of(confirmation(account_text, hash_text, contents, NULL)), BLOCK_OK);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *wrong = json_object_array_get_idx(list, i);
        assert_int_equal(
            fault_of(confirmation(account_text, vectors_text(wrong, "hash"), contents, NULL)),
            BLOCK_HASH);
    }
    json_object_put(file);
}

/* The contents with the first occurrence of a text replaced. */
static const char *changed(const char *from, const char *to)
{
    static char text[TEXT_MAX];
    const char *place = strstr(contents, from);
    assert_non_null(place);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(place - contents), contents, to,
                   place + strlen(from));
    return text;
}

static void a_block_that_is_not_what_it_should_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        enum block_fault fault;
    } cases[] = {
        {"\"state\"", "\"epoch\"", BLOCK_TYPE},
        {"\"state\"", "7", BLOCK_TYPE},
        {"\"type\":\"state\",", "", BLOCK_TYPE},
        {"\"state\"", "\"send\"", BLOCK_FIELD},
        {"\"state\"", "\"change\"", BLOCK_HASH},
        {"\"previous\":\"81", "\"previous\":\"82", BLOCK_HASH},
        {"\"previous\":\"81", "\"previous\":\"1", BLOCK_FIELD},
        {"\"previous\":\"81", "\"previous\":\"081", BLOCK_FIELD},
        {"\"previous\"", "\"before\"", BLOCK_FIELD},
        {"\"previous\"", "\"link\":\"\",\"previous\"", BLOCK_MALFORMED},
        {"nano_3i1aq", "nano_3i1ar", BLOCK_FIELD},
        {"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
         "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9", BLOCK_ACCOUNT},
        {"nano_1dzcca9ycmtx3q79mocmu95zdduxptp3gp5fqkmb1ownscpweggzah8cb4rb",
         "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9", BLOCK_HASH},
        {"\"999000000000000000000000000000\"", "999000000000000000000000000000", BLOCK_FIELD},
        {"\"999", "\"0999", BLOCK_FIELD},
        {"\"999", "\"-999", BLOCK_FIELD},
        {"\"999", "\"1999", BLOCK_HASH},
        {"\"999000000000000000000000000000\"", "\"340282366920938463463374607431768211456\"",
         BLOCK_FIELD},
        {"\"E30D", "\"E30E", BLOCK_HASH},
        {"\"E30D", "\"G30D", BLOCK_FIELD},
        {"}", "", BLOCK_MALFORMED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *block = changed(cases[i].from, cases[i].to);
        const enum block_fault fault = fault_of(confirmation(account_text, hash_text, block, NULL));
        if (fault != cases[i].fault)
            fail_msg("%s for %s: %d", cases[i].to, cases[i].from, fault);
    }
}

static void a_message_without_what_it_must_have_is_refused(void **state)
{
    (void)state;
    static const char burn[] = "nano_1111111111111111111111111111111111111111111111111111hifc8npp";
    assert_int_equal(fault_of(confirmation(NULL, hash_text, contents, NULL)), BLOCK_MALFORMED);
    assert_int_equal(fault_of(confirmation("nano_x", hash_text, contents, NULL)), BLOCK_MALFORMED);
    assert_int_equal(fault_of(confirmation(burn, hash_text, contents, NULL)), BLOCK_FIELD);
    assert_int_equal(fault_of(confirmation(other_text, hash_text, contents, NULL)), BLOCK_ACCOUNT);
    assert_int_equal(fault_of(confirmation(account_text, NULL, contents, NULL)), BLOCK_MALFORMED);
    assert_int_equal(fault_of(confirmation(account_text, "00", contents, NULL)), BLOCK_MALFORMED);
    assert_int_equal(fault_of(confirmation(account_text, hash_text, NULL, NULL)),
                     BLOCK_NO_CONTENTS);
    assert_int_equal(fault_of(confirmation(account_text, hash_text, "\"{}\"", NULL)),
                     BLOCK_NO_CONTENTS);
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "{}",
                                        "{\"topic\":1}",
                                        "{\"topic\":\"confirmation\"}",
                                        "{\"topic\":\"confirmation\",\"message\":\"\"}"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(fault_of(texts[i]), BLOCK_MALFORMED);
}

static void the_height_comes_from_the_sideband(void **state)
{
    (void)state;
    static const struct {
        const char *sideband;
        uint64_t height;
        bool good;
    } cases[] = {
        {NULL, 0, true},
        {"null", 0, true},
        {"{}", 0, true},
        {"{\"height\":\"12\"}", 12, true},
        {"{\"height\":12}", 12, true},
        {"{\"height\":\"18446744073709551615\"}", UINT64_MAX, true},
        {"{\"height\":\"18446744073709551616\"}", 0, false},
        {"{\"height\":\"-1\"}", 0, false},
        {"{\"height\":-1}", 0, false},
        {"{\"height\":1.5}", 0, false},
        {"{\"height\":1e3}", 0, false},
        {"{\"height\":\"\"}", 0, false},
        {"{\"height\":null}", 0, false},
        {"[]", 0, false},
        {"\"\"", 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct confirmed_block block;
        enum block_fault fault;
        const char *text = confirmation(account_text, hash_text, contents, cases[i].sideband);
        const enum node_message kind = block_message_read(slice_of(text), &block, &fault);
        assert_int_equal(kind, cases[i].good ? NODE_CONFIRMATION : NODE_UNUSABLE);
        if (cases[i].good)
            assert_true(block.height == cases[i].height);
    }
}

static void other_messages_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum node_message kind;
    } cases[] = {
        {"{\"ack\":\"subscribe\",\"time\":\"1\",\"id\":\"dpow\"}", NODE_SUBSCRIBED},
        {"{\"ack\":\"pong\",\"time\":\"1\"}", NODE_OTHER},
        {"{\"topic\":\"vote\",\"message\":{}}", NODE_OTHER},
        {"{\"ack\":true}", NODE_UNUSABLE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct confirmed_block block;
        enum block_fault fault;
        assert_int_equal(block_message_read(slice_of(cases[i].text), &block, &fault),
                         cases[i].kind);
    }
}

/* A callback whose block is the given JSON text in a string. */
static const char *callback(const char *account, const char *hash, const char *block)
{
    static char text[TEXT_MAX];
    struct json_object *body = json_object_new_object();
    json_object_object_add(body, "account", json_object_new_string(account));
    json_object_object_add(body, "hash", json_object_new_string(hash));
    if (block != NULL)
        json_object_object_add(body, "block", json_object_new_string(block));
    json_object_object_add(body, "amount", json_object_new_string("1"));
    (void)snprintf(text, sizeof text, "%s", json_object_to_json_string(body));
    json_object_put(body);
    return text;
}

static void the_callback_has_its_block_in_a_string(void **state)
{
    (void)state;
    struct confirmed_block block;
    assert_int_equal(
        block_callback_read(slice_of(callback(account_text, hash_text, contents)), &block),
        BLOCK_OK);
    assert_root(&block.hash, hash_text);
    assert_int_equal(block.height, 0);
    static char large[5000];
    memset(large, ' ', sizeof large - 1);
    const struct {
        const char *text;
        enum block_fault fault;
    } cases[] = {
        {"", BLOCK_MALFORMED},
        {"{}", BLOCK_NO_CONTENTS},
        {"{\"block\":{}}", BLOCK_NO_CONTENTS},
        {"{\"block\":\"\\ud800\"}", BLOCK_MALFORMED},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(block_callback_read(slice_of(cases[i].text), &block), cases[i].fault);
    const struct {
        const char *account;
        const char *hash;
        const char *block;
        enum block_fault fault;
    } parts[] = {
        {account_text, hash_text, NULL, BLOCK_NO_CONTENTS},
        {account_text, hash_text, large, BLOCK_MALFORMED},
        {account_text, hash_text, "[]", BLOCK_MALFORMED},
        {other_text, hash_text, contents, BLOCK_ACCOUNT},
        {account_text, "81991F4544E61BA7B3FCB9AC045EBEACDBE3304ED7150D92C994FE22F2900F93", contents,
         BLOCK_HASH},
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        assert_int_equal(
            block_callback_read(slice_of(callback(parts[i].account, parts[i].hash, parts[i].block)),
                                &block),
            parts[i].fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_blocks_of_the_vectors_are_read),
        cmocka_unit_test(blocks_of_older_types_take_their_account_from_the_message),
        cmocka_unit_test(hashes_that_common_mistakes_make_are_refused),
        cmocka_unit_test(a_block_that_is_not_what_it_should_be_is_refused),
        cmocka_unit_test(a_message_without_what_it_must_have_is_refused),
        cmocka_unit_test(the_height_comes_from_the_sideband),
        cmocka_unit_test(other_messages_are_told_apart),
        cmocka_unit_test(the_callback_has_its_block_in_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
