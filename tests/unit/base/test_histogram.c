#include "test.h"

#include "base/histogram.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

enum { VALUES = 20000 };

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void an_empty_one_has_percentile_zero(void **state)
{
    (void)state;
    static const struct histogram histogram;
    assert_int_equal(histogram_percentile(&histogram, 0), 0);
    assert_int_equal(histogram_percentile(&histogram, 0.5), 0);
    assert_int_equal(histogram_percentile(&histogram, 1), 0);
}

static void a_single_value_of_any_size_is_told_within_one_percent(void **state)
{
    (void)state;
    for (uint64_t duration_us = 1; duration_us < HISTOGRAM_MAX_US;
         duration_us += duration_us / 14 + 1) {
        struct histogram histogram = {0};
        histogram_record(&histogram, duration_us);
        histogram_record(&histogram, HISTOGRAM_MAX_US);
        const double told = (double)histogram_percentile(&histogram, 0.5);
        assert_true(fabs(told - (double)duration_us) <= 0.004 * (double)duration_us);
        assert_int_equal(histogram_percentile(&histogram, 1), HISTOGRAM_MAX_US);
    }
}

static void values_below_256_are_exact(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    for (uint64_t value = 1; value <= 200; value++)
        histogram_record(&histogram, value);
    assert_int_equal(histogram_percentile(&histogram, 0), 1);
    assert_int_equal(histogram_percentile(&histogram, 0.5), 100);
    assert_int_equal(histogram_percentile(&histogram, 0.9), 180);
    assert_int_equal(histogram_percentile(&histogram, 0.99), 198);
    assert_int_equal(histogram_percentile(&histogram, 1), 200);
}

static void more_than_an_hour_counts_as_an_hour(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    histogram_record(&histogram, UINT64_MAX);
    histogram_record(&histogram, HISTOGRAM_MAX_US + 1);
    assert_int_equal(histogram.count, 2);
    assert_int_equal(histogram.max_us, HISTOGRAM_MAX_US);
}

/* Values over seven powers of ten, half of them in each of two histograms that are then merged. */
static void percentiles_of_merged_ones_are_those_of_all_values(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    static struct histogram halves[2];
    static const double shares[] = {0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999};
    struct random random;
    random_seed(&random, 7);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = (uint64_t)pow(10, 7 * random_unit(&random));
        histogram_record(&halves[i % 2], values[i]);
    }
    histogram_merge(&halves[0], &halves[1]);
    qsort(values, VALUES, sizeof values[0], compare);
    assert_int_equal(halves[0].count, VALUES);
    assert_int_equal(halves[0].max_us, values[VALUES - 1]);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        const double rank = ceil(shares[i] * VALUES);
        const double expected = (double)values[rank > 1 ? (size_t)rank - 1 : 0];
        const double told = (double)histogram_percentile(&halves[0], shares[i]);
        assert_true(fabs(told - expected) <= 0.004 * expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_percentile_zero),
        cmocka_unit_test(a_single_value_of_any_size_is_told_within_one_percent),
        cmocka_unit_test(values_below_256_are_exact),
        cmocka_unit_test(more_than_an_hour_counts_as_an_hour),
        cmocka_unit_test(percentiles_of_merged_ones_are_those_of_all_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
