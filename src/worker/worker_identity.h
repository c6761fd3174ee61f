/**
 * worker_identity: the MQTT client id of a worker, kept between runs (dispatch.md).
 */
#ifndef DPOW_WORKER_WORKER_IDENTITY_H
#define DPOW_WORKER_WORKER_IDENTITY_H

#include "base/error.h"

enum { WORKER_ID_SIZE = 29 }; /**< `w-`, 26 characters of base32, and the NUL. */

/**
 * Reads the id from `<directory>/worker-id`, or makes one of 128 random bits and keeps it there.
 * @param directory created, with what is missing above it, for its owner only
 */
bool worker_identity_load(const char *directory, char id[WORKER_ID_SIZE], struct error *error);

#endif
