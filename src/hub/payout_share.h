/**
 * payout_share: how a budget is divided in proportion to what was done (dpow.md 10.3). Exact, and
 * independent of the order of the shares. No I/O; the caller's thread.
 */
#ifndef DPOW_HUB_PAYOUT_SHARE_H
#define DPOW_HUB_PAYOUT_SHARE_H

#include "base/u128.h"
#include "nano/account.h"

/** One account's part of a budget. */
struct payout_share {
    struct account account; /**< No two are equal: it decides between equal remainders. */
    u128 weight;            /**< What it did: works or hashes; 0 gets nothing. */
    u128 amount;            /**< Out: raw; 0 is left out. */
};

/**
 * Divides a budget. Every share gets the whole part of budget × weight ÷ sum of weights; what is
 * left over, less than one raw a share, goes by one raw each to the largest remainders, among equal
 * ones to the smaller account. A share that would get less than the minimum before that, or
 * nothing, is left out, the smallest first and equal ones together, and what it would have got is
 * divided among the others, so that some of them may reach the minimum by that.
 *
 * The amounts add up to the budget exactly, or to 0 if all are left out.
 * @param budget raw
 * @param minimum raw
 * @param shares reordered: by weight, the largest first
 * @return how many shares are paid: they are the first; -1 if the weights add up to more than
 *         2^128 - 1, or memory is short
 */
long payout_share_divide(u128 budget, u128 minimum, struct payout_share *shares, size_t count);

#endif
