/**
 * histogram: durations counted in log-linear buckets, so that percentiles of any number of them
 * need a fixed memory and recording needs no allocation.
 *
 * Each power of two is cut into 128 equal buckets, and what is below 256 has a bucket of its own: a
 * bucket is at most 1/128 of its values wide, and its middle, which stands for them, is at most
 * 0.4 % off. Owned by one thread; histograms of several threads are merged by one of them.
 */
#ifndef DPOW_BASE_HISTOGRAM_H
#define DPOW_BASE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_EXACT = 256, /**< Values below have buckets of their own. */
    HISTOGRAM_STEPS = 128, /**< Buckets of each further power of two, from 2^8 to 2^31. */
    HISTOGRAM_BUCKETS = HISTOGRAM_EXACT + 24 * HISTOGRAM_STEPS,
    HISTOGRAM_PACKED_MIN = 32, /**< Into so many bytes every histogram can be packed. */
};

/** Longer durations are counted as one hour. */
#define HISTOGRAM_MAX_US UINT64_C(3600000000)

/** Empty when zeroed. 26 KiB. */
struct histogram {
    uint64_t count;  /**< Of all values. */
    uint64_t max_us; /**< The greatest, exactly, but for the hour's limit. */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/** Counts one duration. */
void histogram_record(struct histogram *histogram, uint64_t duration_us);

/** Adds all that another one has counted. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/**
 * The duration that a share of the values does not exceed.
 * @param share from 0, for the smallest value, to 1, for the greatest
 * @return microseconds, within 0.4 % (exact below 256 and for share 1); 0 if nothing was counted
 */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

/**
 * How many values do not exceed a limit.
 * @return exact for limits below 256; otherwise values up to 0.8 % greater may be among them
 */
uint64_t histogram_count_up_to(const struct histogram *histogram, uint64_t limit_us);

/**
 * Packs a histogram for keeping: a format byte, how often pairs of neighbouring buckets were
 * merged, count, greatest value, then distance and count of each bucket that is not empty. Buckets
 * are merged until the whole fits; count and greatest value are always kept.
 * @param bytes where it goes
 * @return how many bytes were written; 0 if size is below HISTOGRAM_PACKED_MIN
 */
size_t histogram_pack(const struct histogram *histogram, uint8_t *bytes, size_t size);

/**
 * Reads what histogram_pack() wrote. What was counted in merged buckets is put into the middle one.
 * @param histogram overwritten; empty if false is returned
 * @return false if the bytes are not a packed histogram to the last byte
 */
bool histogram_unpack(struct histogram *histogram, const uint8_t *bytes, size_t length);

#endif
