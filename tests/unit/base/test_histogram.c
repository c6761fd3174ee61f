#include "test.h"

#include "base/histogram.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void values_up_to_a_limit_are_counted(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    for (uint64_t value = 1; value <= 200; value++)
        histogram_record(&histogram, value * 1000);
    static const struct {
        uint64_t limit_us;
        uint64_t count;
    } rows[] = {{0, 0}, {999, 0}, {1010, 1}, {100500, 100}, {200000, 200}, {UINT64_MAX, 200}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(histogram_count_up_to(&histogram, rows[i].limit_us), rows[i].count);
}

static void what_was_packed_is_unpacked_to_the_bucket(void **state)
{
    (void)state;
    static struct histogram histogram;
    static struct histogram same;
    static uint8_t bytes[65536];
    struct random random;
    random_seed(&random, 11);
    for (int count = 0; count < 2000; count = count * 2 + 1) {
        memset(&histogram, 0, sizeof histogram);
        for (int i = 0; i < count; i++)
            histogram_record(&histogram, (uint64_t)pow(10, 10 * random_unit(&random)));
        const size_t length = histogram_pack(&histogram, bytes, sizeof bytes);
        assert_true(length >= 4);
        assert_true(histogram_unpack(&same, bytes, length));
        assert_memory_equal(&same, &histogram, sizeof same);
        for (size_t cut = 0; cut < length; cut += 1 + length / 50)
            assert_false(histogram_unpack(&same, bytes, cut));
        bytes[length] = 0;
        assert_false(histogram_unpack(&same, bytes, length + 1));
        assert_int_equal(same.count, 0);
    }
}

/* The more room, the closer; count and maximum are always right. */
static void what_does_not_fit_is_told_more_coarsely(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        double error; /* Relative, of percentiles. */
    } rows[] = {{65536, 0.004}, {4096, 0.01}, {2048, 0.03}, {1024, 0.06}, {256, 0.3}};
    static const double shares[] = {0.1, 0.5, 0.9, 0.99};
    static struct histogram histogram;
    static struct histogram same;
    static uint8_t bytes[65536];
    struct random random;
    random_seed(&random, 13);
    for (int i = 0; i < 1000000; i++)
        histogram_record(&histogram, (uint64_t)pow(10, 4 + 3.5 * random_unit(&random)));
    for (size_t i = 0; i < COUNT(rows); i++) {
        const size_t length = histogram_pack(&histogram, bytes, rows[i].size);
        assert_in_range(length, 1, rows[i].size);
        assert_true(histogram_unpack(&same, bytes, length));
        assert_int_equal(same.count, histogram.count);
        assert_int_equal(same.max_us, histogram.max_us);
        for (size_t j = 0; j < COUNT(shares); j++) {
            const double told = (double)histogram_percentile(&same, shares[j]);
            const double expected = (double)histogram_percentile(&histogram, shares[j]);
            assert_true(fabs(told - expected) <= rows[i].error * expected);
        }
    }
}

static void every_histogram_fits_into_the_stated_minimum(void **state)
{
    (void)state;
    static struct histogram histogram;
    static struct histogram same;
    uint8_t bytes[HISTOGRAM_PACKED_MIN];
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram.buckets[i] = UINT64_MAX / HISTOGRAM_BUCKETS;
    histogram.count = UINT64_MAX / HISTOGRAM_BUCKETS * HISTOGRAM_BUCKETS;
    histogram.max_us = HISTOGRAM_MAX_US;
    const size_t length = histogram_pack(&histogram, bytes, sizeof bytes);
    assert_in_range(length, 1, sizeof bytes);
    assert_true(histogram_unpack(&same, bytes, length));
    assert_int_equal(same.count, histogram.count);
    assert_int_equal(same.max_us, HISTOGRAM_MAX_US);
    assert_int_equal(histogram_pack(&histogram, bytes, sizeof bytes - 1), 0);
}

static void hostile_bytes_are_no_histogram(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t length;
    } rows[] = {
        {"nothing", {0}, 0},
        {"another format", {2, 0, 0, 0}, 4},
        {"too many merges", {1, 13, 0, 0}, 4},
        {"a maximum without values", {1, 0, 0, 1}, 4},
        {"values without buckets", {1, 0, 1, 1}, 4},
        {"a bucket that is empty", {1, 0, 1, 1, 1, 0}, 6},
        {"more in buckets than values", {1, 0, 1, 1, 1, 2}, 6},
        {"a bucket above the maximum", {1, 0, 1, 1, 2, 1}, 6},
        {"distances that overflow",
         {1, 0, 2, 1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
         16},
        {"a number of more than 64 bits",
         {1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 1, 1},
         15},
        {"a maximum of days", {1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 1}, 10},
        {"bytes after the end", {1, 0, 1, 1, 1, 1, 0}, 7},
    };
    static struct histogram histogram;
    static const uint8_t good[] = {1, 0, 1, 1, 1, 1};
    assert_true(histogram_unpack(&histogram, good, sizeof good));
    assert_int_equal(histogram.buckets[1], 1);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (histogram_unpack(&histogram, rows[i].bytes, rows[i].length))
            fail_msg("%s", rows[i].what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_percentile_zero),
        cmocka_unit_test(a_single_value_of_any_size_is_told_within_one_percent),
        cmocka_unit_test(values_below_256_are_exact),
        cmocka_unit_test(more_than_an_hour_counts_as_an_hour),
        cmocka_unit_test(percentiles_of_merged_ones_are_those_of_all_values),
        cmocka_unit_test(values_up_to_a_limit_are_counted),
        cmocka_unit_test(what_was_packed_is_unpacked_to_the_bucket),
        cmocka_unit_test(what_does_not_fit_is_told_more_coarsely),
        cmocka_unit_test(every_histogram_fits_into_the_stated_minimum),
        cmocka_unit_test(hostile_bytes_are_no_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
