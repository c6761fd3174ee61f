/**
 * worker_link: the hub's side of MQTT: publishes work, cancels, rewards, heartbeat and statistics,
 * and reads results (dpow.md 2). All functions belong to the loop's thread.
 */
#ifndef DPOW_HUB_WORKER_LINK_H
#define DPOW_HUB_WORKER_LINK_H

#include "base/log.h"
#include "hub/clients.h"
#include "hub/core.h"

#include <uv.h>

struct worker_link;

/** How to reach the broker, and what the link works with; borrowed for its life. */
struct worker_link_options {
    const char *host;
    uint16_t port;
    bool tls;
    const char *user;
    const char *password;
    /** Whether the broker runs our plugin: results come with their connection's label, and
     * connections can be banned. */
    bool has_plugin;
    /** Works below this are of no use to anybody, whatever was asked: a fault of their sender. */
    uint64_t floor_threshold;
    struct hub_core *core;
    const struct clients *clients; /**< Who is banned. */
    uv_loop_t *loop;
    const struct log *log;
    /** Carries out the core's actions; called after every event the link puts into the core. */
    void (*act)(void *context);
    /** An account's result met no threshold that anything was ever asked with. */
    void (*on_invalid)(void *context, const struct account *account);
    /** The broker has granted the subscriptions (true), or has been lost (false, with a reason). */
    void (*on_broker)(void *context, bool up, const char *reason);
    void *context;
};

/** Counters since the start. */
struct worker_link_counters {
    uint64_t published;
    uint64_t unpublished;      /**< Messages that had to be dropped: no broker. */
    uint64_t malformed;        /**< Results that could not be read. */
    uint64_t invalid_accounts; /**< Accepted results whose account was not one. */
    uint64_t banned;           /**< Results of banned accounts: not looked at. */
    uint64_t faults;           /**< Invalid results that were laid to a connection. */
    uint64_t bans;             /**< Connections banned, by the hub or the operator. */
};

/** What the broker's plugin has last said it did, since the broker's start; dpow.md 2.2. */
struct broker_counters {
    uint64_t connections; /**< Of workers, at present. */
    uint64_t large;       /**< Messages dropped: over 1 KiB. */
    uint64_t malformed;   /**< Messages dropped: results against the grammar. */
    uint64_t rate;        /**< Messages dropped: too many. */
    uint64_t banned;      /**< Messages dropped: of a connection that was being ended. */
    uint64_t refused;     /**< Logins refused, for whatever reason but a wrong password. */
};

/** @return owned by the caller, or NULL with the error filled */
struct worker_link *worker_link_create(const struct worker_link_options *options,
                                       struct error *error);

/** Whether results can arrive and work can be published. */
bool worker_link_up(const struct worker_link *link);

/** Carries out HUB_WORK, HUB_CANCEL or HUB_REWARD. */
void worker_link_publish(struct worker_link *link, const struct hub_action *action);

void worker_link_heartbeat(struct worker_link *link);

/** Publishes the JSON of the statistics; one of over 200 kB is left out, with a warning. */
void worker_link_statistics(struct worker_link *link, struct slice json);

void worker_link_counters(const struct worker_link *link, struct worker_link_counters *counters);

/** @return false if the broker has no plugin, or it has not said anything yet */
bool worker_link_broker_counters(const struct worker_link *link, struct broker_counters *counters);

/**
 * Ends a connection and refuses its client id, and after a second strike its address.
 * @param client its client id, or the label the log names it by (broker/label.h)
 * @param seconds 1 to BROKER_BAN_MAX_S
 * @return false if the broker is not there, has no plugin, or the parameters are wrong
 */
bool worker_link_ban(struct worker_link *link, struct slice client, unsigned seconds);

/** Leaves the broker, calls done and frees. */
void worker_link_close(struct worker_link *link, void (*done)(void *context), void *context);

#endif
