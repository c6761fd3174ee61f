#include "test.h"
#include "vectors.h"

#include "base/hex.h"
#include "base/random.h"
#include "nano/account.h"

#include <string.h>

static void valid_accounts_are_read_and_rewritten(void **state)
{
    (void)state;
    struct json_object *file = vectors_load("accounts.json");
    struct json_object *valid = vectors_member(file, "valid");
    for (size_t i = 0; i < json_object_array_length(valid); i++) {
        struct json_object *one = json_object_array_get_idx(valid, i);
        const char *text = vectors_text(one, "text");
        struct json_object *canonical = NULL;
        struct account account;
        char key[65];
        char written[ACCOUNT_TEXT_SIZE];
        assert_int_equal(account_parse(slice_of(text), &account), ACCOUNT_OK);
        hex_encode_upper(account.key, sizeof account.key, key);
        assert_string_equal(key, vectors_text(one, "key"));
        account_format(&account, written);
        const bool other = json_object_object_get_ex(one, "canonical", &canonical);
        assert_string_equal(written, other ? json_object_get_string(canonical) : text);
    }
    json_object_put(file);
}

static void malformed_accounts_are_refused_and_write_nothing(void **state)
{
    (void)state;
    struct json_object *file = vectors_load("accounts.json");
    struct json_object *invalid = vectors_member(file, "invalid");
    for (size_t i = 0; i < json_object_array_length(invalid); i++) {
        struct json_object *text = vectors_member(json_object_array_get_idx(invalid, i), "text");
        const struct slice slice = {json_object_get_string(text),
                                    (size_t)json_object_get_string_len(text)};
        struct account account;
        memset(&account, 7, sizeof account);
        const enum account_fault fault = account_parse(slice, &account);
        assert_int_not_equal(fault, ACCOUNT_OK);
        assert_int_equal(account.key[0], 7);
        assert_true(strlen(account_fault_text(fault)) > 8);
    }
    struct json_object *laxer = vectors_member(vectors_member(file, "node_is_laxer"), "texts");
    for (size_t i = 0; i < json_object_array_length(laxer); i++) {
        struct account account;
        assert_int_equal(
            account_parse(slice_of(vectors_text(json_object_array_get_idx(laxer, i), "text")),
                          &account),
            ACCOUNT_PREFIX);
    }
    json_object_put(file);
}

static void each_kind_of_mistake_has_its_own_reason(void **state)
{
    (void)state;
#define BODY "3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
    static const struct {
        const char *text;
        enum account_fault fault;
    } cases[] = {
        {"nano_" BODY, ACCOUNT_OK},
        {"xrb_" BODY, ACCOUNT_OK},
        {"", ACCOUNT_EMPTY},
        {"ban_" BODY, ACCOUNT_PREFIX},
        {"Nano_" BODY, ACCOUNT_PREFIX},
        {"nano_", ACCOUNT_SHORT},
        {"nano_" BODY "1", ACCOUNT_LONG},
        {"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b", ACCOUNT_SHORT},
        {"nano_3I1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7", ACCOUNT_UPPER_CASE},
        {"nano_3i0aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7", ACCOUNT_CHARACTER},
        {"nano_4i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7", ACCOUNT_FIRST},
        {"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b8", ACCOUNT_CHECKSUM},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct account account;
        assert_int_equal(account_parse(slice_of(cases[i].text), &account), cases[i].fault);
    }
}

static void any_key_is_read_back_and_any_mistyped_character_is_noticed(void **state)
{
    (void)state;
    static const char alphabet[] = "13456789abcdefghijkmnopqrstuwxyz";
    struct random random;
    random_seed(&random, 6);
    for (int i = 0; i < 300; i++) {
        struct account account;
        struct account same;
        char text[ACCOUNT_TEXT_SIZE];
        for (size_t b = 0; b < sizeof account.key; b++)
            account.key[b] = (uint8_t)random_next(&random);
        account_format(&account, text);
        assert_int_equal(account_parse(slice_of(text), &same), ACCOUNT_OK);
        assert_memory_equal(&same, &account, sizeof account);
        for (size_t at = 5; at < ACCOUNT_TEXT_SIZE - 1; at++) {
            const char right = text[at];
            text[at] = alphabet[random_below(&random, 32)];
            if (text[at] != right)
                assert_int_not_equal(account_parse(slice_of(text), &same), ACCOUNT_OK);
            text[at] = right;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_accounts_are_read_and_rewritten),
        cmocka_unit_test(malformed_accounts_are_refused_and_write_nothing),
        cmocka_unit_test(each_kind_of_mistake_has_its_own_reason),
        cmocka_unit_test(any_key_is_read_back_and_any_mistyped_character_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
