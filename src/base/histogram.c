#include "base/histogram.h"

#include <math.h>
#include <string.h>

/* 2^8 is the first power of two that is cut, into steps of 2^(8 - 7). */
enum { FIRST_POWER = 8, STEP_BITS = 7 };

/* Merged in pairs so often, all buckets are one. */
enum { PACKED_FORMAT = 1, MERGES_MAX = 12, VARINT_MAX = 10 };

_Static_assert(HISTOGRAM_BUCKETS <= 1 << MERGES_MAX, "one bucket is left after all merges");
_Static_assert(HISTOGRAM_PACKED_MIN >= 1 + 1 + VARINT_MAX + 5 + 1 + VARINT_MAX,
               "format, merges, count, greatest value (below 2^35), and one bucket");

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

uint64_t histogram_count_up_to(const struct histogram *histogram, uint64_t limit_us)
{
    const size_t last = bucket_of(limit_us < HISTOGRAM_MAX_US ? limit_us : HISTOGRAM_MAX_US);
    uint64_t count = 0;
    for (size_t i = 0; i <= last; i++)
        count += histogram->buckets[i];
    return count;
}

/* Bytes being written or read; `good` is lost with the first that is missing or wrong. */
struct packing {
    uint8_t *out;
    const uint8_t *in;
    size_t length;
    size_t place;
    bool good;
};

/* Seven bits a byte, the lowest first; the eighth says that more follow. */
static void put_number(struct packing *packing, uint64_t number)
{
    do {
        if (packing->place == packing->length) {
            packing->good = false;
            return;
        }
        const uint8_t more = number > 0x7f ? 0x80 : 0;
        packing->out[packing->place++] = (uint8_t)((number & 0x7f) | more);
        number >>= 7;
    } while (number > 0);
}

static uint64_t get_number(struct packing *packing)
{
    uint64_t number = 0;
    for (unsigned shift = 0; packing->place < packing->length && shift < 64; shift += 7) {
        const uint8_t byte = packing->in[packing->place++];
        const uint64_t bits = byte & 0x7f;
        if (bits << shift >> shift != bits)
            break;
        number |= bits << shift;
        if (byte < 0x80)
            return number;
    }
    packing->good = false;
    return 0;
}

static void put_buckets(struct packing *packing, const struct histogram *histogram, unsigned merges)
{
    size_t next = 0;
    for (size_t first = 0; first < HISTOGRAM_BUCKETS && packing->good;
         first += (size_t)1 << merges) {
        const size_t end = first + ((size_t)1 << merges);
        uint64_t count = 0;
        for (size_t i = first; i < end && i < HISTOGRAM_BUCKETS; i++)
            count += histogram->buckets[i];
        if (count == 0)
            continue;
        put_number(packing, (first >> merges) - next);
        put_number(packing, count);
        next = (first >> merges) + 1;
    }
}

size_t histogram_pack(const struct histogram *histogram, uint8_t *bytes, size_t size)
{
    if (size < HISTOGRAM_PACKED_MIN)
        return 0;
    for (unsigned merges = 0; merges <= MERGES_MAX; merges++) {
        struct packing packing = {.length = size, .good = true};
        packing.out = bytes;
        put_number(&packing, PACKED_FORMAT);
        put_number(&packing, merges);
        put_number(&packing, histogram->count);
        put_number(&packing, histogram->max_us);
        put_buckets(&packing, histogram, merges);
        if (packing.good)
            return packing.place;
    }
    return 0;
}

/* The middle of merged buckets; not above the greatest value's own. */
static size_t representative(size_t merged, unsigned merges, size_t last)
{
    const size_t middle = (merged << merges) + (((size_t)1 << merges) >> 1);
    return middle < last ? middle : last;
}

static void get_buckets(struct packing *packing, struct histogram *histogram, unsigned merges)
{
    const size_t last = bucket_of(histogram->max_us);
    uint64_t left = histogram->count;
    size_t next = 0;
    while (left > 0 && packing->good) {
        const uint64_t distance = get_number(packing);
        const uint64_t count = get_number(packing);
        if (count == 0 || count > left || distance > (last >> merges) ||
            next + distance > (last >> merges)) {
            packing->good = false;
            return;
        }
        next += (size_t)distance;
        histogram->buckets[representative(next, merges, last)] += count;
        left -= count;
        next++;
    }
}

bool histogram_unpack(struct histogram *histogram, const uint8_t *bytes, size_t length)
{
    struct packing packing = {.in = bytes, .length = length, .good = true};
    memset(histogram, 0, sizeof *histogram);
    const uint64_t format = get_number(&packing);
    const uint64_t merges = get_number(&packing);
    histogram->count = get_number(&packing);
    histogram->max_us = get_number(&packing);
    packing.good = packing.good && format == PACKED_FORMAT && merges <= MERGES_MAX &&
                   histogram->max_us <= HISTOGRAM_MAX_US &&
                   (histogram->count > 0 || histogram->max_us == 0);
    if (packing.good)
        get_buckets(&packing, histogram, (unsigned)merges);
    if (packing.good && packing.place == length)
        return true;
    memset(histogram, 0, sizeof *histogram);
    return false;
}
