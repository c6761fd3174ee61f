/**
 * core_internal: what the files of the core share. core.c owns the memory and the timers,
 * core_entry.c the roots, core_request.c the waiters, core_result.c what workers and store report,
 * core_chain.c the accounts, core_precache.c what is made ahead for them.
 */
#ifndef DPOW_HUB_CORE_INTERNAL_H
#define DPOW_HUB_CORE_INTERNAL_H

#include "base/heap.h"
#include "base/table.h"
#include "hub/core.h"

#include <assert.h>
#include <stddef.h>

enum { SPONSORS_MAX = 65536 /**< Services that the core knows at once. */ };

enum entry_state { ENTRY_IDLE, ENTRY_WANTED, ENTRY_LINGERING, ENTRY_QUEUED };

/** One root: what is known of it and who waits for it. */
struct entry {
    struct root root;
    enum entry_state state;
    enum work_type type; /**< Of the present or last search. */
    unsigned asked;      /**< WANTED: a bit for each type that workers were asked under. */
    uint64_t target;     /**< WANTED, LINGERING, QUEUED: what workers were or will be asked for. */
    bool ahead;          /**< It is a chain's frontier whose work is, or was, made ahead. */
    bool used;           /**< Its work has been handed out. */
    int64_t service_id;  /**< Who may have its successor made ahead; 0 for none. */
    uint64_t since_us;   /**< WANTED without waiters: since when. */
    bool has_work;
    bool durable;   /**< The store has the work. */
    uint64_t nonce; /**< The best work found, if has_work. */
    uint64_t value;
    uint64_t expires_us;    /**< When the work is no longer handed out. */
    struct heap_item timer; /**< LINGERING: its end. IDLE: expiry. WANTED: asking again. */
    struct waiter *waiters; /**< Those in state WAITING. */
    size_t waiter_count;    /**< Likewise. */
    struct entry *older;    /**< List of IDLE entries by age; of QUEUED ones; free ones by older. */
    struct entry *newer;
    struct entry *wanted_previous; /**< List of WANTED entries. */
    struct entry *wanted_next;
};

enum waiter_state {
    WAITER_FREE,
    WAITER_HELD,
    WAITER_WAITING,
    WAITER_ANSWERING,
    WAITER_FORSAKEN,
    WAITER_TAKING_BACK, /**< The count of its answer is being taken back. */
};

/** One request. */
struct waiter {
    waiter_id id; /**< Slot number + 1 in the low half, generation in the high half. */
    enum waiter_state state;
    bool left; /**< ANSWERING: the service hung up; nothing is told. */
    struct hub_request request;
    enum work_type type;     /**< ANSWERING on: how the answer counts. */
    uint64_t nonce;          /**< ANSWERING on: the work it will be told. */
    struct entry *entry;     /**< WAITING only. */
    struct waiter *previous; /**< Among the entry's waiters; next also links free ones. */
    struct waiter *next;
    bool charged;           /**< FORSAKEN on: a credit was used. */
    struct heap_item timer; /**< HELD: start. WAITING: deadline. ANSWERING: deadline + grace. */
};

/** A service, as far as what is made ahead is concerned. */
struct sponsor {
    int64_t service_id;
    struct precache_policy policy;
    size_t chains;
    struct chain *oldest; /**< Its chains by last use. */
    struct chain *newest;
    uint64_t next_us; /**< When the next work would start at the bare rate. */
};

/** An account that a service has asked work for. */
struct chain {
    struct account account;
    struct root frontier; /**< What the work of the next block is for. */
    uint64_t height;      /**< Of the frontier; 0 if not known. */
    struct sponsor *sponsor;
    struct chain *older; /**< Of the same sponsor; also links free ones. */
    struct chain *newer;
    uint64_t used_us;   /**< When it was asked for last. */
    uint64_t stored_us; /**< The used_us that the store has. */
    uint64_t next_us;   /**< When its next work would start at the bare rate. */
    bool in_use;        /**< Not a free slot. */
    bool storing;       /**< A HUB_STORE_FRONTIER is on its way. */
    bool dirty;         /**< It has changed since. */
    bool linked_dirty;  /**< It waits for its turn to be stored. */
    struct chain *previous_dirty;
    struct chain *next_dirty;
    struct heap_item timer; /**< Looks whether it has been forgotten. */
};

/** A list of entries, first in first out, linked as the idle ones are. */
struct entry_list {
    struct entry *oldest;
    struct entry *newest;
};

struct hub_core {
    struct hub_core_options options;
    struct entry *entries; /**< entries_max of them. */
    size_t entries_begun;  /**< So many have been in use: memory is taken as it is needed. */
    struct entry *free_entries;
    struct entry_list idle;
    struct entry_list queued; /**< To be made ahead. */
    struct entry *wanted;     /**< The head of the list of WANTED entries. */
    struct table *by_root;
    struct heap *entry_timers;
    struct waiter *waiters; /**< waiters_max of them. */
    struct waiter *free_waiters;
    struct heap *waiter_timers;
    struct chain *chains; /**< chains_max of them. */
    size_t chains_begun;
    struct chain *free_chains;
    struct table *by_account;
    struct heap *chain_timers;
    struct chain *first_dirty;
    struct chain *last_dirty;
    size_t frontiers_storing;
    struct table *sponsors; /**< By service. */
    struct hub_action *actions;
    size_t action_count;
    size_t action_capacity;
    uint64_t timer_sequence;
    bool store_healthy;
    bool draining;
    struct hub_core_stats stats;
};

#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* core.c */
struct hub_action *core_act(struct hub_core *core, enum hub_action_kind kind);
void core_begin_event(struct hub_core *core);
void core_arm(struct hub_core *core, struct heap *heap, struct heap_item *timer, uint64_t when_us);
void core_disarm(struct heap *heap, struct heap_item *timer);

/* core_entry.c */
struct entry *entry_find(const struct hub_core *core, const struct root *root);
struct entry *entry_obtain(struct hub_core *core, const struct root *root);
void entry_want(struct hub_core *core, struct entry *entry, enum work_type type, uint64_t target,
                uint64_t now_us);
void entry_join(struct hub_core *core, struct entry *entry, uint64_t threshold, uint64_t now_us);
void entry_free(struct hub_core *core, struct entry *entry);
void entry_list_append(struct entry_list *list, struct entry *entry);
void entry_list_remove(struct entry_list *list, struct entry *entry);
void entry_retarget(struct hub_core *core, struct entry *entry, uint64_t target);
void entry_unwant(struct hub_core *core, struct entry *entry);
void entry_linger(struct hub_core *core, struct entry *entry, uint64_t now_us);
void entry_keep_work(struct entry *entry, uint64_t nonce, uint64_t value, uint64_t expires_us);
void entry_forget_expired(struct hub_core *core, struct entry *entry, uint64_t now_us);
void entry_settle(struct hub_core *core, struct entry *entry);
void entry_timer(struct hub_core *core, struct entry *entry, uint64_t now_us);
void entry_ask_workers(struct hub_core *core, struct entry *entry);
void entry_cancel_workers(struct hub_core *core, struct entry *entry);

/* core_request.c */
void waiter_start_answer(struct hub_core *core, struct waiter *waiter, const struct entry *entry,
                         enum work_type type, uint64_t now_us);
void waiter_finish(struct hub_core *core, struct waiter *waiter, enum hub_answer answer);
void waiter_timer(struct hub_core *core, struct waiter *waiter, uint64_t now_us);
struct waiter *waiter_find(const struct hub_core *core, waiter_id id);
void waiter_release(struct hub_core *core, struct waiter *waiter);
void waiter_detach(struct waiter *waiter);

/* core_chain.c */
struct sponsor *sponsor_find(const struct hub_core *core, int64_t service_id);
bool sponsor_may_precache(const struct hub_core *core, int64_t service_id);
void chain_note_request(struct hub_core *core, const struct hub_request *request, uint64_t now_us);
void chain_timer(struct hub_core *core, struct chain *chain, uint64_t now_us);
bool sponsor_destroy(void *context, void *sponsor);

/* core_precache.c */
void precache_frontier(struct hub_core *core, struct chain *chain, uint64_t now_us);
void precache_drop(struct hub_core *core, const struct chain *chain);
void precache_stop(struct hub_core *core, const struct root *root);
bool precache_queue(struct hub_core *core, struct entry *entry);
void precache_unqueue(struct hub_core *core, struct entry *entry);
bool precache_next_turn(struct hub_core *core, struct entry *entry, uint64_t now_us);
void precache_fill(struct hub_core *core, uint64_t now_us);

#endif
