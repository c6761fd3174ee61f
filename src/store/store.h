/**
 * store: what must outlive the process: services, keys, credits, works, rewards, counters.
 *
 * Start here, then records.h: what is kept. The owner submits operations; one writer thread applies
 * them in order, many in one transaction (group commit: whatever has queued up while the last
 * commit ran), and hands each back when it is durable. Nothing may be told to anybody before that
 * (design decision 4). store.c has the queue, the thread and the retries; store_backend.h is what a
 * database must offer; sqlite_*.c is the embedded one, SQLite in WAL mode with full
 * synchronisation.
 *
 * Money and merit are kept twice: as totals that are read, and as rows that are only ever added
 * (`answers`, `credit_entries`, `rewards`, `openings`, `payout_lines`), from which STORE_CHECK
 * recomputes every total.
 *
 * This layer includes `base` and `nano` only.
 */
#ifndef DPOW_STORE_STORE_H
#define DPOW_STORE_STORE_H

#include "base/error.h"
#include "base/log.h"
#include "base/queue.h"
#include "store/records.h"

enum store_op_kind {
    /** Records a work, and if has_account the reward of its finder and the pool's total. Without:
     *  CONFLICT if one as good is there already. */
    STORE_WORK,
    /** Counts an answered request of a service, and charges a credit if that is due. */
    STORE_ANSWER,
    /** Takes back a STORE_ANSWER whose answer was never told: charged as that one was. */
    STORE_UNANSWER,
    /** Counts answers of a service that cost nothing. */
    STORE_ANSWERS,
    /** Creates a service with its first key, and with counters if it is imported. */
    STORE_SERVICE_ADD,
    /** Writes everything about a service but name, keys, credits and counters. */
    STORE_SERVICE_EDIT,
    /** Ends a service: its keys are deleted and its name is free; what it did stays counted. */
    STORE_SERVICE_REMOVE,
    /** Adds a key; the others end at a stated moment, or earlier if they did already. */
    STORE_KEY_ADD,
    /** Writes another hash of the same key. */
    STORE_KEY_REHASH,
    /** Adds a line to a service's credit account; CONFLICT if the balance would be negative. */
    STORE_CREDIT,
    /** Bans a worker's account, or ends its ban. */
    STORE_CLIENT_BAN,
    /** Counts invalid results of a worker's account that is known. */
    STORE_CLIENT_INVALID,
    /** A worker's account as another system had it; CONFLICT if it is known already. */
    STORE_CLIENT_IMPORT,
    /** Adds to the pool's totals what another system counted; CONFLICT if that was done before. */
    STORE_TOTALS_IMPORT,
    /** Remembers a service's account, or where its chain is. */
    STORE_FRONTIER,
    /** The same as another system had it; CONFLICT if the account is known already. */
    STORE_FRONTIER_IMPORT,
    /** Writes the present state of a period of a time series. */
    STORE_SERIES,
    /** Writes nothing but its entry in the audit log. */
    STORE_NOTE,
    /** Read; visit is called on the store's thread. */
    STORE_READ_CREDITS,
    STORE_READ_CLIENTS,
    STORE_READ_AUDIT,
    /** The sums of a service's credit account. */
    STORE_READ_BALANCE,
    /** Freezes what is due and divides a budget among it; CONFLICT if nobody is paid. */
    STORE_PAYOUT_PLAN,
    /** Takes a plan back; CONFLICT if there is none, it is cancelled, or a payment was begun. */
    STORE_PAYOUT_CANCEL,
    /** Before a line's payment: CONFLICT if the line is not planned, the plan is cancelled, or was
     *  begun from another account. */
    STORE_PAYOUT_TRY,
    /** A line's block is known. Again with the same block it changes nothing and is DONE; CONFLICT
     *  if the line has another, another line has this one, or there is no such line in force. */
    STORE_PAYOUT_SENT,
    /** A line's block is confirmed; CONFLICT if it is not its block. */
    STORE_PAYOUT_CONFIRMED,
    /** Records what another hub has paid; CONFLICT if one of the send ids is there already. */
    STORE_PAYOUT_ORIGINAL,
    STORE_READ_PAYOUTS,
    STORE_READ_PAYOUT_LINES,
    /** Recomputes every total from the added rows; visit gets a text for each that differs. */
    STORE_CHECK,
};

/** How an operation ended. */
enum store_status {
    STORE_DONE,     /**< Durable. */
    STORE_CONFLICT, /**< Nothing was changed: what it adds exists already (durable as it stands), or
                         what it is about does not exist. */
    STORE_NO_CREDIT, /**< STORE_ANSWER: nothing was changed, the service has no credit left. */
    STORE_ABANDONED, /**< The store was closed before the operation could be made durable. */
};

/**
 * One operation. The caller owns it, fills what its kind needs, and must keep it, untouched, from
 * store_submit() until it is handed back. What is behind pointers likewise.
 */
struct store_op {
    struct queue_item item; /**< The store's; in store_take_done()'s list it links the ops. */
    enum store_op_kind kind;
    uint64_t token;           /**< The caller's. */
    void *user;               /**< The caller's. */
    enum store_status status; /**< Set by the store. */
    /** Written to the audit log with the operation, if that is DONE; NULL for none. */
    const struct audit_record *audit;
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
            struct root root;
            int64_t expires_ms; /**< Until then the same service is not charged again for it. */
            bool charged;       /**< ANSWER: out, a credit was used. UNANSWER: in. */
        } answer;
        struct {
            int64_t service_id;
            struct work_counts counts;
        } answers;
        struct service_record *service; /**< ADD: in all, out id. EDIT: in. */
        int64_t service_id;             /**< SERVICE_REMOVE. */
        struct {
            int64_t service_id;
            const char *hash;
            const char *old_hash;     /**< REHASH. */
            int64_t created_ms;       /**< ADD. */
            int64_t others_expire_ms; /**< ADD. */
        } key;
        struct {
            struct credit_record record; /**< In; id is out. */
            int64_t balance;             /**< Out. */
        } credit;
        /** BAN: account and ban. INVALID: account and how many. IMPORT: account, totals. */
        struct client_record client;
        struct work_counts totals;
        struct frontier_record frontier;
        const struct series_record *series;
        struct {
            struct payout_record record; /**< In: rule, budget, minimum, threshold, created_ms. Out:
                                              all else. */
            const struct account *excluded; /**< Who is not to be paid, but stays due. */
            size_t excluded_count;
            /**
             * Sets the amounts of the lines, which have account and counts, in ascending order of
             * the accounts; 0 stays due. On the store's thread; again if it must try again.
             * @return false if memory is short or the numbers are too large
             */
            bool (*divide)(const struct payout_record *record, struct payout_line *lines,
                           size_t count);
        } payout_plan;
        struct {
            struct payout_record record;     /**< In: created_ms. Out: id, and how many lines are
                                                  confirmed: those of known accounts. */
            const struct payout_line *lines; /**< Account, works and send id. */
            size_t count;
        } payout_original;
        struct {
            int64_t id;
            struct account account; /**< TRY, SENT, CONFIRMED: whose line. */
            struct account source;  /**< TRY. */
            struct root block;      /**< SENT, CONFIRMED. */
            int64_t now_ms;
        } payout;
        struct {
            int64_t service_id;            /**< READ_CREDITS: whose; 0 for all. */
            const struct account *account; /**< READ_CLIENTS: the only one; NULL for all.
                                                READ_PAYOUT_LINES: those after it. */
            int64_t payout_id;             /**< READ_PAYOUTS: the only one; 0 for all.
                                                READ_PAYOUT_LINES: whose. */
            size_t limit;                  /**< Rows, the newest. */
            /** Before the first row; again, and all rows with it, if the store must try again. */
            void (*begin)(void *context);
            union {
                void (*credit)(void *context, const struct credit_record *record);
                void (*client)(void *context, const struct client_record *record);
                void (*audit)(void *context, const struct audit_record *record);
                void (*payout)(void *context, const struct payout_record *record);
                void (*payout_line)(void *context, const struct payout_line *line);
                void (*fault)(void *context, const char *text);
            } visit;
            void *context;
        } read;
        struct {
            int64_t service_id;
            int64_t added[CREDIT_KINDS]; /**< Out. */
        } balance;
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
 * returns false to stop; so do all below.
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

/** Workers' accounts, those rewarded last first, at most limit; before store_start(). */
bool store_each_client(struct store *store, size_t limit,
                       bool (*visit)(void *context, const struct client_record *client),
                       void *context, struct error *error);

/** Accounts that expire after now_ms, those that expire last first; before store_start(). */
bool store_each_frontier(struct store *store, int64_t now_ms,
                         bool (*visit)(void *context, const struct frontier_record *frontier),
                         void *context, struct error *error);

/** Periods of a time series from a moment on, oldest first; before store_start(). */
bool store_each_series(struct store *store, enum series_resolution resolution, int64_t from_s,
                       bool (*visit)(void *context, const struct series_record *series),
                       void *context, struct error *error);

/** The pool's totals of rewarded works (`stats:*` of the original); before store_start(). */
bool store_totals(struct store *store, struct work_counts *totals, struct error *error);

/** Applies one operation on the caller's thread, before store_start() or after store_stop(); it is
 *  durable on success. */
bool store_apply(struct store *store, struct store_op *op, struct error *error);

/**
 * Calls a function that uses store_apply() and the readers above in one transaction, before
 * store_start(): what it applied becomes durable when it returns true, and if it returns false, or
 * the process dies, none of it was ever there. After a store_apply() that failed it must give up.
 * @param body returns false with the error filled
 */
bool store_apply_together(struct store *store, bool (*body)(void *context, struct error *error),
                          void *context, struct error *error);

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

/**
 * Copies a store, which other processes may be using, to a new file; needs no struct store. The
 * copy is what was durable at one moment, is checked, and takes its name only when it is complete.
 * @param path must not exist
 * @return false with the error filled: the source is no store, the file exists, no space
 */
bool store_backup(const char *url, const char *path, struct error *error);

#endif
