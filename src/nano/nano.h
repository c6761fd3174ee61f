/**
 * nano: the facts of the Nano network that delegated work rests on, as functions without state.
 *
 * Start at work.h (what a root, a nonce and a valid work are) and difficulty.h (thresholds,
 * multipliers, the networks' minimums). account.h and amount.h read and write what people see;
 * message.h what hub and workers say to each other; blake2b.h is the hash under all of it.
 *
 * This folder includes `base` only and does no I/O, so every core may use all of it. What is
 * computed here is checked against the files of tests/vectors.
 */
#ifndef DPOW_NANO_NANO_H
#define DPOW_NANO_NANO_H

#include "nano/account.h"
#include "nano/amount.h"
#include "nano/blake2b.h"
#include "nano/difficulty.h"
#include "nano/message.h"
#include "nano/work.h"

#endif
