#include "hub/payout_share.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A quotient and what is left. */
struct division {
    u128 quotient;
    u128 remainder;
};

/* A share's claim on one of the raw that are left over. */
struct claim {
    u128 remainder;
    struct payout_share *share;
};

/* The 256 bits of a product. */
static void multiply(u128 a, u128 b, u128 *high, u128 *low)
{
    const u128 mask = UINT64_MAX;
    const u128 low_low = (a & mask) * (b & mask);
    const u128 low_high = (a & mask) * (b >> 64);
    const u128 high_low = (a >> 64) * (b & mask);
    const u128 middle = (low_low >> 64) + (low_high & mask) + (high_low & mask);
    *low = (middle << 64) | (low_low & mask);
    *high = (a >> 64) * (b >> 64) + (low_high >> 64) + (high_low >> 64) + (middle >> 64);
}

/* value × numerator ÷ denominator, for a numerator that is not larger: the quotient then
 * fits. */
static struct division scale(u128 value, u128 numerator, u128 denominator)
{
    struct division division = {value, 0};
    u128 high;
    u128 low;
    assert(denominator != 0 && numerator <= denominator);
    if (numerator == denominator)
        return division;
    multiply(value, numerator, &high, &low);
    if (high == 0)
        return (struct division){low / denominator, low % denominator};
    division = (struct division){0, high};
    for (int bit = 127; bit >= 0; bit--) {
        const bool carry = division.remainder >> 127 != 0;
        division.remainder = division.remainder << 1 | (low >> bit & 1);
        division.quotient <<= 1;
        if (carry || division.remainder >= denominator) {
            division.remainder -= denominator;
            division.quotient |= 1;
        }
    }
    return division;
}

static int compare_numbers(u128 a, u128 b)
{
    return a > b ? -1 : a < b ? 1 : 0;
}

static int compare_shares(const void *left, const void *right)
{
    const struct payout_share *a = left;
    const struct payout_share *b = right;
    const int order = compare_numbers(a->weight, b->weight);
    return order != 0 ? order : memcmp(a->account.key, b->account.key, sizeof a->account.key);
}

static int compare_claims(const void *left, const void *right)
{
    const struct claim *a = left;
    const struct claim *b = right;
    const int order = compare_numbers(a->remainder, b->remainder);
    return order != 0
               ? order
               : memcmp(a->share->account.key, b->share->account.key, sizeof a->share->account.key);
}

/* How many of the sorted shares are paid; the sum becomes that of their weights. */
static size_t leave_out(u128 budget, u128 minimum, const struct payout_share *shares, size_t count,
                        u128 *sum)
{
    while (count > 0) {
        const u128 smallest = shares[count - 1].weight;
        if (smallest > 0 && scale(budget, smallest, *sum).quotient >= minimum)
            break;
        while (count > 0 && shares[count - 1].weight == smallest) {
            *sum -= smallest;
            count--;
        }
    }
    return count;
}

long payout_share_divide(u128 budget, u128 minimum, struct payout_share *shares, size_t count)
{
    u128 sum = 0;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        shares[i].amount = 0;
        if (!u128_add(sum, shares[i].weight, &sum))
            return -1;
    }
    qsort(shares, count, sizeof *shares, compare_shares);
    const size_t paid = leave_out(budget, minimum > 0 ? minimum : 1, shares, count, &sum);
    struct claim *claims = calloc(paid + 1, sizeof *claims);
    if (claims == NULL)
        return -1;
    u128 left = paid > 0 ? budget : 0;
    for (size_t i = 0; i < paid; i++) {
        const struct division division = scale(budget, shares[i].weight, sum);
        shares[i].amount = division.quotient;
        left -= division.quotient;
        claims[i] = (struct claim){division.remainder, &shares[i]};
    }
    qsort(claims, paid, sizeof *claims, compare_claims);
    for (size_t i = 0; i < paid && left > 0; i++, left--)
        claims[i].share->amount++;
    free(claims);
    return (long)paid;
}
