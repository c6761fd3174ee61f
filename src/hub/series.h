/**
 * series: what happened in each second, minute, hour and day (UTC), and how long answers took.
 *
 * Every event counts in the present period of each resolution. Periods of minutes, hours and days
 * outlive the process: series_unstored() says what has changed since it was stored last, and rows
 * are loaded at the start, so that the present hour goes on where it was. Of the many response
 * times of a period two packed histograms are kept, by type, and their percentiles.
 *
 * A period is known by its start. When the clock is set back, events count in the earlier period
 * again, which goes on where it was; when it is set forward, what lies between stays empty. Of each
 * resolution so many periods are kept; when there is one more, the one farthest from the present is
 * forgotten. (A clock that is set back by more than what is kept finds no earlier state: the row
 * that is stored then replaces the old one.)
 *
 * One thread uses a series. No I/O; the time is a parameter, milliseconds of the wall clock.
 */
#ifndef DPOW_HUB_SERIES_H
#define DPOW_HUB_SERIES_H

#include "base/error.h"
#include "base/histogram.h"
#include "store/records.h"

/** How the lengths of periods are numbered. */
enum series_length {
    SERIES_SECONDS, /**< 600 are kept, in memory only, without response times. */
    SERIES_MINUTES, /**< 120. */
    SERIES_HOURS,   /**< 72. */
    SERIES_DAYS,    /**< 400. */
    SERIES_LENGTHS,
};

/** How a request ended. */
enum series_outcome { SERIES_ANSWERED, SERIES_TIMEOUT, SERIES_REFUSED };

/** A request that has ended. */
struct series_request {
    enum series_outcome outcome;
    enum work_type type; /**< ANSWERED only. */
    double multiplier;   /**< ANSWERED only: what it asked for, against the base. */
    uint64_t waited_us;  /**< ANSWERED only. */
};

/** Percentiles of response times, microseconds; zeros if there were none. */
struct series_percentiles {
    uint64_t p50_us;
    uint64_t p95_us;
    uint64_t p99_us;
};

/** What is counted in one period, or the sum over several. */
struct series_counts {
    struct work_counts answered; /**< By how the answer counts. */
    struct work_counts rewarded; /**< Durable rewards. */
    uint64_t hashes;             /**< Expected for these rewards; not kept over restarts. */
    uint64_t timeouts;
    uint64_t refused;      /**< Requests told anything else. */
    double multiplier_sum; /**< Over the requests that were answered. */
};

/** One period. */
struct series_period {
    int64_t start_s; /**< Seconds since 1970, a multiple of its length. */
    struct series_counts counts;
    struct series_percentiles latency; /**< Of all types together. */
};

struct series;

/** @return owned by the caller, or NULL with ERROR_MEMORY */
struct series *series_create(struct error *error);
void series_destroy(struct series *series);

/** Seconds in a period. */
int64_t series_seconds(enum series_length length);

/** From which moment on (seconds since 1970) stored rows are worth loading. */
int64_t series_load_from(enum series_length length, int64_t now_ms);

/**
 * Start: a stored row, rows in any order. Response times that cannot be read are left out.
 * @return false when memory is short; the row is then not known
 */
bool series_load(struct series *series, int64_t now_ms, const struct series_record *record);

/** A request has ended. */
void series_record_request(struct series *series, int64_t now_ms,
                           const struct series_request *request);

/** A reward is durable. @param hashes expected to be tried for it */
void series_record_reward(struct series *series, int64_t now_ms, enum work_type type,
                          uint64_t hashes);

/** Makes the periods of a moment the present ones. To be called before those below, and at least
 * once a second, for periods are stored when they end. */
void series_advance(struct series *series, int64_t now_ms);

/**
 * The next period of a resolution that has changed since it was taken last.
 * @param open whether present periods count too, or only those that have ended
 * @param record filled; owes nothing to the series afterwards
 * @return false if there is none
 */
bool series_unstored(struct series *series, bool open, struct series_record *record);

/** A period that was taken could not be stored: it counts as changed again. */
void series_not_stored(struct series *series, enum series_resolution resolution, int64_t start_s);

/**
 * A period, counted back from the present one.
 * @param back 0 for the present one
 * @param period empty, with its start, if nothing is known of it
 */
void series_period(struct series *series, enum series_length length, int64_t back,
                   struct series_period *period);

/** The sum over the present period and those before it, `periods` in all, after leaving out the
 * last `skip`. */
void series_sum(const struct series *series, enum series_length length, int64_t skip,
                int64_t periods, struct series_counts *counts);

/** The percentiles by type over the present period and those before it: minutes 60, hours 24. */
void series_percentiles(struct series *series, enum series_length length,
                        struct series_percentiles percentiles[WORK_TYPES]);

#endif
