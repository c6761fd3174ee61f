/**
 * queue_core: the life of every request in the work server, without I/O (work-server.md 1.6).
 *
 * Events come in by the functions below with the time; what must happen comes out as a list of
 * actions, which the caller carries out, in order, before the next event. The core has no clock, no
 * socket, no thread and no randomness but its seed. One thread uses a core.
 *
 * An *entry* is one root, *waiters* are the requests for it, each with a threshold of its own:
 *
 *     (none) ──request──► WAITING ──a place is free──► RUNNING ──every waiter served──► (none)
 *                            └────── last waiter left, cancel ──────┘
 *
 * A search has no memory: what is tried for a low threshold is as good for a high one. So the
 * lowest threshold of an entry's waiters is searched; a find answers all whom it satisfies, and the
 * search goes on for the rest. No waiter is ever told a work below its own threshold.
 */
#ifndef DPOW_WORKSERVER_QUEUE_CORE_H
#define DPOW_WORKSERVER_QUEUE_CORE_H

#include "base/error.h"
#include "nano/work.h"

enum {
    QUEUE_PLACES_MAX = 64,   /**< Entries that can run at once. */
    QUEUE_FINISHED_MAX = 128 /**< Finished entries that are remembered for the listing. */
};

/** Capacities and policies. */
struct queue_options {
    size_t entries_max;           /**< Entries waiting at once; more are refused. */
    size_t waiters_per_entry_max; /**< Likewise. */
    size_t waiters_max;           /**< Of all entries together. */
    size_t results_max;           /**< Works remembered and given out again; 0: none. */
    unsigned places;              /**< Entries that run at once, 1 to QUEUE_PLACES_MAX. */
    bool shuffle;                 /**< The next entry is drawn among those waiting. */
    uint64_t timeout_us;          /**< How long a request may wait; 0: for ever. */
    uint64_t seed;                /**< Of what is drawn, and of the hash tables. */
};

/** Names a waiter; never 0, never reused. */
typedef uint64_t queue_waiter;

/** A request for work that has been checked. */
struct queue_request {
    uint64_t token; /**< The caller's; comes back in the answer. */
    struct root root;
    uint64_t threshold;
    uint64_t priority;  /**< Higher goes first; among equals, first come. */
    uint64_t opened_us; /**< When its connection was opened. */
};

/** What a request is told. */
enum queue_answer {
    QUEUE_FOUND,
    QUEUE_CANCELLED, /**< By a cancel, or because the server stops. */
    QUEUE_FAILED,    /**< The devices gave up. */
    QUEUE_FULL,      /**< Refused for want of capacity. */
    QUEUE_TIMEOUT,
    QUEUE_ANSWERS,
};

enum queue_action_kind {
    QUEUE_ANSWER, /**< Answer a request. */
    QUEUE_SEARCH, /**< Search in a place, instead of what it searches now, if anything. */
    QUEUE_STOP,   /**< A place has nothing to search any more; perhaps it has ended already. */
};

/** One thing to do. */
struct queue_action {
    enum queue_action_kind kind;
    unsigned place;     /**< SEARCH, STOP. */
    struct root root;   /**< SEARCH, ANSWER. */
    uint64_t threshold; /**< SEARCH. */
    uint64_t token;     /**< ANSWER. */
    enum queue_answer answer;
    uint64_t nonce; /**< FOUND. */
    uint64_t value; /**< FOUND. */
};

/** The actions of the last event, in order; overwritten by the next event. */
struct queue_actions {
    const struct queue_action *items;
    size_t count;
};

/** Where an entry is. */
enum queue_state { QUEUE_WAITING, QUEUE_RUNNING, QUEUE_FINISHED };

/** An entry as a listing shows it. */
struct queue_listed {
    enum queue_state state;
    uint64_t number;
    uint64_t priority;
    uint64_t start_us; /**< When it came. */
    uint64_t end_us;   /**< FINISHED. */
    struct root root;
    uint64_t threshold; /**< The highest that was asked. */
    bool found;         /**< FINISHED: whether a work satisfied it. */
    uint64_t nonce;
    uint64_t value;
};

/** What the core has done and holds. */
struct queue_stats {
    uint64_t requests;
    uint64_t joined;     /**< Requests for a root that was in hand. */
    uint64_t remembered; /**< Requests answered by a remembered work. */
    uint64_t answers[QUEUE_ANSWERS];
    uint64_t left;  /**< Requests whose caller hung up. */
    size_t waiting; /**< Entries. */
    size_t running; /**< Entries. */
    size_t waiters;
};

struct queue_core;

/** @return owned by the caller, or NULL with the error naming the option */
struct queue_core *queue_core_create(const struct queue_options *options, struct error *error);
void queue_core_destroy(struct queue_core *core);

/** What the last event asks for. */
struct queue_actions queue_core_actions(const struct queue_core *core);

/** When queue_core_timer() is due; UINT64_MAX if never. */
uint64_t queue_core_next_timer(const struct queue_core *core);

void queue_core_stats(const struct queue_core *core, struct queue_stats *stats);

/** Shows every entry of a state to a visitor: waiting ones in no order, finished ones oldest first.
 */
void queue_core_each(const struct queue_core *core, enum queue_state state,
                     void (*visit)(void *context, const struct queue_listed *entry), void *context);

/** A caller asks. @return its waiter; 0 if the answer is among the actions already */
queue_waiter queue_core_request(struct queue_core *core, uint64_t now_us,
                                const struct queue_request *request);

/** A caller hung up: it gets no answer any more. Ignored if it has been answered. */
void queue_core_leave(struct queue_core *core, uint64_t now_us, queue_waiter id);

/**
 * Ends all waiters of a root. If there are none, requests for it that come within a second on other
 * connections opened before are ended too: a cancel can overtake its request, though not on its own
 * connection, where what follows it was meant to.
 * @param opened_us when the connection of the cancel was opened; tells it from others
 */
void queue_core_cancel(struct queue_core *core, uint64_t now_us, const struct root *root,
                       uint64_t opened_us);

/** Ends all waiting entries; those that run go on. */
void queue_core_clear(struct queue_core *core, uint64_t now_us);

/** A search found something; also one that was stopped meanwhile. The value must be right. */
void queue_core_found(struct queue_core *core, uint64_t now_us, const struct root *root,
                      uint64_t nonce, uint64_t value);

/** The search for a root could not be started, or no device works any more. */
void queue_core_failed(struct queue_core *core, uint64_t now_us, const struct root *root);

/** Time-outs that are due. */
void queue_core_timer(struct queue_core *core, uint64_t now_us);

/** The server stops: whoever waits and whoever comes is told QUEUE_CANCELLED. */
void queue_core_stop(struct queue_core *core, uint64_t now_us);

#endif
