/**
 * board_internal: the board as board.c (events, storing, JSON) and board_metrics.c see it.
 */
#ifndef DPOW_HUB_BOARD_INTERNAL_H
#define DPOW_HUB_BOARD_INTERNAL_H

#include "base/histogram.h"
#include "base/metrics.h"
#include "hub/board.h"
#include "hub/statistics.h"

enum { BOARD_METRICS_SIZE = 32768, BOARD_REFRESH_US = 1000000 };

/** A text that is made anew when it is asked for and a second old. */
struct board_text {
    char *data;
    size_t length;
    uint64_t made_us; /**< Monotonic; 0 for never. */
};

/** Since the start. */
struct board_totals {
    struct histogram waited[WORK_TYPES]; /**< Response times of answered requests. */
    uint64_t waited_us[WORK_TYPES];      /**< Their sums. */
    struct work_counts rewarded;
    uint64_t hashes[WORK_TYPES]; /**< Expected for these rewards. */
};

struct board {
    struct board_options options;
    struct log log;
    struct clients *clients;
    struct series *series;
    struct board_totals totals;
    uint64_t started_us;
    unsigned seconds; /**< Counted by board_second(). */
    unsigned told_s;  /**< When the topic was made last, by `seconds`. */
    bool rewarded;    /**< Since then. */
    size_t storing;   /**< Rows on their way into the store. */
    struct board_text statistics;
    struct board_text topic;
    struct board_text metrics;
};

/* board_metrics.c */
void board_write_metrics(struct metrics *metrics, struct board *board,
                         const struct board_view *view);

#endif
