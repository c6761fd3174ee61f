/**
 * metrics: counters and gauges as Prometheus reads them (its text format 0.0.4), written into a
 * caller's buffer.
 */
#ifndef DPOW_BASE_METRICS_H
#define DPOW_BASE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The type a scraper should answer with. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** A text being written; what does not fit sets `overflow` and is left out, whole lines only. */
struct metrics {
    char *data;
    size_t size;
    size_t length;
    bool overflow;
};

void metrics_init(struct metrics *metrics, char *data, size_t size);

/** Says what the samples that follow are. @param type "counter" or "gauge" */
void metrics_describe(struct metrics *metrics, const char *name, const char *type,
                      const char *help);

/**
 * Writes a sample.
 * @param labels as `kind="cpu",device="cpu:2"`, literals or texts without quotes and backslashes;
 *        NULL for none
 */
void metrics_sample(struct metrics *metrics, const char *name, const char *labels, double value);

/** The same of a whole number, exact up to 2^64 - 1. */
void metrics_sample_u64(struct metrics *metrics, const char *name, const char *labels,
                        uint64_t value);

#endif
