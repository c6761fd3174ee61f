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

/** What the API works with; all borrowed for its life. */
struct service_api_options {
    struct hub_core *core;
    struct services *services;
    struct service_limits limits;
    uv_loop_t *loop;
    const struct log *log;
    /** Carries out the core's actions; called after every event the API puts into the core. */
    void (*act)(void *context);
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

/** A POST to /service/: http_respond() follows, now or later. */
void service_api_post(struct service_api *api, struct http_exchange *exchange, struct slice body);

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
