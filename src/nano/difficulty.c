#include "nano/difficulty.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct network networks[] = {
    {"live", 0xffffffc000000000, 0xfffffff800000000, 0xfffffe0000000000},
    {"beta", 0xfffff00000000000, 0xfffff00000000000, 0xffffe00000000000},
    {"dev", 0xfe00000000000000, 0xffc0000000000000, 0xf000000000000000},
    {"test", 0xffffffc000000000, 0xfffffff800000000, 0xfffffe0000000000},
};

const struct network *network_find(const char *name)
{
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
        if (strcmp(networks[i].name, name) == 0)
            return &networks[i];
    return NULL;
}

/* 2^64 - difficulty, which is 2^64 itself for 0 and so does not fit 64 bits. */
static double complement(uint64_t difficulty)
{
    return difficulty == 0 ? 0x1p64 : (double)(0 - difficulty);
}

bool difficulty_from_multiplier(double multiplier, uint64_t base, uint64_t *threshold)
{
    if (!isfinite(multiplier) || multiplier <= 0)
        return false;
    const double quotient = trunc(complement(base) / multiplier);
    if (quotient < 1 || quotient >= 0x1p64)
        return false;
    *threshold = 0 - (uint64_t)quotient;
    return true;
}

uint64_t difficulty_from_multiplier_saturating(double multiplier, uint64_t base)
{
    /* The node keeps 2^64 - base in 64 bits, where base 0 gives 0 (nano.md 3). */
    const double quotient = trunc((double)(0 - base) / multiplier);
    if (quotient >= 0x1p64)
        return 0;
    if (quotient < 1)
        return base == 0 || multiplier < 1 ? 0 : UINT64_MAX;
    return 0 - (uint64_t)quotient;
}

double difficulty_to_multiplier(uint64_t difficulty, uint64_t base)
{
    return complement(base) / complement(difficulty);
}

double difficulty_expected_hashes(uint64_t threshold)
{
    return 0x1p64 / complement(threshold);
}

uint64_t difficulty_whole_hashes(uint64_t threshold)
{
    const uint64_t most = (uint64_t)1 << 53;
    if (threshold == 0)
        return 1;
    /* 2^64 - 1 instead of 2^64 over d differs only where d divides 2^64. */
    const uint64_t range = 0 - threshold;
    if (range <= UINT64_MAX / most)
        return most;
    const uint64_t hashes = UINT64_MAX / range + (UINT64_MAX % range == range - 1 ? 1 : 0);
    return hashes;
}

double difficulty_normalize(double multiplier, uint64_t threshold, uint64_t base)
{
    const double ratio = difficulty_to_multiplier(base, threshold);
    return (multiplier + ratio - 1) / ratio;
}

double difficulty_denormalize(double normalized, uint64_t threshold, uint64_t base)
{
    const double ratio = difficulty_to_multiplier(base, threshold);
    return normalized * ratio + 1 - ratio;
}

void multiplier_format_node(double multiplier, char *text, size_t size)
{
    (void)snprintf(text, size, "%.15f", multiplier);
}

void multiplier_format_shortest(double multiplier, char *text, size_t size)
{
    enum { DIGITS_MAX = 17 };
    char scientific[40];
    for (int digits = 0; digits < DIGITS_MAX; digits++) {
        (void)snprintf(scientific, sizeof scientific, "%.*e", digits, multiplier);
        if (strtod(scientific, NULL) == multiplier)
            break;
    }
    /* As many digits behind the point as the shortest scientific text has, moved by its exponent.
     */
    const char *exponent = strchr(scientific, 'e');
    const long digits = exponent - scientific > 2 ? exponent - scientific - 2 : 0;
    const long behind = digits - strtol(exponent + 1, NULL, 10);
    (void)snprintf(text, size, "%.*f", behind > 0 ? (int)behind : 0, multiplier);
}
