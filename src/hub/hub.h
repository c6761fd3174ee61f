/**
 * hub: services ask for work, workers find it, the hub stands between and keeps the books.
 *
 * Start here, then core.h: the life of a request as a state machine without I/O. Around it, one
 * file an adapter: service_api (POST and WebSocket; with service_request, services, credential,
 * answer), worker_link (MQTT), broker (the hub's own Mosquitto), block_watch (a Nano node), ledger
 * (the store), board with clients, series and statistics (what is shown), control and admin (the
 * operator). hub.c wires them to one event loop.
 *
 * Connections tells from the results which worker's connection is to be banned; the broker's plugin
 * (folder `broker`) carries it out.
 *
 * This folder includes `base`, `nano`, `net`, `node`, `store` and `broker`; core*.c only `base` and
 * `nano`.
 */
#ifndef DPOW_HUB_HUB_H
#define DPOW_HUB_HUB_H

#include "base/error.h"
#include "base/log.h"
#include "hub/broker.h"
#include "nano/difficulty.h"
#include "net/url.h"

/** What an operator can change while the hub runs (SIGHUP). */
struct hub_settings {
    double max_multiplier; /**< 1 to 1e6. */
    bool clamp; /**< Requests above it get the most that is allowed instead of an error. */
};
enum { HUB_BLOCK_ALLOW_MAX = 16 };

/** Everything an operator can choose. Texts are borrowed for the hub's life. */
struct hub_options {
    const char *data_directory;           /**< Created with mode 0700 if it is missing. */
    const char *store_url;                /**< NULL: "sqlite:" in the data directory. */
    const char *broker_url;               /**< NULL: a Mosquitto of its own. */
    struct listen_address listen;         /**< Service API. */
    const char *tls_certificate;          /**< PEM file for the service API; NULL: no TLS. */
    const char *tls_key;                  /**< PEM file; NULL exactly if tls_certificate is. */
    struct listen_address mqtt_listen;    /**< Own broker: MQTT over TCP. */
    struct listen_address mqtt_ws_listen; /**< Own broker: MQTT over WebSocket. */
    struct listen_address metrics_listen; /**< GET /metrics for anybody; an empty host for none. */
    const struct network *network;
    uint64_t base_difficulty; /**< 0: the network's send threshold. */
    struct hub_settings settings;
    /** Reads the settings once more; false with the error filled leaves them as they are. */
    bool (*reread)(void *context, struct hub_settings *settings, struct error *error);
    void *reread_context;
    bool precache;            /**< false: nothing is made ahead, whatever services may have. */
    const char *node_ws_url;  /**< A Nano node's WebSocket; NULL: none. */
    const char *node_rpc_url; /**< A Nano node's RPC; NULL: none. */
    const char *block_allow[HUB_BLOCK_ALLOW_MAX]; /**< Who may call back; none: this machine. */
    size_t block_allow_count;
    const char *block_secret; /**< The end of the callback's path for all others; NULL: none. */
    struct broker_limits broker_limits; /**< Own broker. */
};

/**
 * Runs a hub until SIGTERM or SIGINT: prints the ready line on standard output when requests can be
 * served, and on a signal stops taking requests, answers what it can within 5 s, and returns.
 * @param interrupted set when it was SIGINT that ended it
 * @return false with the error filled if it could not start or lost what it cannot do without
 */
bool hub_run(const struct hub_options *options, const struct log *log, bool *interrupted,
             struct error *error);

#endif
