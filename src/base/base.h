/**
 * base: what every other folder stands on; it knows nothing of Nano or of delegated work.
 *
 * Start at bytes.h (text from outside is a slice) and error.h (how a function says why it failed).
 * Then, as needed: hex, utf8, u128 and json read and write what comes from outside; table and heap
 * hold what a core keeps, in memory of a size fixed at the start; histogram counts durations; queue
 * carries messages between threads; log, clock and random are how the process sees and tells the
 * world.
 *
 * This folder includes the C library, POSIX threads and libsodium, and no other folder. Cores may
 * use all of it but clock.h, queue.h and thread.h (time and threads stay outside), so these are not
 * below.
 */
#ifndef DPOW_BASE_BASE_H
#define DPOW_BASE_BASE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/hex.h"
#include "base/histogram.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "base/table.h"
#include "base/u128.h"
#include "base/utf8.h"

#endif
