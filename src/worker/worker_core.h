/**
 * worker_core: what a worker does about each message and each end of a search, without I/O.
 *
 * Events come in with the time; what must be done comes out as a list of actions, to be carried out
 * in order before the next event. One thread uses a core.
 *
 * A root is held at most once: it waits, or it is searched. Of each type at most one root is
 * searched at a time, on-demand before precache; among the waiting ones of a type the choice is
 * random, so that many workers do not chase the same (dpow.md 8.4). A cancel removes what waits and
 * stops what is searched; a result found at that very moment is not sent.
 */
#ifndef DPOW_WORKER_WORKER_CORE_H
#define DPOW_WORKER_WORKER_CORE_H

#include "base/error.h"
#include "nano/message.h"

enum {
    WORKER_HELD_MAX = 4096,  /**< Roots held at most; the oldest precache makes room first. */
    WORKER_RESULTS_MAX = 16, /**< Results remembered, to be sent again after a loss. */
    WORKER_ACTIONS_MAX = WORKER_RESULTS_MAX + 8,
};

/** Times after which something is done without a message (dpow.md 8.2, 8.5). */
enum {
    WORKER_GREETING_US = 2000000, /**< No heartbeat so long after connecting: say so. */
    WORKER_SILENCE_US = 10000000, /**< No heartbeat for so long: say so. */
    WORKER_FORGET_US = 60000000,  /**< No heartbeat for so long: what waits is dropped. */
    WORKER_RESULT_US = 30000000,  /**< A result older than this is not sent again. */
};

enum worker_action_kind {
    WORKER_SEARCH,      /**< Start a search. Its end is told by worker_core_ended(). */
    WORKER_STOP,        /**< Stop the search of that type; its end is still to be told. */
    WORKER_PUBLISH,     /**< Send a result. */
    WORKER_SAY_SILENT,  /**< Tell the user that the hub gives no sign of life. */
    WORKER_SAY_BACK,    /**< … and that it does again. */
    WORKER_SAY_DROPPED, /**< … and that what waited was dropped. */
};

/** One thing to do. */
struct worker_action {
    enum worker_action_kind kind;
    enum work_type type;
    struct root root;
    uint64_t threshold; /**< SEARCH. */
    uint64_t nonce;     /**< PUBLISH. */
    uint64_t seconds;   /**< SAY_…: since the last heartbeat. */
    size_t count;       /**< SAY_DROPPED: how many. */
};

/** The actions of the last event; owned by the core, overwritten by the next event. */
struct worker_actions {
    const struct worker_action *items;
    size_t count;
};

/** Counters since the start, and what is held now. */
struct worker_core_stats {
    uint64_t received;  /**< Work messages taken. */
    uint64_t cancelled; /**< Roots given up because of a cancel. */
    uint64_t solved;    /**< Results found in time. */
    uint64_t rewarded;  /**< Rewards heard of. */
    size_t waiting;
    size_t searching;
};

struct worker_core;

/** @param seed of the random choices
 *  @return owned by the caller, or NULL with ERROR_MEMORY */
struct worker_core *worker_core_create(uint64_t seed, struct error *error);
void worker_core_destroy(struct worker_core *core);

struct worker_actions worker_core_actions(const struct worker_core *core);

/** When worker_core_timer() is due; UINT64_MAX if never. */
uint64_t worker_core_next_timer(const struct worker_core *core);

void worker_core_stats(const struct worker_core *core, struct worker_core_stats *stats);

/** What is being searched for a type, or NULL; for showing. */
const struct root *worker_core_searching(const struct worker_core *core, enum work_type type);

/** The broker has accepted the connection. */
void worker_core_connected(struct worker_core *core, uint64_t now_us);

/** The connection is lost; searches go on. */
void worker_core_disconnected(struct worker_core *core, uint64_t now_us);

void worker_core_heartbeat(struct worker_core *core, uint64_t now_us);

/** A root is asked for. Asked for already: only a higher threshold changes anything, and on-demand
 *  for what was precache. */
void worker_core_work(struct worker_core *core, uint64_t now_us, const struct root *root,
                      uint64_t threshold, enum work_type type);

/** A root is not wanted any more; a result of it that may not have arrived is not sent again. */
void worker_core_cancel(struct worker_core *core, uint64_t now_us, const struct root *root);

/** The account was rewarded for a root. */
void worker_core_rewarded(struct worker_core *core, const struct root *root);

/** A search has ended: found, or stopped. */
void worker_core_ended(struct worker_core *core, uint64_t now_us, enum work_type type, bool found,
                       uint64_t nonce);

void worker_core_timer(struct worker_core *core, uint64_t now_us);

#endif
