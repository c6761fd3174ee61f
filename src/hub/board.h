/**
 * board: what the hub shows: it gathers events into series and clients, keeps the series stored,
 * and makes the texts of `GET /api/statistics`, topic `statistics` and `GET /metrics`, at most once
 * a second each. All functions belong to the loop's thread.
 */
#ifndef DPOW_HUB_BOARD_H
#define DPOW_HUB_BOARD_H

#include "hub/block_watch.h"
#include "hub/clients.h"
#include "hub/core.h"
#include "hub/ledger.h"
#include "hub/series.h"
#include "hub/service_api.h"
#include "hub/worker_link.h"

struct board;

/** What the board works with; borrowed for its life. */
struct board_options {
    const struct services *services;
    uint64_t base_difficulty; /**< What multipliers refer to. */
    const struct log *log;
};

/** The hub's parts as they are now: what each text is made of. Those that do not exist (any more)
 *  are NULL. */
struct board_view {
    const struct hub_core *core;
    struct ledger *ledger;
    const struct service_api *api;
    const struct http_server *http;
    const struct worker_link *link;
    const struct block_watch *watch;
    bool stopping;
    bool store_works;
    bool broker_works;
};

/** Creates the board and loads the series; before store_start(). */
struct board *board_create(const struct board_options *options, struct store *store,
                           struct error *error);

/** Frees; the ledger has been stopped before. NULL is ignored. */
void board_destroy(struct board *board);

/** The workers' accounts, which the ledger loads and updates. */
struct clients *board_clients(struct board *board);

/** A request has been answered. */
void board_measure(struct board *board, const struct service_measure *measure);

/** A reward is durable. @param hashes expected to be tried for it */
void board_reward(struct board *board, enum work_type type, uint64_t hashes);

/**
 * To be called each second: ends periods, and hands what is to be stored to the ledger.
 * @return whether the topic `statistics` is due
 */
bool board_second(struct board *board, struct ledger *ledger);

/** Hands everything that is not stored yet to the ledger, which is about to be stopped. */
void board_flush(struct board *board, struct ledger *ledger);

/** The JSON for HTTP, borrowed until the next call; at most a second old. */
struct slice board_statistics(struct board *board, const struct board_view *view);

/** The same JSON for a hub that does not run, from the pool's totals of rewards. */
struct slice board_stopped_statistics(struct board *board, const struct work_counts *rewarded);

/** The JSON for the topic, borrowed until the next call; now it is no longer due. */
struct slice board_topic(struct board *board, const struct board_view *view);

/** The text for Prometheus, borrowed until the next call; at most a second old. */
struct slice board_metrics(struct board *board, const struct board_view *view);

#endif
