/**
 * worker_identity: the MQTT client id of a worker, kept between runs (dispatch.md).
 *
 * A broker lets one client of an id in and drops the one before. So an id belongs to one process at
 * a time: a second worker with the same directory takes a second id, and so on.
 */
#ifndef DPOW_WORKER_WORKER_IDENTITY_H
#define DPOW_WORKER_WORKER_IDENTITY_H

#include "base/error.h"

enum {
    WORKER_ID_SIZE = 29,          /**< `w-`, 26 characters of base32, and the NUL. */
    WORKER_IDENTITIES_MAX = 1024, /**< Workers that can share a directory. */
};

/** An id and the lock that keeps it. */
struct worker_identity {
    char id[WORKER_ID_SIZE];
    int descriptor; /**< Of the locked file. */
};

/**
 * Takes the first id of `<directory>/worker-id`, `worker-id-2`, … that no other process has; makes
 * one of 128 random bits and keeps it there if the file is missing or holds no id.
 * @param directory created, with what is missing above it, for its owner only
 * @param identity to be released by the caller
 */
bool worker_identity_take(const char *directory, struct worker_identity *identity,
                          struct error *error);

/** Lets another process have the id. The end of the process does it too. */
void worker_identity_release(struct worker_identity *identity);

#endif
