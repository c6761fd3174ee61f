#include "test.h"

#include "base/utf8.h"

#include <string.h>

/* The sequence of a number by the table of RFC 3629, section 3. */
static size_t encode(unsigned number, char bytes[4])
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    const size_t length = number < 0x80 ? 1 : number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, number >>= 6)
        bytes[i] = (char)(0x80 | (number & 0x3f));
    bytes[0] = (char)(leads[length] | number);
    return length;
}

static void every_character_is_well_formed_and_no_surrogate_is(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 0x120000; number++) {
        char bytes[4];
        const size_t length = encode(number, bytes);
        const bool character = number < 0xd800 || (number > 0xdfff && number < 0x110000);
        assert_int_equal(utf8_length(bytes, sizeof bytes), character ? length : 0);
        assert_int_equal(utf8_length(bytes, length), character ? length : 0);
        if (length > 1)
            assert_int_equal(utf8_length(bytes, length - 1), 0);
    }
}

/* With the test above: of two or three bytes, nothing else is accepted. */
static void there_are_as_many_short_sequences_as_characters(void **state)
{
    (void)state;
    unsigned accepted[4] = {0};
    for (unsigned number = 0; number < 0x1000000; number++) {
        const char bytes[] = {(char)(number >> 16), (char)(number >> 8), (char)number};
        accepted[utf8_length(bytes, sizeof bytes)]++;
    }
    assert_int_equal(accepted[1], 0x80 << 16);
    assert_int_equal(accepted[2], (0x800 - 0x80) << 8);
    assert_int_equal(accepted[3], 0x10000 - 0x800 - 0x800);
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\x80",             /* begins with a continuation */
        "\xc0\xaf",         /* overlong, of two */
        "\xe0\x9f\xbf",     /* overlong, of three */
        "\xf0\x8f\xbf\xbf", /* overlong, of four */
        "\xed\xa0\x80",     /* the first surrogate */
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf8\x88\x80\x80", /* five bytes once */
        "\xe2\x28\xa1",     /* the second is no continuation */
        "\xf0\x9f\x98\x28", /* the fourth is none */
        "\xff",
    };
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(utf8_length(wrong[i], strlen(wrong[i])), 0);
}

static void control_characters_are_those_of_c0_and_c1(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 0xd800; number++) {
        char bytes[4];
        const size_t length = encode(number, bytes);
        assert_int_equal(utf8_is_control(bytes, length),
                         number < 0x20 || (number >= 0x7f && number < 0xa0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_well_formed_and_no_surrogate_is),
        cmocka_unit_test(there_are_as_many_short_sequences_as_characters),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(control_characters_are_those_of_c0_and_c1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
