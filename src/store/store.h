/**
 * store: what must outlive the process: services and their keys, works, rewards, counters.
 *
 * Start here. The owner submits operations; one writer thread applies them in order, many in one
 * transaction (group commit: whatever has queued up while the last commit ran), and hands each back
 * when it is durable. Nothing may be told to anybody before that (design decision 4). store.c has
 * the queue, the thread and the retries; store_backend.h is what a database must offer; sqlite_*.c
 * is the embedded one, SQLite in WAL mode with full synchronisation.
 *
 * This layer includes `base` and `nano` only.
 */
#ifndef DPOW_STORE_STORE_H
#define DPOW_STORE_STORE_H

#include "base/error.h"
#include "base/log.h"
#include "base/queue.h"
#include "nano/account.h"
#include "nano/counts.h"
#include "nano/work.h"

#include <stdint.h>

enum {
    SERVICE_NAME_SIZE = 65, /**< Names have at most 64 characters. */
    SERVICE_DISPLAY_SIZE = 129,
    SERVICE_WEBSITE_SIZE = 257,
    KEY_HASH_SIZE = 128, /**< A libsodium password hash text with its NUL. */
};

/** A service that may ask for work. */
struct service_record {
    int64_t id;                   /**< Given by the store, never reused. */
    char name[SERVICE_NAME_SIZE]; /**< What it logs in with: 1–64 of A–Z a–z 0–9 . _ - */
    char display[SERVICE_DISPLAY_SIZE]; /**< For people; UTF-8. */
    char website[SERVICE_WEBSITE_SIZE]; /**< Empty or an http(s) URL. */
    bool is_public;                     /**< Whether statistics may show display and website. */
    double rate_per_s;                  /**< Requests a second it may start. */
    char key_hash[KEY_HASH_SIZE];       /**< Salted slow hash of its API key. */
    int64_t created_ms;
    struct work_counts answered; /**< Requests answered: from the cache, after a wait. */
};

/** A work that was found. */
struct work_record {
    struct root root;
    uint64_t nonce;
    uint64_t value;     /**< work_value(nonce, root). */
    uint64_t threshold; /**< What was asked of the workers. */
    enum work_type type;
    int64_t solved_ms;  /**< Wall clock. */
    int64_t expires_ms; /**< Wall clock; afterwards it is no longer handed out. */
};

enum store_op_kind {
    /** Records a work, and if has_account the reward of its finder and the pool's total. */
    STORE_WORK,
    /** Counts an answered request of a service. */
    STORE_ANSWER,
    /** Takes back a STORE_ANSWER of the same service and type whose answer was never told. */
    STORE_UNANSWER,
    /** Creates a service. */
    STORE_SERVICE_ADD,
};

/** How an operation ended. */
enum store_status {
    STORE_DONE,     /**< Durable. */
    STORE_CONFLICT, /**< Nothing was changed: what it adds exists already (durable as it stands), or
                         what it counts for does not exist. */
    STORE_ABANDONED, /**< The store was closed before the operation could be made durable. */
};

/**
 * One operation. The caller owns it, fills what its kind needs, and must keep it, untouched, from
 * store_submit() until it is handed back.
 */
struct store_op {
    struct queue_item item; /**< The store's; in store_take_done()'s list it links the ops. */
    enum store_op_kind kind;
    uint64_t token;           /**< The caller's. */
    void *user;               /**< The caller's. */
    enum store_status status; /**< Set by the store. */
    union {
        struct {
            struct work_record record;
            struct account account;
            bool has_account;
            bool rewarded;               /**< Out: has_account, and this (root, nonce) was new. */
            struct client_totals totals; /**< Out: after the reward, if rewarded. */
        } work;
        struct {
            int64_t service_id;
            enum work_type type;
        } answer;
        struct service_record *service; /**< The caller's. In: all but id, counters. Out: id. */
    };
};

/** What the owner is told, on the writer thread: it must be brief (wake a loop). */
struct store_callbacks {
    void (*on_done)(void *context); /**< store_take_done() has something (again). */
    /** Commits began to fail (with the reason), or work again (NULL). Queued operations are kept
     *  and tried again until they succeed or the store is closed. */
    void (*on_health)(void *context, const char *reason);
    void *context;
};

struct store;

/**
 * Opens and, if it is new, creates the database; brings an older schema forward.
 * @param url "sqlite:PATH"
 * @return owned by the caller, or NULL with the error filled (a schema newer than this program, a
 *         file that is no database, another process that holds it, no space, no permission)
 */
struct store *store_open(const char *url, const struct log *log, struct error *error);

/**
 * Reading, before store_start(), on the caller's thread: services in order of creation. A visitor
 * returns false to stop.
 */
bool store_each_service(struct store *store,
                        bool (*visit)(void *context, const struct service_record *service),
                        void *context, struct error *error);

/**
 * Works that expire after now_ms, newest first, at most limit; before store_start(). The value is
 * computed anew from the nonce; the threshold is 0, only rewards keep it.
 */
bool store_each_work(struct store *store, int64_t now_ms, size_t limit,
                     bool (*visit)(void *context, const struct work_record *work), void *context,
                     struct error *error);

/** The pool's totals of rewarded works (`stats:*` of the original); before store_start(). */
bool store_totals(struct store *store, struct work_counts *totals, struct error *error);

/** Applies one operation on the caller's thread, before store_start(); it is durable on success. */
bool store_apply(struct store *store, struct store_op *op, struct error *error);

/** Starts the writer thread. */
bool store_start(struct store *store, const struct store_callbacks *callbacks, struct error *error);

/**
 * Hands an operation to the writer. Any thread, also before store_start(); never blocks for the
 * disk.
 */
void store_submit(struct store *store, struct store_op *op);

/** The operations that ended since the last call, in order of submission; NULL if there are none.
 */
struct store_op *store_take_done(struct store *store);

/** The operation after this one in store_take_done()'s list, or NULL. */
static inline struct store_op *store_op_next(const struct store_op *op)
{
    return (struct store_op *)(void *)op->item.next;
}

/**
 * Waits until everything submitted is durable, or for at most patience_ms if commits fail; stops
 * the writer. What is left, from the first operation that could not be committed on, is handed back
 * as STORE_ABANDONED by store_take_done(). The opener's thread; nobody may submit any more.
 */
void store_stop(struct store *store, uint64_t patience_ms);

/** Frees; calls store_stop() with no patience if that has not been done. */
void store_close(struct store *store);

#endif
