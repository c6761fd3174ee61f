/* series: what happened in each second, minute, hour and day, with simulated time. */
#include "test.h"

#include "base/random.h"
#include "hub/series.h"

#include <stdlib.h>
#include <string.h>

/* The first millisecond of a UTC day. */
#define DAY_MS INT64_C(1700006400000)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)

static struct series *create(void)
{
    struct error error;
    struct series *series = series_create(&error);
    assert_non_null(series);
    return series;
}

static void answer(struct series *series, int64_t now_ms, enum work_type type, uint64_t waited_us)
{
    series_record_request(series, now_ms,
                          &(struct series_request){SERIES_ANSWERED, type, 1.5, waited_us});
}

static uint64_t total(const struct series *series, enum series_length length, int64_t periods)
{
    struct series_counts counts;
    series_sum(series, length, 0, periods, &counts);
    return counts.answered.of[0] + counts.answered.of[1] + counts.timeouts + counts.refused;
}

/* What a store does with rows: the last one of each period stays. */
struct rows {
    struct series_record *items;
    size_t count;
};

static void take_rows(struct series *series, bool open, struct rows *rows)
{
    struct series_record record;
    while (series_unstored(series, open, &record)) {
        size_t i = 0;
        while (i < rows->count && (rows->items[i].resolution != record.resolution ||
                                   rows->items[i].start_s != record.start_s))
            i++;
        if (i == rows->count) {
            rows->items = realloc(rows->items, ++rows->count * sizeof *rows->items);
            assert_non_null(rows->items);
        }
        rows->items[i] = record;
    }
}

static struct series *reload(const struct rows *rows, int64_t now_ms)
{
    struct series *series = create();
    for (size_t i = 0; i < rows->count; i++)
        assert_true(series_load(series, now_ms, &rows->items[i]));
    series_advance(series, now_ms);
    return series;
}

static void every_event_counts_in_the_present_period(void **state)
{
    (void)state;
    struct series *series = create();
    struct series_counts counts;
    answer(series, DAY_MS, WORK_PRECACHE, 1000);
    answer(series, DAY_MS + 500, WORK_ONDEMAND, 2000);
    series_record_request(series, DAY_MS, &(struct series_request){.outcome = SERIES_TIMEOUT});
    series_record_request(series, DAY_MS, &(struct series_request){.outcome = SERIES_REFUSED});
    series_record_reward(series, DAY_MS + 999, WORK_ONDEMAND, 16);
    for (int length = 0; length < SERIES_LENGTHS; length++) {
        series_sum(series, (enum series_length)length, 0, 1, &counts);
        assert_int_equal(counts.answered.of[WORK_PRECACHE], 1);
        assert_int_equal(counts.answered.of[WORK_ONDEMAND], 1);
        assert_int_equal(counts.rewarded.of[WORK_PRECACHE], 0);
        assert_int_equal(counts.rewarded.of[WORK_ONDEMAND], 1);
        assert_int_equal(counts.timeouts, 1);
        assert_int_equal(counts.refused, 1);
        assert_int_equal(counts.hashes, 16);
        assert_true(counts.multiplier_sum == 3);
    }
    series_destroy(series);
    series_destroy(NULL);
}

static void periods_begin_at_the_boundaries_of_utc(void **state)
{
    (void)state;
    static const struct {
        int64_t now_ms;
        int64_t starts_s[SERIES_LENGTHS];
    } rows[] = {
        {0, {0, 0, 0, 0}},
        {DAY_MS, {1700006400, 1700006400, 1700006400, 1700006400}},
        {DAY_MS - 1, {1700006399, 1700006340, 1700002800, 1699920000}},
        {DAY_MS + 86399999, {1700092799, 1700092740, 1700089200, 1700006400}},
        {-1, {-1, -60, -3600, -86400}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct series *series = create();
        struct series_period period;
        series_advance(series, rows[i].now_ms);
        for (int length = 0; length < SERIES_LENGTHS; length++) {
            series_period(series, (enum series_length)length, 0, &period);
            assert_true(period.start_s == rows[i].starts_s[length]);
            series_period(series, (enum series_length)length, 3, &period);
            assert_true(period.start_s ==
                        rows[i].starts_s[length] - 3 * series_seconds((enum series_length)length));
        }
        series_destroy(series);
    }
}

/* A day of minutes with 0 to 9 events each; each sum is what a list of all events says. */
static void a_day_of_minutes_adds_up(void **state)
{
    (void)state;
    enum { MINUTES = 1500 };
    static uint64_t in_minute[MINUTES];
    struct series *series = create();
    struct random random;
    random_seed(&random, 21);
    for (int64_t minute = 0; minute < MINUTES; minute++) {
        in_minute[minute] = (uint64_t)(random_unit(&random) * 10);
        for (uint64_t i = 0; i < in_minute[minute]; i++)
            answer(series, DAY_MS + minute * MINUTE_MS + (int64_t)(random_unit(&random) * 60000),
                   i % 3 == 0 ? WORK_PRECACHE : WORK_ONDEMAND, 1000 * (i + 1));
        const int64_t now_ms = DAY_MS + minute * MINUTE_MS + 59999;
        series_advance(series, now_ms);
        uint64_t hour = 0;
        uint64_t span = 0;
        for (int64_t i = minute; i >= 0 && i > minute - 60; i--)
            hour += in_minute[i];
        for (int64_t i = minute; i >= 0 && i / 60 > minute / 60 - 24; i--)
            span += in_minute[i];
        assert_int_equal(total(series, SERIES_MINUTES, 60), hour);
        assert_int_equal(total(series, SERIES_HOURS, 24), span);
        assert_int_equal(total(series, SERIES_SECONDS, 60), in_minute[minute]);
    }
    uint64_t all = 0;
    for (size_t i = 0; i < MINUTES; i++)
        all += in_minute[i];
    assert_int_equal(total(series, SERIES_HOURS, 72), all);
    assert_int_equal(total(series, SERIES_DAYS, 2), all);
    series_destroy(series);
}

/* However the clock jumps within what is kept, nothing is lost and nothing counts twice; with every
 * row stored as it changes, a reloaded series says the same. */
static void a_clock_that_jumps_loses_and_doubles_nothing(void **state)
{
    (void)state;
    enum { EVENTS = 4000 };
    struct series *series = create();
    struct rows rows = {0};
    struct random random;
    int64_t now_ms = DAY_MS + 12 * HOUR_MS;
    static int64_t times[EVENTS];
    random_seed(&random, 23);
    for (int i = 0; i < EVENTS; i++) {
        const double unit = random_unit(&random);
        if (unit < 0.02)
            now_ms -= (int64_t)(random_unit(&random) * 1800000);
        else if (unit < 0.04)
            now_ms += (int64_t)(random_unit(&random) * 1800000);
        else
            now_ms += (int64_t)(random_unit(&random) * 2000);
        times[i] = now_ms;
        answer(series, now_ms, WORK_ONDEMAND, 1000);
        if (i % 7 == 0)
            take_rows(series, i % 2 == 0, &rows);
    }
    take_rows(series, true, &rows);
    int64_t last_ms = times[0];
    for (int i = 0; i < EVENTS; i++)
        last_ms = times[i] > last_ms ? times[i] : last_ms;
    series_advance(series, last_ms);
    struct series *same = reload(&rows, last_ms);
    for (int64_t back = 0; back < 72; back++) {
        struct series_period period;
        struct series_period reloaded;
        uint64_t expected = 0;
        series_period(series, SERIES_HOURS, back, &period);
        series_period(same, SERIES_HOURS, back, &reloaded);
        for (int i = 0; i < EVENTS; i++)
            expected +=
                times[i] / 1000 >= period.start_s && times[i] / 1000 < period.start_s + 3600;
        assert_int_equal(period.counts.answered.of[WORK_ONDEMAND], expected);
        assert_int_equal(reloaded.counts.answered.of[WORK_ONDEMAND], expected);
        assert_true(period.counts.multiplier_sum == 1.5 * (double)expected);
        assert_int_equal(period.latency.p95_us > 0, expected > 0);
        assert_memory_equal(&period.latency, &reloaded.latency, sizeof period.latency);
    }
    uint64_t stored = 0;
    for (size_t i = 0; i < rows.count; i++)
        if (rows.items[i].resolution == SERIES_DAY)
            stored += rows.items[i].answered.of[WORK_ONDEMAND];
    assert_int_equal(stored, EVENTS);
    assert_int_equal(total(same, SERIES_DAYS, 400), EVENTS);
    free(rows.items);
    series_destroy(series);
    series_destroy(same);
}

static void years_of_jumps_do_no_harm(void **state)
{
    (void)state;
    struct series *series = create();
    struct random random;
    struct series_record record;
    random_seed(&random, 25);
    for (int i = 0; i < 3000; i++) {
        const int64_t now_ms = (int64_t)(4e12 * (random_unit(&random) - 0.2));
        answer(series, now_ms, WORK_PRECACHE, 10);
        if (i % 5 == 0)
            (void)series_unstored(series, true, &record);
    }
    /* Back in the present, what happens now is what counts. */
    series_advance(series, DAY_MS);
    const uint64_t before = total(series, SERIES_HOURS, 24);
    for (int i = 0; i < 200; i++)
        answer(series, DAY_MS + i * MINUTE_MS, WORK_PRECACHE, 10);
    assert_in_range(total(series, SERIES_MINUTES, 60), 60, 70);
    assert_in_range(total(series, SERIES_HOURS, 24), 200, 200 + before + 1);
    series_destroy(series);
}

static void percentiles_are_those_of_the_period_and_of_the_window(void **state)
{
    (void)state;
    struct series *series = create();
    struct series_period period;
    struct series_percentiles window[WORK_TYPES];
    for (uint64_t i = 1; i <= 100; i++)
        answer(series, DAY_MS, WORK_PRECACHE, i);
    series_period(series, SERIES_MINUTES, 0, &period);
    assert_int_equal(period.latency.p50_us, 50);
    assert_int_equal(period.latency.p95_us, 95);
    assert_int_equal(period.latency.p99_us, 99);
    for (uint64_t i = 101; i <= 200; i++)
        answer(series, DAY_MS + MINUTE_MS, WORK_ONDEMAND, i);
    series_period(series, SERIES_MINUTES, 1, &period);
    assert_int_equal(period.latency.p50_us, 50);
    series_period(series, SERIES_MINUTES, 0, &period);
    assert_int_equal(period.latency.p50_us, 150);
    series_percentiles(series, SERIES_MINUTES, window);
    assert_int_equal(window[WORK_PRECACHE].p95_us, 95);
    assert_int_equal(window[WORK_ONDEMAND].p95_us, 195);
    answer(series, DAY_MS + 59 * MINUTE_MS, WORK_PRECACHE, 200);
    series_percentiles(series, SERIES_MINUTES, window);
    assert_int_equal(window[WORK_PRECACHE].p99_us, 100);
    answer(series, DAY_MS + 60 * MINUTE_MS, WORK_PRECACHE, 220);
    series_percentiles(series, SERIES_MINUTES, window);
    assert_int_equal(window[WORK_PRECACHE].p50_us,
                     200); /* of 200 and 220: the first hundred left */
    assert_int_equal(window[WORK_ONDEMAND].p50_us, 150);
    series_percentiles(series, SERIES_HOURS, window);
    assert_int_equal(window[WORK_PRECACHE].p50_us, 51);
    series_percentiles(series, SERIES_DAYS, window);
    assert_int_equal(window[WORK_PRECACHE].p50_us, 0);
    series_period(series, SERIES_DAYS, 0, &period);
    assert_int_equal(period.latency.p50_us, 101);
    series_destroy(series);
}

static void ended_periods_are_stored_at_once_and_open_ones_when_asked(void **state)
{
    (void)state;
    struct series *series = create();
    struct series_record record;
    answer(series, DAY_MS, WORK_ONDEMAND, 5);
    assert_false(series_unstored(series, false, &record));
    series_advance(series, DAY_MS + MINUTE_MS);
    assert_true(series_unstored(series, false, &record));
    assert_int_equal(record.resolution, SERIES_MINUTE);
    assert_int_equal(record.start_s, DAY_MS / 1000);
    assert_int_equal(record.answered.of[WORK_ONDEMAND], 1);
    assert_false(series_unstored(series, false, &record));
    assert_true(series_unstored(series, true, &record));
    assert_int_equal(record.resolution, SERIES_HOUR);
    assert_true(series_unstored(series, true, &record));
    assert_int_equal(record.resolution, SERIES_DAY);
    assert_false(series_unstored(series, true, &record));
    series_not_stored(series, SERIES_HOUR, DAY_MS / 1000);
    series_not_stored(series, SERIES_HOUR, 7);
    assert_true(series_unstored(series, true, &record));
    assert_int_equal(record.resolution, SERIES_HOUR);
    assert_false(series_unstored(series, true, &record));
    series_destroy(series);
}

static void after_a_restart_the_present_periods_go_on(void **state)
{
    (void)state;
    struct series *series = create();
    struct rows rows = {0};
    const int64_t now_ms = DAY_MS + 5 * HOUR_MS + 30 * MINUTE_MS;
    struct series_period period;
    struct series_percentiles window[WORK_TYPES];
    for (uint64_t i = 1; i <= 50; i++)
        answer(series, now_ms, WORK_PRECACHE, i);
    series_record_reward(series, now_ms, WORK_PRECACHE, 16);
    take_rows(series, true, &rows);
    series_destroy(series);
    series = reload(&rows, now_ms + 1000);
    for (uint64_t i = 51; i <= 100; i++)
        answer(series, now_ms + 1000, WORK_PRECACHE, i);
    take_rows(series, true, &rows);
    for (int length = SERIES_MINUTES; length <= SERIES_DAYS; length++) {
        series_period(series, (enum series_length)length, 0, &period);
        assert_int_equal(period.counts.answered.of[WORK_PRECACHE], 100);
        assert_int_equal(period.counts.rewarded.of[WORK_PRECACHE], 1);
        assert_int_equal(period.latency.p95_us, 95);
    }
    series_percentiles(series, SERIES_HOURS, window);
    assert_int_equal(window[WORK_PRECACHE].p99_us, 99);
    assert_int_equal(rows.count, 3);
    series_destroy(series);
    free(rows.items);
}

static void rows_that_make_no_sense_are_taken_for_what_they_say(void **state)
{
    (void)state;
    struct series *series = create();
    struct series_period period;
    struct series_record record = {
        .resolution = SERIES_HOUR, .start_s = DAY_MS / 1000, .timeouts = 3, .latency_bytes = 5};
    memset(record.latency, 0xff, sizeof record.latency);
    assert_true(series_load(series, DAY_MS, &record)); /* response times that cannot be read */
    record.start_s = DAY_MS / 1000 - 3600;
    record.latency_bytes = 0;
    assert_true(series_load(series, DAY_MS, &record));
    record.start_s = DAY_MS / 1000 - 7201; /* no multiple */
    assert_true(series_load(series, DAY_MS, &record));
    record.start_s = 0; /* too old */
    assert_true(series_load(series, DAY_MS, &record));
    record.resolution = (enum series_resolution)7;
    assert_true(series_load(series, DAY_MS, &record));
    for (int64_t i = 0; i < 500; i++) { /* more than is kept, from the future */
        record.resolution = SERIES_MINUTE;
        record.start_s = DAY_MS / 1000 + i * 60;
        assert_true(series_load(series, DAY_MS, &record));
    }
    series_advance(series, DAY_MS);
    series_period(series, SERIES_HOURS, 0, &period);
    assert_int_equal(period.counts.timeouts, 3);
    assert_int_equal(period.latency.p50_us, 0);
    series_period(series, SERIES_HOURS, 1, &period);
    assert_int_equal(period.counts.timeouts, 3);
    assert_int_equal(total(series, SERIES_HOURS, 72), 6);
    assert_int_equal(total(series, SERIES_MINUTES, 120), 3);
    series_destroy(series);
}

static void many_different_times_fit_into_a_row(void **state)
{
    (void)state;
    struct series *series = create();
    struct rows rows = {0};
    struct series_period period;
    struct series_period reloaded;
    struct random random;
    random_seed(&random, 31);
    for (int i = 0; i < 100000; i++)
        answer(series, DAY_MS, i % 2 == 0 ? WORK_PRECACHE : WORK_ONDEMAND,
               (uint64_t)(random_unit(&random) * random_unit(&random) * 3e7));
    take_rows(series, true, &rows);
    struct series *same = reload(&rows, DAY_MS);
    series_period(series, SERIES_DAYS, 0, &period);
    series_period(same, SERIES_DAYS, 0, &reloaded);
    assert_int_equal(reloaded.counts.answered.of[WORK_ONDEMAND], 50000);
    assert_in_range(reloaded.latency.p95_us, period.latency.p95_us * 97 / 100,
                    period.latency.p95_us * 103 / 100);
    series_destroy(series);
    series_destroy(same);
    free(rows.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_counts_in_the_present_period),
        cmocka_unit_test(periods_begin_at_the_boundaries_of_utc),
        cmocka_unit_test(a_day_of_minutes_adds_up),
        cmocka_unit_test(a_clock_that_jumps_loses_and_doubles_nothing),
        cmocka_unit_test(years_of_jumps_do_no_harm),
        cmocka_unit_test(percentiles_are_those_of_the_period_and_of_the_window),
        cmocka_unit_test(ended_periods_are_stored_at_once_and_open_ones_when_asked),
        cmocka_unit_test(after_a_restart_the_present_periods_go_on),
        cmocka_unit_test(rows_that_make_no_sense_are_taken_for_what_they_say),
        cmocka_unit_test(many_different_times_fit_into_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
