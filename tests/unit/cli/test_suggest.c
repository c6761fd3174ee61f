#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/frame_internal.h"

static void distance_counts_single_edits(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},         {"", "abc", 3},          {"abc", "", 3},     {"pow", "pow", 0},
        {"pow", "pwo", 2},   {"worker", "wroker", 2}, {"hub", "hubs", 1}, {"kitten", "sitting", 3},
        {"bench", "nch", 2}, {"a", "b", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(text_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(text_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
}

static void distance_of_very_long_text_ends(void **state)
{
    (void)state;
    char text[4096];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = 'x';
    text[sizeof text - 1] = '\0';
    assert_int_equal(text_distance("", text), 40);
}

static void names_near_what_was_typed_are_suggested(void **state)
{
    (void)state;
    assert_true(text_resembles("devices", "device"));
    assert_true(text_resembles("devices", "dev"));
    assert_true(text_resembles("worker", "woker"));
    assert_false(text_resembles("worker", "w"));
    assert_false(text_resembles("pow", "xy"));
    assert_false(text_resembles("devices", "database"));
    assert_false(text_resembles("pow", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_single_edits),
        cmocka_unit_test(distance_of_very_long_text_ends),
        cmocka_unit_test(names_near_what_was_typed_are_suggested),
    };
    return cmocka_run_group_tests_name("cli_suggest", tests, NULL, NULL);
}
