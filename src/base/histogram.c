#include "base/histogram.h"

#include <math.h>

/* 2^8 is the first power of two that is cut, into steps of 2^(8 - 7). */
enum { FIRST_POWER = 8, STEP_BITS = 7 };

static size_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_EXACT)
        return (size_t)value;
    const unsigned power = 63 - (unsigned)__builtin_clzll(value);
    const uint64_t step = (value >> (power - STEP_BITS)) - HISTOGRAM_STEPS;
    return HISTOGRAM_EXACT + (power - FIRST_POWER) * HISTOGRAM_STEPS + (size_t)step;
}

static uint64_t middle_of(size_t bucket)
{
    if (bucket < HISTOGRAM_EXACT)
        return bucket;
    const size_t cut = bucket - HISTOGRAM_EXACT;
    const unsigned shift = (unsigned)(cut / HISTOGRAM_STEPS) + FIRST_POWER - STEP_BITS;
    const uint64_t low = (uint64_t)(HISTOGRAM_STEPS + cut % HISTOGRAM_STEPS) << shift;
    return low + (UINT64_C(1) << shift) / 2;
}

void histogram_record(struct histogram *histogram, uint64_t duration_us)
{
    const uint64_t value = duration_us < HISTOGRAM_MAX_US ? duration_us : HISTOGRAM_MAX_US;
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max_us)
        histogram->max_us = value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += other->buckets[i];
    histogram->count += other->count;
    if (other->max_us > histogram->max_us)
        histogram->max_us = other->max_us;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
    const double rank = ceil(share * (double)histogram->count);
    if (rank >= (double)histogram->count)
        return histogram->max_us;
    const uint64_t wanted = rank > 1 ? (uint64_t)rank : 1;
    uint64_t seen = 0;
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS && (seen += histogram->buckets[bucket]) < wanted)
        bucket++;
    const uint64_t value = middle_of(bucket);
    return value < histogram->max_us ? value : histogram->max_us;
}
