/**
 * bench: what the measurements share: a clock, and medians over several runs.
 */
#ifndef DPOW_BENCH_BENCH_H
#define DPOW_BENCH_BENCH_H

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline int bench_compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

/** The value below which a share (0 to 1) of the sorted ones lies; sorts them. */
static inline double bench_percentile(double *values, size_t count, double share)
{
    qsort(values, count, sizeof *values, bench_compare);
    const size_t index = (size_t)(share * (double)(count - 1) + 0.5);
    return values[index];
}

#endif
