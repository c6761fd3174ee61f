/**
 * broker: the hub's own Mosquitto: configured, started, watched, restarted, and ended with the hub.
 *
 * The broker runs as the hub's user. Its files (configuration, access list, password hashes) are
 * written anew at each start into a directory of mode 0700. It dies with the hub, also when the hub
 * is killed. All functions belong to the loop's thread.
 */
#ifndef DPOW_HUB_BROKER_H
#define DPOW_HUB_BROKER_H

#include "base/error.h"
#include "base/log.h"
#include "net/url.h"

#include <uv.h>

enum { BROKER_PASSWORD_SIZE = 65 };

/** Where the broker listens; after the start the ports are the ones in use. */
struct broker_endpoints {
    struct listen_address mqtt;
    struct listen_address websocket;
};

enum { BROKER_EXEMPT_SIZE = 800 };

/** What the plugin allows workers (operation.md, "Limits on workers"). All zeros is the default. */
struct broker_limits {
    unsigned connections_per_address;          /**< At most 65,535; 0: 64. */
    char exempt_addresses[BROKER_EXEMPT_SIZE]; /**< IP addresses with commas between. */
};

/** What to start; texts are copied. */
struct broker_options {
    uv_loop_t *loop;
    const struct log *log;
    const char *directory;             /**< Created if missing; its parent must exist. */
    struct broker_endpoints endpoints; /**< Port 0: any free one. */
    struct broker_limits limits;
    /** Mosquitto does not load the plugin, and never will; the reason is a sentence for people.
     * The broker must still be stopped. NULL: it is tried for ever. */
    void (*on_unusable)(void *context, const char *reason);
    void *context;
};

struct broker;

/**
 * Writes the files, chooses ports and starts Mosquitto.
 * @return owned by the caller, or NULL with the error filled: a port in use (the text names it), no
 *         setpriv installed, a directory that cannot be written
 */
struct broker *broker_start(const struct broker_options *options, struct error *error);

const struct broker_endpoints *broker_endpoints(const struct broker *broker);

/** The password of user `dpowserver`, new at each start. Never to be logged. */
const char *broker_server_password(const struct broker *broker);

/** The last line Mosquitto wrote, for an error's text; empty if it was silent. */
const char *broker_last_line(const struct broker *broker);

/** How often Mosquitto ended by itself since the start. */
unsigned broker_deaths(const struct broker *broker);

/** Ends Mosquitto, calls done once it has ended, and frees. */
void broker_stop(struct broker *broker, void (*done)(void *context), void *context);

#endif
