/**
 * core_internal: what the files of the core share. core.c owns the memory and the timers,
 * core_entry.c the roots, core_request.c the waiters, core_result.c what workers and store report.
 */
#ifndef DPOW_HUB_CORE_INTERNAL_H
#define DPOW_HUB_CORE_INTERNAL_H

#include "base/heap.h"
#include "base/table.h"
#include "hub/core.h"

#include <assert.h>
#include <stddef.h>

enum entry_state { ENTRY_IDLE, ENTRY_WANTED, ENTRY_LINGERING };

/** One root: what is known of it and who waits for it. */
struct entry {
    struct root root;
    enum entry_state state;
    enum work_type type; /**< Of the present or last search. */
    uint64_t target;     /**< WANTED, LINGERING: what the workers were asked for. */
    bool has_work;
    uint64_t nonce; /**< The best work found, if has_work. */
    uint64_t value;
    uint64_t expires_us;    /**< When the work is no longer handed out. */
    struct heap_item timer; /**< LINGERING: its end. IDLE: expiry. WANTED: asking again. */
    struct waiter *waiters; /**< Those in state WAITING. */
    size_t waiter_count;    /**< Likewise. */
    struct entry *older;    /**< List of IDLE entries by age, and of free ones by older. */
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
    struct heap_item timer; /**< HELD: start. WAITING: deadline. ANSWERING: deadline + grace. */
};

struct hub_core {
    struct hub_core_options options;
    struct entry *entries; /**< entries_max of them. */
    struct entry *free_entries;
    struct entry *oldest_idle;
    struct entry *newest_idle;
    struct entry *wanted; /**< The head of the list of WANTED entries. */
    struct table *by_root;
    struct heap *entry_timers;
    struct waiter *waiters; /**< waiters_max of them. */
    struct waiter *free_waiters;
    struct heap *waiter_timers;
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
void entry_retarget(struct hub_core *core, struct entry *entry, uint64_t target);
void entry_unwant(struct hub_core *core, struct entry *entry);
void entry_linger(struct hub_core *core, struct entry *entry, uint64_t now_us);
void entry_keep_work(struct entry *entry, uint64_t nonce, uint64_t value, uint64_t expires_us);
void entry_forget_expired(struct hub_core *core, struct entry *entry, uint64_t now_us);
void entry_settle(struct hub_core *core, struct entry *entry);
void entry_timer(struct hub_core *core, struct entry *entry, uint64_t now_us);
void entry_ask_workers(struct hub_core *core, const struct entry *entry);
void entry_cancel_workers(struct hub_core *core, const struct entry *entry);

/* core_request.c */
void waiter_start_answer(struct hub_core *core, struct waiter *waiter, uint64_t nonce,
                         enum work_type type);
void waiter_finish(struct hub_core *core, struct waiter *waiter, enum hub_answer answer);
void waiter_timer(struct hub_core *core, struct waiter *waiter, uint64_t now_us);
struct waiter *waiter_find(const struct hub_core *core, waiter_id id);
void waiter_release(struct hub_core *core, struct waiter *waiter);
void waiter_detach(struct waiter *waiter);

#endif
