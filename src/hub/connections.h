/**
 * connections: which connections of workers send invalid results, and when one has sent too many.
 *
 * A connection is known by the label that the broker's plugin gives it (broker/label.h). Only
 * faults are remembered, in a table of fixed size: good connections cost nothing. When it is full,
 * the connection whose first fault is the oldest is forgotten. No I/O; one thread.
 */
#ifndef DPOW_HUB_CONNECTIONS_H
#define DPOW_HUB_CONNECTIONS_H

#include "base/table.h"
#include "broker/label.h"

/** What is too many. */
struct connections_options {
    size_t capacity; /**< Connections with faults, at least 1. */
    unsigned faults; /**< So many within the window are too many; at least 1. */
    uint64_t window_us;
    uint8_t seed[TABLE_SEED_SIZE]; /**< Random: clients choose ids. */
};

/** 20 faults in 60 s, of 4096 connections, with a seed of zeros. */
struct connections_options connections_options_default(void);

struct connections;

/** @return owned by the caller; NULL when out of memory */
struct connections *connections_create(const struct connections_options *options);

/** NULL is ignored. */
void connections_destroy(struct connections *connections);

/**
 * Counts an invalid result. A connection's window begins with its first fault.
 * @param now_us never less than before
 * @return whether it is one too many; the connection is then forgotten, and starts anew
 */
bool connections_fault(struct connections *connections, uint64_t now_us, struct slice label);

/** How many connections have faults that are remembered, after those that have expired by then are
 * forgotten. */
size_t connections_count(struct connections *connections, uint64_t now_us);

#endif
