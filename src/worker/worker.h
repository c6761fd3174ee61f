/**
 * worker: searches what hubs ask for, on this machine's devices, and is rewarded for it.
 *
 * Start at worker_core.h: what to do about each message, as a state machine without I/O. worker.c
 * wires it to an MQTT connection (net) and to the search threads (engine); worker_identity.h keeps
 * the name the broker knows it by.
 *
 * This folder includes `base`, `nano`, `engine` and `net`; worker_core only `base` and `nano`.
 */
#ifndef DPOW_WORKER_WORKER_H
#define DPOW_WORKER_WORKER_H

#include "base/error.h"
#include "base/log.h"
#include "engine/devices.h"
#include "nano/account.h"
#include "nano/message.h"
#include "net/url.h"

/** Everything a user can choose; texts are borrowed. */
struct worker_options {
    struct url hub;         /**< mqtt:// or mqtts://, with the login. */
    struct account account; /**< Whom rewards are for. */
    bool types[WORK_TYPES]; /**< Which kinds of work to take; at least one. */
    struct device_list devices;
    const char *cache_dir;          /**< For the engine (engine.h); NULL for none. */
    const char *identity_directory; /**< Where the client id is kept between runs. */
    bool screen;                    /**< A live line on standard error instead of log lines. */
};

/**
 * Works until SIGTERM or SIGINT. Losing the hub is not an end: it connects again.
 * @param interrupted set when it was SIGINT that ended it
 * @return false with the error filled if it could not start
 */
bool worker_run(const struct worker_options *options, const struct log *log, bool *interrupted,
                struct error *error);

#endif
