/**
 * store_backend: what a database must offer. One file set a database (sqlite_*.c); store.c knows
 * nothing of any. A backend is used by one thread at a time: the opener's before store_start(), the
 * writer's afterwards.
 */
#ifndef DPOW_STORE_STORE_BACKEND_H
#define DPOW_STORE_STORE_BACKEND_H

#include "store/store.h"

struct store_backend;

/** The operations of one kind of database. Failures fill the error with the system's reason. */
struct store_backend_ops {
    void (*close)(struct store_backend *backend);
    bool (*begin)(struct store_backend *backend, struct error *error);
    /** Applies one operation inside the transaction and sets its status and outputs. */
    bool (*apply)(struct store_backend *backend, struct store_op *op, struct error *error);
    /** True once everything since begin is durable. */
    bool (*commit)(struct store_backend *backend, struct error *error);
    void (*rollback)(struct store_backend *backend);
    /** Deletes at most limit rows each of what expired before now_ms (works, charges, accounts,
     *  keys, old periods); sets how many went in all, in transactions of its own. */
    bool (*purge)(struct store_backend *backend, int64_t now_ms, size_t limit, size_t *purged,
                  struct error *error);
    bool (*each_service)(struct store_backend *backend,
                         bool (*visit)(void *context, const struct service_record *service),
                         void *context, struct error *error);
    bool (*each_work)(struct store_backend *backend, int64_t now_ms, size_t limit,
                      bool (*visit)(void *context, const struct work_record *work), void *context,
                      struct error *error);
    bool (*each_client)(struct store_backend *backend, size_t limit,
                        bool (*visit)(void *context, const struct client_record *client),
                        void *context, struct error *error);
    bool (*each_frontier)(struct store_backend *backend, int64_t now_ms,
                          bool (*visit)(void *context, const struct frontier_record *frontier),
                          void *context, struct error *error);
    bool (*each_series)(struct store_backend *backend, enum series_resolution resolution,
                        int64_t from_s,
                        bool (*visit)(void *context, const struct series_record *series),
                        void *context, struct error *error);
    bool (*totals)(struct store_backend *backend, struct work_counts *totals, struct error *error);
};

/** The part that all backends have in common. */
struct store_backend {
    const struct store_backend_ops *ops;
};

/** SQLite in one file, created if missing. */
struct store_backend *sqlite_backend_open(const char *path, struct error *error);

/** Copies a SQLite store to a new file. */
bool sqlite_backup(const char *path, const char *copy, struct error *error);

#endif
