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

static void each_pair_of_characters_is_a_byte_or_refused(void **state)
{
    (void)state;
    static const char lower[] = "0123456789abcdef";
    static const char upper[] = "0123456789ABCDEF";
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        const char text[] = {(char)(pair >> 8), (char)pair};
        unsigned values[2] = {16, 16};
        for (unsigned i = 0; i < 2; i++)
            for (unsigned digit = 0; digit < 16; digit++)
                if (text[i] == lower[digit] || text[i] == upper[digit])
                    values[i] = digit;
        uint8_t byte = 0;
        const bool good = values[0] < 16 && values[1] < 16;
        assert_int_equal(hex_decode((struct slice){text, 2}, &byte, 1), good);
        assert_int_equal(byte, good ? values[0] << 4 | values[1] : 0);
    }
}

static void an_empty_slice_equals_the_empty_text_only(void **state)
{
    (void)state;
    const struct slice nothing = {NULL, 0};
    assert_true(slice_is(nothing, ""));
    assert_false(slice_is(nothing, "a"));
    assert_true(slice_is((struct slice){"abc", 2}, "ab"));
    assert_false(slice_is((struct slice){"ab\0", 3}, "ab"));
    assert_true(hex_decode(nothing, NULL, 0));
}

static void bytes_are_little_endian(void **state)
{
    (void)state;
    uint8_t bytes[8];
    store_le64(bytes, 0x0807060504030201);
    assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10", 8);
    assert_true(load_le64(bytes) == 0x0807060504030201);
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
        cmocka_unit_test(each_pair_of_characters_is_a_byte_or_refused),
        cmocka_unit_test(an_empty_slice_equals_the_empty_text_only),
        cmocka_unit_test(bytes_are_little_endian),
        cmocka_unit_test(numbers_are_sixteen_digits_and_written_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
