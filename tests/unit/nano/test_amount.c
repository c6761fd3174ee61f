#include "test.h"
#include "vectors.h"

#include "base/random.h"
#include "nano/amount.h"

#include <string.h>

static struct json_object *file;

static int load(void **state)
{
    (void)state;
    file = vectors_load("units.json");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_object_put(file);
    return 0;
}

static const char *text_at(struct json_object *list, size_t index)
{
    return json_object_get_string(json_object_array_get_idx(list, index));
}

static void raw_and_nano_convert_both_ways(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(file, "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        u128 raw;
        u128 same;
        char text[AMOUNT_NANO_TEXT_SIZE];
        assert_true(amount_parse_raw(slice_of(vectors_text(one, "raw")), &raw));
        assert_true(amount_parse_nano(slice_of(vectors_text(one, "nano")), &same));
        assert_true(raw == same);
        amount_format_nano(raw, text);
        assert_string_equal(text, vectors_text(one, "nano"));
    }
}

static void superfluous_zeros_are_read(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(file, "also_read");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        u128 raw;
        u128 expected;
        assert_true(amount_parse_nano(slice_of(vectors_text(one, "nano")), &raw));
        assert_true(u128_parse(slice_of(vectors_text(one, "raw")), &expected));
        assert_true(raw == expected);
    }
}

static void malformed_amounts_are_refused(void **state)
{
    (void)state;
    struct json_object *raws = vectors_member(file, "invalid_raw");
    struct json_object *nanos = vectors_member(file, "invalid_nano");
    u128 raw = 5;
    for (size_t i = 0; i < json_object_array_length(raws); i++)
        assert_false(amount_parse_raw(slice_of(text_at(raws, i)), &raw));
    for (size_t i = 0; i < json_object_array_length(nanos); i++)
        assert_false(amount_parse_nano(slice_of(text_at(nanos, i)), &raw));
    assert_true(raw == 5);
}

static void amounts_for_people_are_cut_not_rounded(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(vectors_member(file, "display"), "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        u128 raw;
        char text[AMOUNT_NANO_TEXT_SIZE];
        assert_true(u128_parse(slice_of(vectors_text(one, "raw")), &raw));
        amount_display_nano(raw, (unsigned)vectors_number(one, "decimals"), text);
        assert_string_equal(text, vectors_text(one, "text"));
    }
    char text[AMOUNT_NANO_TEXT_SIZE];
    amount_display_nano(1, 30, text);
    assert_string_equal(text, "0.000000000000000000000000000001");
    amount_display_nano(~(u128)0, 0, text);
    assert_string_equal(text, "340282366");
    amount_display_nano(1, 0, text);
    assert_string_equal(text, "< 1");
}

/* The decimals are cut from the exact text, so the shown amount is the beginning of it. */
static void any_amount_is_exact_as_text_and_shown_as_its_beginning(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    for (int i = 0; i < 20000; i++) {
        const unsigned decimals = (unsigned)random_below(&random, 31);
        u128 raw = (u128)random_next(&random) << 64 | random_next(&random);
        u128 same;
        char exact[AMOUNT_NANO_TEXT_SIZE];
        char shown[AMOUNT_NANO_TEXT_SIZE];
        raw >>= random_below(&random, 128);
        amount_format_nano(raw, exact);
        assert_true(amount_parse_nano(slice_of(exact), &same) && same == raw);
        amount_display_nano(raw, decimals, shown);
        if (shown[0] == '<') {
            assert_true(amount_parse_nano(slice_of(shown + 2), &same) && raw > 0 && raw < same);
            continue;
        }
        assert_memory_equal(shown, exact, strlen(shown));
        const char *point = strchr(shown, '.');
        assert_true(point == NULL || strlen(point + 1) <= decimals);
        assert_true(amount_parse_nano(slice_of(shown), &same) && same <= raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_and_nano_convert_both_ways),
        cmocka_unit_test(superfluous_zeros_are_read),
        cmocka_unit_test(malformed_amounts_are_refused),
        cmocka_unit_test(amounts_for_people_are_cut_not_rounded),
        cmocka_unit_test(any_amount_is_exact_as_text_and_shown_as_its_beginning),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
