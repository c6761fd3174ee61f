#include "test.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static size_t logged(struct log log, char *line, size_t size, const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log.descriptor = ends[1];
    log_write(&log, LOG_WARNING, "%s", text);
    (void)close(ends[1]);
    const ssize_t length = read(ends[0], line, size - 1);
    (void)close(ends[0]);
    assert_true(length >= 0);
    line[length] = '\0';
    return (size_t)length;
}

static void a_text_line_has_time_level_part_and_escaped_text(void **state)
{
    (void)state;
    char line[4096];
    const struct log log = {.format = LOG_TEXT, .level = LOG_INFO, .part = "hub"};
    (void)logged(log, line, sizeof line, "a\nb\x1b[31m");
    assert_non_null(strstr(line, "Z warning hub: a\\x0ab\\x1b[31m\n"));
    assert_int_equal(strcspn(line, "\n") + 1, strlen(line));
}

static void nothing_outside_can_move_a_terminals_cursor(void **state)
{
    (void)state;
    char line[4096];
    const struct log log = {.format = LOG_TEXT, .level = LOG_INFO, .part = "hub"};
    (void)logged(log, line, sizeof line, "\x7f\xc2\x9b\x9b\xe2\x82 \xc3\xa9\xe2\x82\xac");
    assert_non_null(strstr(line, "hub: \\x7f\\xc2\\x9b\\x9b\\xe2\\x82 \xc3\xa9\xe2\x82\xac\n"));
}

static void a_line_begins_with_the_time_in_utc(void **state)
{
    (void)state;
    char line[256];
    char again[32];
    struct tm utc = {0};
    int milliseconds = -1;
    const struct log log = {.format = LOG_TEXT, .level = LOG_INFO, .part = "hub"};
    const int64_t before_ms = clock_wall_ms();
    (void)logged(log, line, sizeof line, "x");
    const int64_t after_ms = clock_wall_ms();
    const char *rest = strptime(line, "%Y-%m-%dT%H:%M:%S", &utc);
    assert_non_null(rest);
    assert_int_equal(sscanf(rest, ".%3dZ ", &milliseconds), 1);
    const int64_t told_ms = (int64_t)timegm(&utc) * 1000 + milliseconds;
    assert_true(before_ms <= told_ms && told_ms <= after_ms);
    (void)snprintf(again, sizeof again, ".%03dZ ", milliseconds);
    assert_memory_equal(rest, again, 6);
}

static void a_line_is_one_write(void **state)
{
    (void)state;
    static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    char text[1001];
    char line[8192];
    int ends[2];
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    for (size_t i = 0; i < COUNT(formats); i++) {
        const struct log log = {ends[1], formats[i], LOG_INFO, "hub"};
        log_write(&log, LOG_ERROR, "%s", text);
        log_write(&log, LOG_ERROR, "next");
        const ssize_t length = recv(ends[0], line, sizeof line, 0);
        assert_true(length > 1000 && line[length - 1] == '\n');
        assert_ptr_equal(memchr(line, '\n', (size_t)length), line + length - 1);
        assert_true(recv(ends[0], line, sizeof line, 0) < 128);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_json_line_is_one_object(void **state)
{
    (void)state;
    char line[8192];
    char text[64];
    size_t length;
    struct json_object object;
    const struct log log = {.format = LOG_JSON, .level = LOG_INFO, .part = "hub"};
    const size_t written = logged(log, line, sizeof line, "quote \" and \xff and \n end");
    assert_int_equal(json_read_object((struct slice){line, written}, &object), JSON_OK);
    assert_true(json_string(json_find(&object, "text"), text, sizeof text, &length));
    assert_string_equal(text, "quote \" and \xef\xbf\xbd and \n end");
    assert_true(json_string(json_find(&object, "level"), text, sizeof text, &length));
    assert_string_equal(text, "warning");
    assert_true(json_string(json_find(&object, "part"), text, sizeof text, &length));
    assert_string_equal(text, "hub");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    char line[64];
    const struct log log = {.format = LOG_TEXT, .level = LOG_ERROR, .part = "hub"};
    assert_int_equal(logged(log, line, sizeof line, "unseen"), 0);
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    char text[5001];
    char line[8192];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const struct log log = {.format = LOG_TEXT, .level = LOG_INFO, .part = "hub"};
    const size_t length = logged(log, line, sizeof line, text);
    assert_in_range(length, 1000, 1100);
}

static void formats_levels_and_parts_have_names(void **state)
{
    (void)state;
    enum log_format format;
    enum log_level level;
    assert_true(log_format_parse("json", &format) && format == LOG_JSON);
    assert_true(log_format_parse("text", &format) && format == LOG_TEXT);
    assert_false(log_format_parse("xml", &format));
    assert_true(log_level_parse("debug", &level) && level == LOG_DEBUG);
    assert_true(log_level_parse("error", &level) && level == LOG_ERROR);
    assert_false(log_level_parse("loud", &level));
    const struct log log = {.descriptor = 7, .part = "hub"};
    assert_string_equal(log_for_part(&log, "store").part, "store");
    assert_int_equal(log_for_part(&log, "store").descriptor, 7);
}

static void an_error_keeps_its_code_and_cuts_its_text(void **state)
{
    (void)state;
    struct error error;
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(error_set(&error, ERROR_LIMIT, "%s", text));
    assert_int_equal(error.code, ERROR_LIMIT);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_false(error_set(NULL, ERROR_LIMIT, "nobody asks"));
}

static void equal_seeds_give_equal_numbers_in_range(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    random_seed(&a, 42);
    random_seed(&b, 42);
    assert_true(random_next(&a) == 0x15780b2e0c2ec716);
    (void)random_next(&b);
    for (int i = 0; i < 10000; i++) {
        assert_true(random_next(&a) == random_next(&b));
        assert_true(random_below(&a, 7) < 7);
        const double unit = random_unit(&a);
        assert_true(unit >= 0 && unit < 1);
        (void)random_below(&b, 7);
        (void)random_unit(&b);
    }
    assert_true(random_below(&a, 0) == 0);
    uint8_t one[16];
    uint8_t other[16];
    random_system(one, sizeof one);
    random_system(other, sizeof other);
    assert_memory_not_equal(one, other, sizeof one);
}

static void the_clocks_go_forward(void **state)
{
    (void)state;
    const uint64_t before = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= before);
    assert_true(clock_wall_ms() > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_part_and_escaped_text),
        cmocka_unit_test(nothing_outside_can_move_a_terminals_cursor),
        cmocka_unit_test(a_line_begins_with_the_time_in_utc),
        cmocka_unit_test(a_line_is_one_write),
        cmocka_unit_test(a_json_line_is_one_object),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(formats_levels_and_parts_have_names),
        cmocka_unit_test(an_error_keeps_its_code_and_cuts_its_text),
        cmocka_unit_test(equal_seeds_give_equal_numbers_in_range),
        cmocka_unit_test(the_clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
