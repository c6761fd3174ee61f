#include "test.h"

#include "base/u128.h"

#define MAXIMUM (~(u128)0)

static void decimal_text_reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"0", "1", "10", "18446744073709551616",
                                        "340282366920938463463374607431768211455"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        u128 value;
        char text[U128_DECIMAL_MAX + 1];
        assert_true(u128_parse(slice_of(texts[i]), &value));
        u128_format(value, text);
        assert_string_equal(text, texts[i]);
    }
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "-1",
                                        "+1",
                                        "01",
                                        "00",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "1e3",
                                        "0x1",
                                        "a",
                                        "340282366920938463463374607431768211456",
                                        "999999999999999999999999999999999999999",
                                        "1000000000000000000000000000000000000000"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        u128 value = 5;
        assert_false(u128_parse(slice_of(wrong[i]), &value));
        assert_true(value == 5);
    }
}

static void arithmetic_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    u128 value = 5;
    assert_false(u128_add(MAXIMUM, 1, &value));
    assert_false(u128_subtract(1, 2, &value));
    assert_false(u128_multiply((u128)1 << 64, (u128)1 << 64, &value));
    assert_true(value == 5);
    assert_true(u128_add(MAXIMUM - 1, 1, &value) && value == MAXIMUM);
    assert_true(u128_subtract(MAXIMUM, MAXIMUM, &value) && value == 0);
    assert_true(u128_multiply((u128)1 << 64, ((u128)1 << 64) - 1, &value));
    assert_true(value == MAXIMUM - (((u128)1 << 64) - 1));
    assert_true(u128_multiply(MAXIMUM, 0, &value) && value == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal_text_reads_back),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(arithmetic_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
