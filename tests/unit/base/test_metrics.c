#include "test.h"

#include "base/metrics.h"

#include <string.h>

static void samples_are_written_as_prometheus_reads_them(void **state)
{
    (void)state;
    char text[512];
    struct metrics metrics;
    metrics_init(&metrics, text, sizeof text);
    metrics_describe(&metrics, "dpow_things_total", "counter", "Things.");
    metrics_sample_u64(&metrics, "dpow_things_total", NULL, UINT64_MAX);
    metrics_sample_u64(&metrics, "dpow_things_total", "kind=\"a\"", 0);
    metrics_sample(&metrics, "dpow_rate", NULL, 0.5);
    assert_false(metrics.overflow);
    assert_string_equal(text, "# HELP dpow_things_total Things.\n"
                              "# TYPE dpow_things_total counter\n"
                              "dpow_things_total 18446744073709551615\n"
                              "dpow_things_total{kind=\"a\"} 0\n"
                              "dpow_rate 0.5\n");
    assert_int_equal(metrics.length, strlen(text));
}

static void what_does_not_fit_is_left_out_by_whole_lines(void **state)
{
    (void)state;
    char text[24];
    struct metrics metrics;
    metrics_init(&metrics, text, sizeof text);
    metrics_sample_u64(&metrics, "first", NULL, 1);
    metrics_sample_u64(&metrics, "second_with_a_long_name", NULL, 2);
    assert_true(metrics.overflow);
    assert_string_equal(text, "first 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_written_as_prometheus_reads_them),
        cmocka_unit_test(what_does_not_fit_is_left_out_by_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
