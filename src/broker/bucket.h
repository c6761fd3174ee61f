/**
 * bucket: a token bucket: so much at once, so much a second in the long run. No I/O.
 */
#ifndef DPOW_BROKER_BUCKET_H
#define DPOW_BROKER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/** How much may pass. */
struct bucket_limit {
    double per_second;
    double burst; /**< At least 1. */
};

/** All zeros is a bucket that was full at time 0. */
struct bucket {
    double used; /**< Tokens taken and not yet refilled, 0 to the burst. */
    uint64_t then_us;
};

/** Lets time pass. @param now_us never less than before; from any start */
static inline void bucket_refill(struct bucket *bucket, const struct bucket_limit *limit,
                                 uint64_t now_us)
{
    const double refilled = (double)(now_us - bucket->then_us) * 1e-6 * limit->per_second;
    bucket->used = bucket->used > refilled ? bucket->used - refilled : 0;
    bucket->then_us = now_us;
}

/** Takes a token. @return false, and nothing is taken, if there is none */
static inline bool bucket_take(struct bucket *bucket, const struct bucket_limit *limit,
                               uint64_t now_us)
{
    bucket_refill(bucket, limit, now_us);
    if (bucket->used + 1 > limit->burst)
        return false;
    bucket->used += 1;
    return true;
}

#endif
