/**
 * sqlite_checkpoint: brings SQLite's write-ahead log into the file beside the commits. What a
 * commit waits for is only what has come since, a few pages, instead of the whole log.
 *
 *     IDLE ──log is long──► COPYING (a thread with a connection of its own)
 *       ▲                       │
 *       └──log begins anew── COPIED ──before the next transaction, by the writer
 *
 * The writer's thread owns a checkpointer; the other thread sees its state under a mutex.
 */
#ifndef DPOW_STORE_SQLITE_CHECKPOINT_H
#define DPOW_STORE_SQLITE_CHECKPOINT_H

#include "base/error.h"

#include <sqlite3.h>

struct checkpointer;

/**
 * Takes over a connection's checkpoints and starts the thread.
 * @param database the writer's connection, borrowed; in WAL mode
 * @return owned by the caller; NULL with the error filled, the connection is then as it was
 */
struct checkpointer *checkpointer_start(sqlite3 *database, const char *path, struct error *error);

/** Between transactions of the writer: ends a checkpoint that has been copied. */
void checkpointer_between(struct checkpointer *checkpointer);

/** Waits for the thread and frees; before the connection is closed. NULL is ignored. */
void checkpointer_stop(struct checkpointer *checkpointer);

#endif
