/**
 * workserver: work for Nano nodes and wallets from this machine's devices, over JSON-RPC
 * (work-server.md 1; docs/protocol/work-server.md).
 *
 * Start here, then queue_core.h: the life of a request as a state machine without I/O, with
 * work_memory, what it gives out again. rpc.h reads requests and writes answers. calls.c carries
 * them between HTTP or WebSocket and the core, pages.c has what GET serves, searches.c hands the
 * core's searches to the engine. workserver.c wires them to one event loop.
 *
 * This folder includes `base`, `nano`, `engine` and `net`; queue_core, work_memory and rpc only
 * `base` and `nano`.
 */
#ifndef DPOW_WORKSERVER_WORKSERVER_H
#define DPOW_WORKSERVER_WORKSERVER_H

#include "base/log.h"
#include "engine/devices.h"
#include "net/url.h"
#include "workserver/queue_core.h"
#include "workserver/rpc.h"

/** Everything an operator can choose. Texts are borrowed for the server's life. */
struct workserver_options {
    struct listen_address listen;
    struct device_list devices;
    const char *cache_dir; /**< For the engine (engine.h); NULL for none. */
    struct rpc_rules rules;
    struct queue_options queue; /**< Its seed is filled in. */
    size_t connections_max;
    const char *cors_origin; /**< Sent as Access-Control-Allow-Origin; NULL: none. */
    bool allow_control;      /**< Stopping and clearing the queue, from this machine only. */
};

/**
 * Serves until SIGTERM or SIGINT: prints the ready line on standard output when requests can be
 * served. At the end whoever waits is told "Cancelled".
 * @param interrupted set when it was SIGINT that ended it
 * @return false with the error filled if it could not start
 */
bool workserver_run(const struct workserver_options *options, const struct log *log,
                    bool *interrupted, struct error *error);

#endif
