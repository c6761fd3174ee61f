#include "test.h"

#include "base/hex.h"

static void either_case_is_read(void **state)
{
    (void)state;
    uint8_t bytes[4];
    assert_true(hex_decode(slice_of("00aFfF9b"), bytes, 4));
    assert_memory_equal(bytes, "\x00\xaf\xff\x9b", 4);
}

static void a_wrong_length_or_digit_is_refused_and_writes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",         "0",        "00aff",    "00aFfF9",  "00aFfF9b0",
                                        "00aFfFgb", "0x00aFfF", " 0aFfF9b", "00aFfF9\n"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        uint8_t bytes[4] = {1, 2, 3, 4};
        assert_false(hex_decode(slice_of(wrong[i]), bytes, 4));
        assert_memory_equal(bytes, "\1\2\3\4", 4);
    }
    uint8_t bytes[4];
    assert_false(hex_decode((struct slice){"00aF\0F9b", 8}, bytes, 4));
}

static void bytes_are_written_upper_case(void **state)
{
    (void)state;
    char text[9];
    hex_encode_upper((const uint8_t *)"\x01\xab\xcd\xef", 4, text);
    assert_string_equal(text, "01ABCDEF");
}

static void numbers_are_sixteen_digits_and_written_lower_case(void **state)
{
    (void)state;
    uint64_t value = 7;
    char text[17];
    assert_true(hex_u64_parse(slice_of("FFfffff800000001"), &value));
    assert_true(value == 0xfffffff800000001);
    hex_u64_format(value, text);
    assert_string_equal(text, "fffffff800000001");
    hex_u64_format(0, text);
    assert_string_equal(text, "0000000000000000");
    assert_false(hex_u64_parse(slice_of("ffffff800000001"), &value));
    assert_false(hex_u64_parse(slice_of("0xfffff800000001"), &value));
    assert_true(value == 0xfffffff800000001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_case_is_read),
        cmocka_unit_test(a_wrong_length_or_digit_is_refused_and_writes_nothing),
        cmocka_unit_test(bytes_are_written_upper_case),
        cmocka_unit_test(numbers_are_sixteen_digits_and_written_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
