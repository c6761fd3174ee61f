/**
 * service_api: requests of services by POST and WebSocket, from bytes to the core and back.
 *
 * A request becomes a *call*: read (service_request.h), its key checked (at once when the key is
 * known, otherwise on the checker's thread), its fields checked, admitted by its service's rate,
 * handed to the core as a waiter, and answered when the core says so. A call whose peer leaves is
 * withdrawn. All functions belong to the loop's thread.
 */
#ifndef DPOW_HUB_SERVICE_API_H
#define DPOW_HUB_SERVICE_API_H

#include "hub/core.h"
#include "hub/credential.h"
#include "hub/service_request.h"
#include "hub/services.h"
#include "net/http_server.h"

enum { CALLS_PER_SOCKET_MAX = 64 }; /**< dpow.md 3.4 */

struct service_api;

/** How one request ended. */
struct service_measure {
    bool reached_core;      /**< False: refused before. */
    enum hub_answer answer; /**< If it reached the core. */
    enum work_type type;    /**< If it was given work: how that counts. */
    uint64_t threshold;     /**< What it asked for, if it reached the core. */
    uint64_t waited_us;     /**< From its arrival to its answer. */
};

/** What the API works with; all borrowed for its life. */
struct service_api_options {
    struct hub_core *core;
    struct services *services;
    struct service_limits limits;
    uv_loop_t *loop;
    const struct log *log;
    /** Carries out the core's actions; called after every event the API puts into the core. */
    void (*act)(void *context);
    /** A request has been answered. */
    void (*measure)(void *context, const struct service_measure *measure);
    /** A key of the original's fast kind was used: keep a slow hash of it. Texts are borrowed. */
    void (*rehash)(void *context, int64_t service_id, const char *old_hash, const char *new_hash);
    void *context;
};

/** Counters since the start. */
struct service_api_counters {
    uint64_t refused; /**< Calls answered with an error before they reached the core. */
    size_t calls;     /**< In hand now. */
};

/** @return owned by the caller, or NULL with the error filled */
struct service_api *service_api_create(const struct service_api_options *options,
                                       struct error *error);

/** Frees; no call may be in hand: close the HTTP server first. */
void service_api_destroy(struct service_api *api);

/** From now on requests are checked against these. */
void service_api_set_limits(struct service_api *api, const struct service_limits *limits);

/** A service's keys have changed: what is remembered of them is forgotten. */
void service_api_forget_keys(struct service_api *api, int64_t service_id);

/**
 * A POST to /service/: http_respond() follows, now or later.
 * @param problems the caller wants errors as application/problem+json, with their own statuses
 */
void service_api_post(struct service_api *api, struct http_exchange *exchange, struct slice body,
                      bool problems);

/** The peer of a POST left before its answer. */
void service_api_post_gone(struct service_api *api, struct http_exchange *exchange);

/** A text on /service_ws/. */
void service_api_message(struct service_api *api, struct websocket *socket, struct slice text);

/** A WebSocket of /service_ws/ closed. */
void service_api_socket_closed(struct service_api *api, struct websocket *socket);

/** The core's HUB_REPLY. */
void service_api_reply(struct service_api *api, const struct hub_action *action);

void service_api_counters(const struct service_api *api, struct service_api_counters *counters);

#endif
