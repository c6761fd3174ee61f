/* How a budget is divided: rounding, the edges of 128 bits, what is left out. */
#include "test.h"

#include "base/random.h"
#include "hub/payout_share.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHARES_MAX = 64 };

static u128 number(const char *text)
{
    u128 value;
    if (!u128_parse(slice_of(text), &value))
        fail_msg("%s is no number", text);
    return value;
}

#define ALL_BITS "340282366920938463463374607431768211455"

struct example {
    const char *budget;
    const char *minimum;
    const char *weights[6]; /* Of accounts 1, 2… */
    const char *amounts[6]; /* Likewise. */
};

static const struct example examples[] = {
    /* One account gets all of it, to the last raw. */
    {"1", "0", {"1"}, {"1"}},
    {ALL_BITS, "0", {"1"}, {ALL_BITS}},
    {ALL_BITS, ALL_BITS, {"50"}, {ALL_BITS}},
    {ALL_BITS, "0", {ALL_BITS}, {ALL_BITS}},
    /* Nobody did anything, or there is nothing to pay. */
    {"100", "0", {NULL}, {NULL}},
    {"100", "0", {"0", "0"}, {"0", "0"}},
    {"0", "0", {"5", "7"}, {"0", "0"}},
    {"100", "0", {"0", "7"}, {"0", "100"}},
    /* What is left over goes to the largest remainders, among equals to the smaller account. */
    {"100", "0", {"1", "1", "1"}, {"34", "33", "33"}},
    {"10", "0", {"3", "3", "1"}, {"4", "4", "2"}},
    {"11", "0", {"5", "3", "2"}, {"6", "3", "2"}},
    {ALL_BITS,
     "0",
     {"1", "1"},
     {"170141183460469231731687303715884105728", "170141183460469231731687303715884105727"}},
    /* Weights of all the bits there are. */
    {ALL_BITS,
     "0",
     {"340282366920938463463374607431768211454", "1"},
     {"340282366920938463463374607431768211454", "1"}},
    {"340282366920938463463374607431768211454",
     "0",
     {"340282366920938463463374607431768211453", "2"},
     {"340282366920938463463374607431768211452", "2"}},
    /* The smallest are left out one after the other; that may lift the others. */
    {"100", "10", {"90", "9", "1"}, {"100", "0", "0"}},
    {"100", "20", {"60", "18", "16", "6"}, {"77", "23", "0", "0"}},
    {"100", "34", {"1", "1", "1"}, {"0", "0", "0"}},
    {"100", "101", {"7", "8"}, {"0", "0"}},
    {"3", "0", {"1", "1", "1", "1"}, {"0", "0", "0", "0"}},
    {"3", "0", {"2", "2", "2", "1"}, {"1", "1", "1", "0"}},
};

static size_t fill(const struct example *example, struct payout_share shares[SHARES_MAX])
{
    size_t count = 0;
    memset(shares, 0, SHARES_MAX * sizeof *shares);
    for (; count < COUNT(example->weights) && example->weights[count] != NULL; count++) {
        shares[count].account.key[0] = (uint8_t)(count + 1);
        shares[count].weight = number(example->weights[count]);
    }
    return count;
}

static void amounts_are_exact(void **state)
{
    struct payout_share shares[SHARES_MAX];
    char text[U128_DECIMAL_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++) {
        const struct example *example = &examples[i];
        const size_t count = fill(example, shares);
        const long paid =
            payout_share_divide(number(example->budget), number(example->minimum), shares, count);
        assert_true(paid >= 0);
        for (size_t k = 0; k < count; k++) {
            u128_format(shares[k].amount, text);
            if (strcmp(text, example->amounts[shares[k].account.key[0] - 1]) != 0)
                fail_msg("example %zu: account %d gets %s", i, shares[k].account.key[0], text);
            assert_int_equal(shares[k].amount > 0, k < (size_t)paid);
        }
    }
}

static void weights_beyond_128_bits_are_refused(void **state)
{
    struct payout_share shares[2] = {{.weight = number(ALL_BITS)}, {.weight = 1}};
    (void)state;
    assert_int_equal(payout_share_divide(1, 0, shares, 2), -1);
}

static u128 random_bits(struct random *random)
{
    const u128 bits = (u128)random_next(random) << 64 | random_next(random);
    return bits >> random_below(random, 128);
}

static int by_account(const void *left, const void *right)
{
    const struct payout_share *a = left;
    const struct payout_share *b = right;
    return memcmp(a->account.key, b->account.key, sizeof a->account.key);
}

static size_t random_shares(struct random *random, struct payout_share shares[SHARES_MAX])
{
    const size_t count = 1 + random_below(random, SHARES_MAX);
    memset(shares, 0, SHARES_MAX * sizeof *shares);
    for (size_t i = 0; i < count; i++) {
        shares[i].account.key[0] = (uint8_t)i;
        shares[i].weight =
            random_below(random, 4) == 0 ? random_below(random, 4) : random_bits(random) >> 7;
    }
    return count;
}

static void shuffle(struct random *random, struct payout_share *shares, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const size_t other = random_below(random, i);
        const struct payout_share kept = shares[i - 1];
        shares[i - 1] = shares[other];
        shares[other] = kept;
    }
}

/* A budget is paid to the last raw or not at all; whoever did more gets no less; nobody gets less
 * than the minimum. */
static void check_division(u128 budget, u128 minimum, const struct payout_share *shares,
                           size_t count, size_t paid)
{
    u128 sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(u128_add(sum, shares[i].amount, &sum));
        assert_true((i < paid) == (shares[i].amount > 0));
        assert_true(i >= paid || shares[i].amount >= minimum);
        assert_true(i == 0 || shares[i].weight <= shares[i - 1].weight);
        assert_true(i == 0 || shares[i].amount <= shares[i - 1].amount + 1);
        assert_true(i == 0 || shares[i].weight == shares[i - 1].weight ||
                    shares[i].amount <= shares[i - 1].amount);
        if (i > 0 && i < paid && shares[i].weight == shares[i - 1].weight)
            assert_true(shares[i - 1].amount - shares[i].amount <= 1);
    }
    assert_true(sum == (paid > 0 ? budget : 0));
}

static void any_budget_is_paid_exactly_in_whatever_order(void **state)
{
    struct payout_share first[SHARES_MAX];
    struct payout_share second[SHARES_MAX];
    struct random random;
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        random_seed(&random, seed);
        const size_t count = random_shares(&random, first);
        const u128 budget = random_bits(&random);
        const u128 minimum = random_below(&random, 2) == 0 ? 0 : random_bits(&random) >> 8;
        memcpy(second, first, sizeof second);
        shuffle(&random, second, count);
        const long paid = payout_share_divide(budget, minimum, first, count);
        assert_true(paid >= 0);
        check_division(budget, minimum, first, count, (size_t)paid);
        assert_int_equal(payout_share_divide(budget, minimum, second, count), paid);
        qsort(first, count, sizeof *first, by_account);
        qsort(second, count, sizeof *second, by_account);
        for (size_t i = 0; i < count; i++)
            if (first[i].amount != second[i].amount)
                fail_msg("seed %d: the order matters", (int)seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_exact),
        cmocka_unit_test(weights_beyond_128_bits_are_refused),
        cmocka_unit_test(any_budget_is_paid_exactly_in_whatever_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
