/**
 * world: everything around the hub's core, simulated: time, services, broker, workers, store.
 *
 * Events wait in one queue ordered by simulated time. A run is: create, schedule requests and
 * faults, world_run() until the queue is empty, check the books.
 */
#ifndef DPOW_TESTS_SIM_WORLD_H
#define DPOW_TESTS_SIM_WORLD_H

#include "base/heap.h"
#include "base/random.h"
#include "hub/core.h"

enum {
    WORKERS = 6,
    ROOTS = 40, /* That requests ask for at random. */
    CHAINS = 8,
    BLOCKS = 200, /* Of each chain, at most. */
    ROOTS_ALL = ROOTS + CHAINS * BLOCKS,
    SERVICES = 3,
    ACCOUNTS = 4,
    HISTORY = 48,
    HISTORY_LINE = 120,
};

/** How unkind the world is; probabilities in [0, 1]. */
struct faults {
    double loss;          /**< Of a message between hub and a worker, either way. */
    double repeat;        /**< Of a message being delivered twice. */
    double leave;         /**< Of a service hanging up early. */
    double liar;          /**< Of a worker sending a wrong nonce. */
    double deaf;          /**< Of a worker ignoring a cancel. */
    unsigned crashes;     /**< Of the hub, spread over the run. */
    unsigned outages;     /**< Of the broker, likewise. */
    unsigned store_stops; /**< Periods in which commits fail, likewise. */
};

enum request_state { REQUEST_OPEN, REQUEST_ANSWERED, REQUEST_LEFT, REQUEST_LOST };

/** One request of a simulated service, and what became of it. */
struct sim_request {
    enum request_state state;
    enum hub_answer answer;
    bool asked;          /**< Handed to a core. */
    bool answering;      /**< A STORE_ANSWER for it is on its way. */
    bool at_once;        /**< Told a durable work at no cost, before it was counted. */
    bool answer_durable; /**< A STORE_ANSWER for it is committed. */
    struct hub_request request;
    waiter_id waiter;
};

/** A (root, nonce) that the store holds. */
struct sim_work {
    struct root root;
    uint64_t nonce;
    enum work_type type;
    int64_t service_id;
    uint64_t found_us;
    bool rewarded;
    bool told; /**< HUB_REWARD came. */
};

/** What the store holds of a chain. */
struct sim_chain {
    bool exists;
    struct root frontier;
    uint64_t height;
    int64_t service_id;
    uint64_t used_us;
};

enum event_kind {
    EVENT_REQUEST,
    EVENT_LEAVE,
    EVENT_TIMER,  /**< The core's timer, armed for this moment. */
    EVENT_WORK,   /**< A work message reaches a worker. */
    EVENT_CANCEL, /**< A cancel message reaches a worker. */
    EVENT_FOUND,  /**< A worker ends a search. */
    EVENT_RESULT, /**< A result reaches the hub. */
    EVENT_COMMIT, /**< The store's group commit ends. */
    EVENT_CRASH,
    EVENT_BROKER,    /**< The broker goes or comes back. */
    EVENT_STORE,     /**< Commits begin to fail or work again. */
    EVENT_CONFIRMED, /**< The node tells of a block. */
    EVENT_FRONTIER,  /**< The node answers where a chain is. */
    EVENT_NODE,      /**< The connection to the node is back after an absence. */
};

struct event {
    struct heap_item item; /**< key = simulated time in µs. */
    enum event_kind kind;
    size_t index;   /**< Request, worker or chain. */
    uint64_t stamp; /**< FOUND: the search; COMMIT: the store's life; CONFIRMED: the block's number;
                         flag for BROKER, STORE. */
    struct root root;
    uint64_t threshold;
    uint64_t nonce;
    int account; /**< -1 for an invalid one. */
    enum work_type type;
};

/** What one worker searches: one root at a time, others wait. */
struct sim_worker {
    struct {
        struct root root;
        uint64_t threshold;
        enum work_type type;
    } held[ROOTS_ALL];
    size_t held_count; /**< held[0] is being searched. */
    uint64_t search;   /**< Stamp of the present search. */
    double rate_hps;
    uint64_t latency_us;
};

/** A store operation, queued or being committed. */
struct sim_op {
    struct hub_action action;
    size_t request; /**< STORE_ANSWER, STORE_UNANSWER. */
};

struct world {
    uint64_t seed;
    struct random random;
    struct faults faults;
    uint64_t now_us;
    struct heap *queue;
    uint64_t sequence;
    size_t event_capacity;

    struct hub_core *core;
    struct hub_core_options options;
    bool broker_up;

    struct sim_request *requests;
    size_t request_count;
    struct root roots[ROOTS_ALL]; /**< The chains' blocks behind the others. */
    size_t heads[CHAINS];         /**< How many blocks follow the first one of each chain. */
    struct sim_chain stored_chains[CHAINS]; /**< Durable. */
    uint64_t ahead; /**< Chains' requests that were answered from the cache. */
    struct account accounts[ACCOUNTS];
    struct sim_worker workers[WORKERS];
    uint64_t search_stamps;

    struct sim_op *queued; /**< Submitted, in order. */
    size_t queued_count;
    size_t committing; /**< How many of them the running commit holds. */
    bool store_fails;
    uint64_t store_life; /**< Grows with each crash: older commits never end. */

    struct sim_work *works; /**< Durable. */
    size_t work_count;
    uint64_t durable_answers[SERVICES + 1];
    uint64_t told_at_once[SERVICES + 1];  /**< Answers that cost nothing, told before counted… */
    uint64_t counted_later[SERVICES + 1]; /**< …and those of them that are durable. */
    uint64_t durable_rewards[ACCOUNTS];
    uint64_t told_rewards[ACCOUNTS];
    bool asked[ROOTS_ALL][WORK_TYPES]; /**< Whether the last message was a work. */

    char history[HISTORY][HISTORY_LINE];
    size_t history_count;
    uint64_t failures;
};

/** Builds a world; ends the process when out of memory (a test harness has nobody to tell). */
struct world *world_create(uint64_t seed, size_t requests, const struct faults *faults);
void world_destroy(struct world *world);

/** Runs until nothing is left to happen. */
void world_run(struct world *world);

/** Adds an event; the caller fills what its kind needs in the returned event. */
struct event *world_schedule(struct world *world, uint64_t when_us, enum event_kind kind);

/** Remembers a line for the report of a failure. */
void world_note(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Reports a broken invariant: seed, time, text and the last events. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Carries out the core's actions; called after every event that went into it. */
void world_act(struct world *world);

/** Which of the world's roots this is. */
size_t world_root_index(const struct world *world, const struct root *root);

/* services.c: requests and their ends. */
void services_schedule(struct world *world);
void services_event(struct world *world, const struct event *event);
void services_reply(struct world *world, const struct hub_action *action);

/* workers.c: searches, results and the broker between. */
void workers_create(struct world *world);
void workers_broadcast(struct world *world, const struct hub_action *action);
void workers_event(struct world *world, const struct event *event);

/* database.c: the simulated store. */
void database_submit(struct world *world, const struct hub_action *action);
void database_event(struct world *world, const struct event *event);
void database_crash(struct world *world);
void database_restore(struct world *world);

/* chains.c: accounts, their blocks and the node that confirms them. */
struct account chain_account(size_t chain);
const struct root *chain_block(const struct world *world, size_t chain, size_t height);
void chains_policies(struct world *world);
void chains_schedule(struct world *world, uint64_t end_us);
void chains_ask(struct world *world, struct hub_request *request);
void chains_answered(struct world *world, const struct root *root);
void chains_ask_node(struct world *world, const struct account *account);
void chains_event(struct world *world, const struct event *event);
void chains_store(struct world *world, const struct hub_action *action);
void chains_restore(struct world *world);

/* check.c: what must hold. */
void check_asked(struct world *world, const struct hub_action *action);
void check_found(struct world *world, const struct hub_action *action);
void check_reply(struct world *world, const struct sim_request *request,
                 const struct hub_action *action);
void check_reward(struct world *world, const struct hub_action *action);
void check_end(struct world *world);

#endif
