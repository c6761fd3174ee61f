/**
 * sqlite_internal: what the files of the SQLite backend share. sqlite_backend.c opens the file and
 * sends each operation where it belongs: sqlite_works.c (works and rewards), sqlite_answers.c
 * (answers and credits), sqlite_services.c (services and keys), sqlite_books.c (what else is
 * written, and the audit log), sqlite_payouts.c and sqlite_payout_*.c (payouts). sqlite_read.c
 * reads, sqlite_check.c recomputes the totals, sqlite_checkpoint.c keeps the log short,
 * sqlite_schema.c has the tables, sqlite_statements.c the statements and how values are bound.
 */
#ifndef DPOW_STORE_SQLITE_INTERNAL_H
#define DPOW_STORE_SQLITE_INTERNAL_H

#include "store/sqlite_checkpoint.h"
#include "store/store_backend.h"

#include <sqlite3.h>

/** The statements that are prepared once; their texts are in sqlite_statements.c. */
enum statement {
    WORK_PUT,
    REWARD_ADD,
    CLIENT_ADD,
    TOTAL_ADD,
    SERVICE_BALANCE,
    CHARGE_ADD,
    CHARGE_TAKE,
    COUNT_ADD,
    ANSWERS_ADD,
    CREDITS_USE,
    SERVICE_ADD,
    SERVICE_EDIT,
    SERVICE_REMOVE,
    KEYS_REMOVE,
    KEYS_EXPIRE,
    KEY_ADD,
    KEY_REHASH,
    CREDIT_CHANGE,
    CREDIT_ADD,
    CLIENT_BAN,
    CLIENT_INVALID,
    CLIENT_IMPORT,
    OPENING_ADD,
    TOTALS_OPEN,
    FRONTIER_PUT,
    FRONTIER_IMPORT,
    SERIES_PUT,
    AUDIT_ADD,
    WORKS_PURGE,
    CHARGES_PURGE,
    FRONTIERS_PURGE,
    KEYS_PURGE,
    SERIES_PURGE,
    STATEMENTS,
};

/** What the answers of a transaction add up to for one service, before it is written. */
struct tally {
    int64_t service_id; /**< 0: the slot is free. */
    bool exists;
    bool unlimited;
    int64_t credits;            /**< Left, this transaction's uses taken off. */
    int64_t before[WORK_TYPES]; /**< Answers counted before the transaction. */
    int64_t counts[WORK_TYPES]; /**< Answers of this transaction. */
    int64_t used;
};

enum {
    TALLIES = 256 /**< A power of two. */,
    TALLIES_MAX = 192 /**< Written when there are more. */
};

struct sqlite_backend {
    struct store_backend common;
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    struct checkpointer *checkpointer;
    int lock; /**< Descriptor whose flock says that this process owns the file; -1 for none. */
    size_t tally_count;
    struct tally tallies[TALLIES]; /**< By service, open addressing. */
};

/** Fills the error with what SQLite says; the text begins with what was being done. */
bool sqlite_failed(sqlite3 *database, const char *doing, struct error *error);

/* sqlite_schema.c */

/**
 * Creates the schema in an empty file, or brings an older one forward, in one transaction. A newer
 * schema, and another program's tables, are ERROR_INVALID and left as they are.
 */
bool sqlite_schema_update(sqlite3 *database, struct error *error);

/* sqlite_statements.c */
bool sqlite_prepare_all(struct sqlite_backend *backend, struct error *error);
bool sqlite_prepare(struct sqlite_backend *backend, const char *text, sqlite3_stmt **statement,
                    struct error *error);
/** Ends a statement of sqlite_prepare(); status is that of its last step. */
bool sqlite_finish(struct sqlite_backend *backend, sqlite3_stmt *statement, int status,
                   struct error *error);
/** Runs a prepared statement whose parameters are bound, to its end. */
bool sqlite_run(struct sqlite_backend *backend, enum statement which, struct error *error);
/** The same; a statement that changed no row makes the operation a STORE_CONFLICT. */
bool sqlite_run_changing(struct sqlite_backend *backend, enum statement which, struct store_op *op,
                         struct error *error);
void sqlite_bind_u64(sqlite3_stmt *statement, int index, uint64_t value);
void sqlite_bind_key(sqlite3_stmt *statement, int index, const uint8_t key[32]);
void sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text);
bool sqlite_read_u64(sqlite3_stmt *statement, int column, uint64_t *value);
bool sqlite_read_key(sqlite3_stmt *statement, int column, uint8_t key[32]);
void sqlite_read_text(sqlite3_stmt *statement, int column, char *text, size_t size);
/** Amounts: 16 bytes, most significant first. */
void sqlite_bind_u128(sqlite3_stmt *statement, int index, u128 value);
bool sqlite_read_u128(sqlite3_stmt *statement, int column, u128 *value);
/** Runs a statement of sqlite_prepare() to its end and makes it ready for the next. */
bool sqlite_step_through(struct sqlite_backend *backend, sqlite3_stmt *statement,
                         struct error *error);

/* sqlite_works.c, sqlite_answers.c, sqlite_services.c, sqlite_books.c */
bool sqlite_apply_work(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_apply_answer(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_apply_answers(struct sqlite_backend *backend, struct store_op *op, struct error *error);
/** Writes what the answers of the transaction add up to. */
bool sqlite_write_tallies(struct sqlite_backend *backend, struct error *error);
void sqlite_forget_tallies(struct sqlite_backend *backend);
bool sqlite_apply_service(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_apply_book(struct sqlite_backend *backend, struct store_op *op, struct error *error);
/** Adds a line to a service's credit account; the balance is -1 if nothing was changed. */
bool sqlite_add_credits(struct sqlite_backend *backend, struct credit_record *record,
                        int64_t *balance, struct error *error);
bool sqlite_write_audit(struct sqlite_backend *backend, const struct audit_record *record,
                        struct error *error);

/* sqlite_payouts.c, sqlite_payout_plan.c, sqlite_payout_original.c */
bool sqlite_apply_payout(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_plan_payout(struct sqlite_backend *backend, struct store_op *op, struct error *error);
/** Adds a payout without lines, and sets its id. */
bool sqlite_write_plan(struct sqlite_backend *backend, struct payout_record *record,
                       struct error *error);
bool sqlite_record_payout(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_read_payouts(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_read_payout_lines(struct sqlite_backend *backend, struct store_op *op,
                              struct error *error);
/** What the lines of each payout add up to; a part of sqlite_check(). */
bool sqlite_check_payouts(struct sqlite_backend *backend, struct store_op *op, struct error *error);

/* sqlite_read.c, sqlite_check.c */
bool sqlite_read_credits(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_read_clients(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_read_balance(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_read_audit(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_check(struct sqlite_backend *backend, struct store_op *op, struct error *error);
bool sqlite_each_service(struct store_backend *common,
                         bool (*visit)(void *context, const struct service_record *service),
                         void *context, struct error *error);
bool sqlite_each_work(struct store_backend *common, int64_t now_ms, size_t limit,
                      bool (*visit)(void *context, const struct work_record *work), void *context,
                      struct error *error);
bool sqlite_each_client(struct store_backend *common, size_t limit,
                        bool (*visit)(void *context, const struct client_record *client),
                        void *context, struct error *error);
bool sqlite_each_frontier(struct store_backend *common, int64_t now_ms,
                          bool (*visit)(void *context, const struct frontier_record *frontier),
                          void *context, struct error *error);
bool sqlite_each_series(struct store_backend *common, enum series_resolution resolution,
                        int64_t from_s,
                        bool (*visit)(void *context, const struct series_record *series),
                        void *context, struct error *error);
bool sqlite_totals(struct store_backend *common, struct work_counts *totals, struct error *error);

#endif
