/**
 * mqtt_client: one connection to an MQTT 3.1.1 broker, kept up (libmosquitto on a libuv loop).
 *
 * It connects, reconnects with exponential pauses and jitter, and tells its owner what happens.
 * Sessions are clean: after each on_connected the owner subscribes again. All functions belong to
 * the loop's thread.
 */
#ifndef DPOW_NET_MQTT_CLIENT_H
#define DPOW_NET_MQTT_CLIENT_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"

#include <uv.h>

struct mqtt_client;

/** What to connect to and whom to tell. Strings are copied. */
struct mqtt_options {
    const char *host;
    uint16_t port;
    bool tls;             /**< Verify the broker against the system's certificates. */
    const char *user;     /**< NULL for none. */
    const char *password; /**< NULL for none. Never logged. */
    const char *client_id;
    unsigned keepalive_s;   /**< 5 to 65535. */
    const char *will_topic; /**< NULL for none; payload empty, QoS 1, not retained. */
    uint64_t retry_min_ms;  /**< First pause before a reconnect. */
    uint64_t retry_max_ms;  /**< Longest one; each pause is drawn between half and all of it. */
    /** Accepted by the broker. */
    void (*on_connected)(void *context);
    /** Lost or refused; the reason is a sentence for people. A reconnect follows by itself. */
    void (*on_disconnected)(void *context, const char *reason);
    /** A message; borrowed until the return. */
    void (*on_message)(void *context, struct slice topic, struct slice payload);
    /** The broker has granted or refused the subscription of this topic filter. */
    void (*on_subscribed)(void *context, const char *filter, bool granted);
    void *context;
};

/** Starts connecting. @return owned by the caller, or NULL with the error filled */
struct mqtt_client *mqtt_client_create(uv_loop_t *loop, const struct mqtt_options *options,
                                       const struct log *log, struct error *error);

/** Whether the broker has accepted the present connection. */
bool mqtt_client_connected(const struct mqtt_client *client);

/** Subscribes; on_subscribed tells the outcome. @return false when not connected or out of memory
 */
bool mqtt_client_subscribe(struct mqtt_client *client, const char *filter, int qos);

/**
 * Publishes, never retained. Messages are not kept for later.
 * @return false if it was not handed to the connection: not connected, or too much is unsent
 */
bool mqtt_client_publish(struct mqtt_client *client, const char *topic, struct slice payload,
                         int qos);

/** Disconnects cleanly (no will), calls done, if not NULL, and frees. No callback follows done. */
void mqtt_client_close(struct mqtt_client *client, void (*done)(void *context), void *context);

#endif
