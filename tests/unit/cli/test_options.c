#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_spec table[] = {
    {.name = "listen", .kind = OPTION_TEXT, .argument = "ADDR", .fallback = "127.0.0.1:1"},
    {.name = "quiet", .kind = OPTION_FLAG},
    {.name = "slots", .kind = OPTION_U64, .minimum = 1, .maximum = 64, .fallback = "4"},
    {.name = "limit", .kind = OPTION_U64, .maximum = UINT64_MAX},
    {.name = "share", .kind = OPTION_NUMBER, .low = 0.5, .high = 5},
    {.name = "network", .kind = OPTION_CHOICE, .choices = "live|beta|dev"},
    {.name = "peer", .kind = OPTION_LIST, .argument = "URL"},
    {.name = "key", .kind = OPTION_TEXT, .argument = "KEY", .secret = true},
    {.name = NULL},
};

static const struct option_spec more[] = {{.name = "json", .kind = OPTION_FLAG}, {.name = NULL}};

static struct options *create(void)
{
    const struct option_spec *tables[] = {table, more, NULL};
    struct options *options = options_create(tables, NULL);
    assert_non_null(options);
    return options;
}

static bool set(struct options *options, const char *name, const char *text,
                enum option_source source)
{
    struct error error;
    return options_set(options, name, text, source, "it", &error);
}

static void defaults_hold_until_something_is_given(void **state)
{
    (void)state;
    struct options *options = create();
    assert_string_equal(options_text(options, "listen"), "127.0.0.1:1");
    assert_null(options_text(options, "network"));
    assert_int_equal(options_u64(options, "slots"), 4);
    assert_int_equal(options_u64(options, "limit"), 0);
    assert_false(options_flag(options, "quiet"));
    assert_int_equal(options_list_count(options, "peer"), 0);
    assert_false(options_given(options, "listen"));
    options_destroy(options);
}

static void the_greater_source_wins_in_any_order(void **state)
{
    (void)state;
    struct options *options = create();
    assert_true(set(options, "listen", "flag", SOURCE_COMMAND_LINE));
    assert_true(set(options, "listen", "environment", SOURCE_ENVIRONMENT));
    assert_true(set(options, "listen", "file", SOURCE_CONFIG));
    assert_string_equal(options_text(options, "listen"), "flag");
    assert_true(set(options, "network", "dev", SOURCE_CONFIG));
    assert_true(set(options, "network", "beta", SOURCE_ENVIRONMENT));
    assert_string_equal(options_text(options, "network"), "beta");
    assert_true(options_given(options, "network"));
    options_destroy(options);
}

static void a_list_keeps_its_order_and_is_replaced_by_a_greater_source(void **state)
{
    (void)state;
    struct options *options = create();
    assert_true(set(options, "peer", "a", SOURCE_CONFIG));
    assert_true(set(options, "peer", "b", SOURCE_CONFIG));
    assert_int_equal(options_list_count(options, "peer"), 2);
    assert_string_equal(options_list(options, "peer", 0), "a");
    assert_string_equal(options_list(options, "peer", 1), "b");
    assert_true(set(options, "peer", "c", SOURCE_COMMAND_LINE));
    assert_int_equal(options_list_count(options, "peer"), 1);
    assert_string_equal(options_list(options, "peer", 0), "c");
    options_destroy(options);
}

static void a_file_may_give_a_value_once_a_command_line_again(void **state)
{
    (void)state;
    struct options *options = create();
    assert_true(set(options, "listen", "a", SOURCE_CONFIG));
    assert_false(set(options, "listen", "b", SOURCE_CONFIG));
    assert_true(set(options, "listen", "c", SOURCE_COMMAND_LINE));
    assert_true(set(options, "listen", "d", SOURCE_COMMAND_LINE));
    assert_string_equal(options_text(options, "listen"), "d");
    options_destroy(options);
}

static void values_are_checked_by_kind_and_range(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        bool taken;
    } cases[] = {
        {"slots", "1", true},
        {"slots", "64", true},
        {"slots", "0", false},
        {"slots", "65", false},
        {"slots", "", false},
        {"slots", "-1", false},
        {"slots", "+1", false},
        {"slots", " 1", false},
        {"slots", "1 ", false},
        {"slots", "0x10", false},
        {"slots", "18446744073709551617", false},
        {"limit", "18446744073709551615", true},
        {"limit", "18446744073709551616", false},
        {"share", "0.5", true},
        {"share", "5e0", true},
        {"share", "0.49", false},
        {"share", "5.01", false},
        {"share", "nan", false},
        {"share", "inf", false},
        {"share", "0x1", false},
        {"share", "1e999", false},
        {"share", "", false},
        {"share", "e", false},
        {"share", "1.5x", false},
        {"network", "live", true},
        {"network", "dev", true},
        {"network", "", false},
        {"network", "liv", false},
        {"network", "live|beta", false},
        {"network", "LIVE", false},
        {"quiet", "on", true},
        {"quiet", "no", true},
        {"quiet", "maybe", false},
        {"listen", "", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options *options = create();
        const bool taken = set(options, cases[i].name, cases[i].text, SOURCE_COMMAND_LINE);
        if (taken != cases[i].taken)
            fail_msg("%s = '%s'", cases[i].name, cases[i].text);
        assert_int_equal(options_given(options, cases[i].name), taken);
        options_destroy(options);
    }
}

static void a_bad_value_is_refused_even_where_another_source_overrides_it(void **state)
{
    (void)state;
    struct options *options = create();
    assert_true(set(options, "slots", "2", SOURCE_COMMAND_LINE));
    assert_false(set(options, "slots", "many", SOURCE_CONFIG));
    assert_int_equal(options_u64(options, "slots"), 2);
    options_destroy(options);
}

static void a_flag_alone_is_on_and_off_can_be_said(void **state)
{
    (void)state;
    struct options *options = create();
    assert_true(set(options, "quiet", "on", SOURCE_CONFIG));
    assert_true(options_flag(options, "quiet"));
    assert_true(set(options, "quiet", "off", SOURCE_ENVIRONMENT));
    assert_false(options_flag(options, "quiet"));
    assert_true(set(options, "quiet", NULL, SOURCE_COMMAND_LINE));
    assert_true(options_flag(options, "quiet"));
    options_destroy(options);
}

static void only_secrets_are_known_by_file_too(void **state)
{
    (void)state;
    struct options *options = create();
    assert_true(options_known(options, "key"));
    assert_true(options_known(options, "key-file"));
    assert_true(options_known(options, "json"));
    assert_false(options_known(options, "listen-file"));
    assert_false(options_known(options, "key-files"));
    assert_false(options_known(options, "key-"));
    assert_false(options_known(options, ""));
    options_destroy(options);
}

/* Sets the secret from a file of that content. */
static bool set_from_file(struct options *options, const void *content, size_t size)
{
    char path[] = "/tmp/dpow-test-secret-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, size), size);
    assert_int_equal(close(file), 0);
    const bool done = set(options, "key-file", path, SOURCE_COMMAND_LINE);
    assert_int_equal(unlink(path), 0);
    return done;
}

static void a_secret_is_the_one_line_of_its_file(void **state)
{
    (void)state;
    char longest[OPTION_SECRET_MAX];
    memset(longest, 'k', sizeof longest);
    const struct {
        const char *content;
        size_t size;
        bool taken;
    } cases[] = {
        {"topsecret", 9, true},
        {"topsecret\n", 10, true},
        {"", 0, false},
        {"\n", 1, false},
        {"two\nlines\n", 10, false},
        {"nul\0inside", 10, false},
        {longest, sizeof longest, false},
        {longest, sizeof longest - 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options *options = create();
        assert_int_equal(set_from_file(options, cases[i].content, cases[i].size), cases[i].taken);
        if (i < 2)
            assert_string_equal(options_text(options, "key"), "topsecret");
        options_destroy(options);
    }
}

static void errors_say_where_a_value_came_from(void **state)
{
    (void)state;
    struct options *options = create();
    struct error error;
    assert_false(options_set(options, "slots", "x", SOURCE_CONFIG, "dpow.conf:7: slots", &error));
    assert_string_equal(error.text, "dpow.conf:7: slots: it must be a number from 1 to 64");
    assert_false(options_set(options, "key-file", "/nonexistent/key", SOURCE_COMMAND_LINE,
                             "--key-file", &error));
    assert_non_null(strstr(error.text, "/nonexistent/key"));
    options_destroy(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_until_something_is_given),
        cmocka_unit_test(the_greater_source_wins_in_any_order),
        cmocka_unit_test(a_list_keeps_its_order_and_is_replaced_by_a_greater_source),
        cmocka_unit_test(a_file_may_give_a_value_once_a_command_line_again),
        cmocka_unit_test(values_are_checked_by_kind_and_range),
        cmocka_unit_test(a_bad_value_is_refused_even_where_another_source_overrides_it),
        cmocka_unit_test(a_flag_alone_is_on_and_off_can_be_said),
        cmocka_unit_test(only_secrets_are_known_by_file_too),
        cmocka_unit_test(a_secret_is_the_one_line_of_its_file),
        cmocka_unit_test(errors_say_where_a_value_came_from),
    };
    return cmocka_run_group_tests_name("cli_options", tests, NULL, NULL);
}
