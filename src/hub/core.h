/**
 * core: the life of every request in the hub, without I/O (design decision 2).
 *
 * Events come in by the functions below with the time; what must happen in the world comes out as a
 * list of actions, which the caller carries out, in order, before the next event. The core has no
 * clock, no socket, no database, no thread and no randomness; production, tests and the
 * deterministic simulation run the same code. One thread uses a core.
 *
 * An *entry* is one root; *waiters* are requests that wait for its work, each with a threshold and
 * a deadline of its own:
 *
 *     entry     IDLE ──request──► WANTED ──result meets all waiters──► IDLE
 *                 ▲                 │ last waiter left
 *                 ├────timer──── LINGERING ──request──► WANTED
 *                 └──work found── WANTED ◄──its turn── QUEUED ◄──confirmed block
 *
 *     waiter    HELD ──start──► WAITING ──work found, recorded──► ANSWERING ──durable──► answered
 *                                  │ deadline                        │ overdue by the grace
 *                                  └► told "time-out"                └► told "failed"; taken back
 *                                                                       once durable (FORSAKEN)
 *
 * (A crash between a commit that came too late and its taking back leaves the answer counted. What
 * was paid for then is free when it is asked for again: the store knows the charge.)
 *
 * What is wanted is asked for again every few seconds: messages to workers are not acknowledged,
 * and a worker that has just joined, or lost its connection, does not know of it. Workers ignore
 * what they hold already (dpow.md 8.3).
 *
 * An entry may hold a work (the best found so far) in any state: it answers whoever asks for no
 * more, until it expires. LINGERING accepts a result that was on its way when the last waiter left.
 * A request ends in exactly one answer, or in hub_core_leave(); an answer with a work is given only
 * after the store has made it durable, and only if the work's value reaches the waiter's threshold.
 * Where nothing is charged for a work that is durable already, the answer itself need not be: it is
 * given at once, and HUB_COUNT_ANSWER counts it.
 *
 * *Chains* are accounts of services whose next work may be made ahead (precache, dpow.md 5): the
 * core knows the frontier of each, follows confirmed blocks, and asks for the new frontier's work
 * with low priority: a bounded number of such works is asked for at a time, the others are QUEUED.
 * A request for such a root turns it into one that is wanted at once.
 *
 * At most 3 * waiters_max + HUB_FRONTIERS_STORING store actions are outstanding at any time: new
 * requests are refused while waiters_max works are on their way into the store, a waiter's slot
 * stays taken until the last of its own store actions has ended, and chains wait for their turn.
 */
#ifndef DPOW_HUB_CORE_H
#define DPOW_HUB_CORE_H

#include "base/error.h"
#include "nano/account.h"
#include "nano/counts.h"
#include "nano/precache.h"
#include "nano/work.h"

enum { HUB_FRONTIERS_STORING = 1024 /**< Chains on their way into the store at once. */ };

/** Capacities and durations; every one must be positive. */
struct hub_core_options {
    size_t entries_max;            /**< Roots known at once; the oldest idle ones make room. */
    size_t waiters_max;            /**< Requests in hand at once; more are told "busy". */
    size_t waiters_per_entry_max;  /**< Requests for one root at once; likewise. */
    uint64_t cache_us;             /**< How long a work is handed out after it was found. */
    uint64_t reask_us;             /**< How often workers are asked again for what is wanted. */
    uint64_t linger_us;            /**< How long results are taken after the last waiter left. */
    uint64_t grace_us;             /**< How long past its deadline a commit may keep a waiter. */
    size_t chains_max;             /**< Accounts remembered at once. */
    uint64_t chain_us;             /**< How long an account is remembered that nobody asks for. */
    uint64_t send_threshold;       /**< What is asked for when work is made ahead… */
    uint64_t receive_threshold;    /**< …and for services that want no more than this. */
    size_t precache_parallel;      /**< Works made ahead that workers are asked for at once. */
    uint64_t precache_us;          /**< How long they are asked before it is another root's turn. */
    uint32_t chain_works_per_hour; /**< Works made ahead for one account. */
    uint8_t seed[16];              /**< Keys the hash tables: random in production. */
};

/** The defaults of the hub for the live network; the seed is zero and must be filled in. */
struct hub_core_options hub_core_options_default(void);

/** Names a waiter; never 0, not reused within any time that matters. */
typedef uint64_t waiter_id;

/** A request that has passed every check of the service API. */
struct hub_request {
    uint64_t token; /**< The caller's; comes back in HUB_REPLY. */
    int64_t service_id;
    struct root root;
    uint64_t threshold;
    uint64_t start_us;    /**< Not before this time (rate limit); in the past: at once. */
    uint64_t deadline_us; /**< Without work by then it is told "time-out". */
    bool has_account;     /**< Whose block the work is for, if the service says so. */
    struct account account;
    bool
        free; /**< The service pays nothing: a work that is durable is told before it is counted. */
};

/** What a request is told. */
enum hub_answer {
    HUB_ANSWER_WORK,      /**< Here is the work. */
    HUB_ANSWER_TIMEOUT,   /**< None was found in time. */
    HUB_ANSWER_BUSY,      /**< Refused for want of capacity, or while the store does not commit. */
    HUB_ANSWER_STOPPED,   /**< The hub stops. */
    HUB_ANSWER_FAILED,    /**< A work was found but could not be recorded in time. */
    HUB_ANSWER_REVOKED,   /**< The service ceased to exist meanwhile. */
    HUB_ANSWER_SUSPENDED, /**< The service was banned meanwhile. */
    HUB_ANSWER_NO_CREDIT, /**< The service's last credit was used meanwhile. */
    HUB_ANSWERS,
};

/** How a result was judged (dpow.md 2.3). */
enum hub_verdict {
    HUB_RESULT_ACCEPTED,
    HUB_RESULT_UNWANTED, /**< Nobody asks (any more), it is solved, or the store is far behind. */
    HUB_RESULT_WEAK,     /**< The value is below what anybody waits for. */
    HUB_VERDICTS,
};

enum hub_action_kind {
    HUB_REPLY,          /**< Answer a request. */
    HUB_WORK,           /**< Ask the workers for a root. */
    HUB_CANCEL,         /**< Tell the workers to stop. */
    HUB_STORE_WORK,     /**< Record a work and its reward; then hub_core_work_stored(). */
    HUB_STORE_ANSWER,   /**< Count an answer; then hub_core_answer_stored(). After all before it. */
    HUB_STORE_UNANSWER, /**< Take back a counted answer that was never told; likewise. */
    HUB_COUNT_ANSWER,   /**< Count an answer, soon; nothing follows. */
    HUB_REWARD,         /**< Tell the worker's account of its (durable) reward. */
    HUB_STORE_FRONTIER, /**< Remember a chain; then hub_core_frontier_stored(). */
    HUB_ASK_FRONTIER,   /**< Ask the node where an account's chain is; then hub_core_frontier(). */
};

/** One thing to do. */
struct hub_action {
    enum hub_action_kind kind;
    union {
        struct {
            uint64_t token;
            enum hub_answer answer;
            int64_t service_id;
            enum work_type type; /**< WORK only: from the cache (precache), or after a wait. */
            struct root root;
            uint64_t nonce; /**< WORK only. */
        } reply;
        struct {
            struct root root;
            uint64_t threshold; /**< HUB_WORK only. */
            enum work_type type;
        } work;
        struct {
            struct root root;
            uint64_t nonce;
            uint64_t value;
            uint64_t threshold; /**< What was asked of the workers. */
            enum work_type type;
            struct account account;
            bool has_account;
            int64_t service_id; /**< Who may have its successor made ahead; 0 for none. */
            uint64_t ttl_us;    /**< How long it is handed out from now on. */
        } store_work;
        struct {
            waiter_id waiter;
            int64_t service_id;
            enum work_type type;
            struct root root;
            uint64_t ttl_us; /**< How long the work is handed out from now on. */
            bool charged;    /**< STORE_UNANSWER: a credit was used. */
        } store_answer;
        struct {
            struct account account;
            struct root frontier;
            uint64_t height; /**< 0: not known. */
            int64_t service_id;
            uint64_t idle_us; /**< For how long nobody has asked for it. */
            uint64_t ttl_us;  /**< How long it is remembered from now on. */
        } store_frontier;
        struct {
            int64_t service_id;
            enum work_type type;
        } count_answer;
        struct account ask_frontier;
        struct {
            struct account account;
            struct root root;
            struct client_totals totals;
        } reward;
    };
};

/** The actions of the last event, in order. Owned by the core, overwritten by the next event. */
struct hub_actions {
    const struct hub_action *items;
    size_t count;
};

/** What the core has seen and holds. */
struct hub_core_stats {
    uint64_t requests;
    uint64_t answers[HUB_ANSWERS];  /**< By enum hub_answer. */
    uint64_t left;                  /**< Requests whose service hung up. */
    uint64_t results[HUB_VERDICTS]; /**< By enum hub_verdict. */
    struct work_counts rewarded;    /**< Rewards made durable, since the first start. */
    size_t entries;
    size_t wanted; /**< Roots being searched. */
    size_t waiters;
    size_t storing;            /**< Works handed to the store, not durable yet. */
    uint64_t confirmed;        /**< Confirmed blocks that concerned a chain. */
    uint64_t precache_started; /**< Roots whose work was to be made ahead. */
    uint64_t precache_refused; /**< Roots for which a limit said no. */
    uint64_t precache_used;    /**< Chains that went on after their work made ahead was used… */
    uint64_t precache_unused;  /**< …and without it having been used. */
    size_t chains;
    size_t precaching; /**< Roots made ahead that workers are asked for now. */
    size_t queued;     /**< Roots that wait for their turn. */
};

struct hub_core;

/** @return owned by the caller, or NULL with ERROR_MEMORY or ERROR_INVALID (naming the option) */
struct hub_core *hub_core_create(const struct hub_core_options *options, struct error *error);
void hub_core_destroy(struct hub_core *core);

/** What the last event asks for. */
struct hub_actions hub_core_actions(const struct hub_core *core);

/** When hub_core_timer() is due; UINT64_MAX if never. */
uint64_t hub_core_next_timer(const struct hub_core *core);

void hub_core_stats(const struct hub_core *core, struct hub_core_stats *stats);

/** A service exists, and may have so much made ahead. @return false when out of memory */
bool hub_core_service(struct hub_core *core, int64_t service_id,
                      const struct precache_policy *policy);

/** A service is no more: its chains are forgotten. */
void hub_core_forget_service(struct hub_core *core, int64_t service_id);

/** Whoever waits for a service is told this at once; what is being recorded is still answered. */
void hub_core_revoke(struct hub_core *core, uint64_t now_us, int64_t service_id,
                     enum hub_answer answer);

/** Start: a work of an earlier run, still good for ttl_us. Ignored when there is no room. */
void hub_core_restore_work(struct hub_core *core, uint64_t now_us, const struct root *root,
                           uint64_t nonce, enum work_type type, int64_t service_id,
                           uint64_t ttl_us);

/** A chain, as it is restored at the start. */
struct hub_chain {
    struct account account;
    struct root frontier;
    uint64_t height;
    int64_t service_id;
    uint64_t idle_us; /**< For how long nobody had asked for it. */
    uint64_t ttl_us;
};

/** Start, after services and works: a chain of an earlier run, those used last first: what a limit
 * leaves no room for is not restored. Work that was to be made ahead for it and was not found is
 * asked for again, if the account was in use within the life of a work. */
void hub_core_restore_chain(struct hub_core *core, uint64_t now_us,
                            const struct hub_chain *restored);

/** Start: the pool's totals of earlier runs. */
void hub_core_restore_rewarded(struct hub_core *core, const struct work_counts *rewarded);

/**
 * A service asks.
 * @return the waiter, for hub_core_leave(); 0 if the answer is among the actions already
 */
waiter_id hub_core_request(struct hub_core *core, uint64_t now_us,
                           const struct hub_request *request);

/**
 * A service hung up: it gets no answer any more.
 * @return false, and nothing changes, if its answer was among the actions of an earlier event
 */
bool hub_core_leave(struct hub_core *core, uint64_t now_us, waiter_id id);

/**
 * A worker's result.
 * @param account whom to reward; NULL if the result named no valid account
 */
enum hub_verdict hub_core_result(struct hub_core *core, uint64_t now_us, const struct root *root,
                                 uint64_t nonce, const struct account *account);

/** Whether a work is at hand that meets a threshold: a request for it would cost no search. */
bool hub_core_has_work(const struct hub_core *core, uint64_t now_us, const struct root *root,
                       uint64_t threshold);

/** A block that the network has confirmed. */
struct hub_block {
    struct account account;
    struct root hash;
    struct root previous; /**< Zeros for an account's first block. */
    uint64_t height;      /**< In the account's chain; 0 if not known. */
};

/** The node says that a block is confirmed; any order, more than once, some never (dpow.md 5). */
void hub_core_confirmed(struct hub_core *core, uint64_t now_us, const struct hub_block *block);

/** The node says what an account's head is; zeros, if it has no block, change nothing. */
void hub_core_frontier(struct hub_core *core, uint64_t now_us, const struct account *account,
                       const struct root *frontier);

/**
 * Accounts of chains, for asking the node where they are.
 * @param cursor 0 at first, then as the last call left it
 * @return how many were written, at most max; 0 at the end
 */
size_t hub_core_chains(const struct hub_core *core, size_t *cursor, struct account *accounts,
                       size_t max);

/** The action HUB_STORE_FRONTIER has ended, well or not. */
void hub_core_frontier_stored(struct hub_core *core, uint64_t now_us,
                              const struct account *account);

/** How the action HUB_STORE_WORK ended. */
struct hub_stored_work {
    enum work_type type;
    struct root root;
    uint64_t nonce;
    struct account account;             /**< The finder's, if totals are given. */
    bool durable;                       /**< False: the store was closed before. */
    const struct client_totals *totals; /**< NULL if it brought no reward. */
};

void hub_core_work_stored(struct hub_core *core, const struct hub_stored_work *work);

/** How the action HUB_STORE_ANSWER or HUB_STORE_UNANSWER ended. */
enum hub_stored { HUB_STORED, HUB_STORED_NO_SERVICE, HUB_STORED_NO_CREDIT, HUB_NOT_STORED };

/** @param charged a credit was used */
void hub_core_answer_stored(struct hub_core *core, waiter_id id, enum hub_stored stored,
                            bool charged);

/** Deadlines, starts and expiries that are due. */
void hub_core_timer(struct hub_core *core, uint64_t now_us);

/** The broker is back after an absence: what is wanted is asked for again. */
void hub_core_broker_back(struct hub_core *core);

/** Commits fail (false) or work again (true): while they fail, new requests are refused. */
void hub_core_store_health(struct hub_core *core, bool healthy);

/** New requests are told HUB_ANSWER_STOPPED from now on; what is in hand goes on. */
void hub_core_drain(struct hub_core *core);

/** Whether no request is in hand. */
bool hub_core_drained(const struct hub_core *core);

/** Answers whoever waits with HUB_ANSWER_STOPPED and cancels all searches. */
void hub_core_abort(struct hub_core *core);

#endif
