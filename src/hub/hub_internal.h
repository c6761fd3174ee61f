/**
 * hub_internal: the running hub, as hub.c (start, events, stop) and routes.c (HTTP paths) see it.
 */
#ifndef DPOW_HUB_HUB_INTERNAL_H
#define DPOW_HUB_HUB_INTERNAL_H

#include "hub/block_watch.h"
#include "hub/board.h"
#include "hub/broker.h"
#include "hub/control.h"
#include "hub/core.h"
#include "hub/hub.h"
#include "hub/ledger.h"
#include "hub/service_api.h"
#include "hub/services.h"
#include "hub/worker_link.h"
#include "net/http_server.h"
#include "net/loop.h"

enum { HUB_PATH_SIZE = 1024, HUB_URL_SIZE = 320 };

enum hub_phase {
    HUB_STARTING, /**< The broker has not answered yet. */
    HUB_RUNNING,
    HUB_DRAINING, /**< A signal came: what is in hand is being answered. */
    HUB_CLOSING,  /**< Handles are being closed; the loop ends when they are. */
};

/** Everything the event-loop thread owns. */
struct hub {
    const struct hub_options *options;
    struct hub_settings settings;
    struct log log;
    enum hub_phase phase;
    struct error error; /**< Why the hub ended, if not by a signal. */
    bool failed;
    bool interrupted;
    char store_url[HUB_PATH_SIZE];
    uv_loop_t loop;
    uv_signal_t on_terminate;
    uv_signal_t on_interrupt;
    uv_signal_t on_hangup;
    uv_timer_t core_timer;
    uv_timer_t second_timer;
    uv_timer_t phase_timer; /**< Ends STARTING and DRAINING. */
    uint64_t core_timer_us; /**< When core_timer is due; UINT64_MAX if it is not running. */
    struct hub_core *core;
    struct services *services;
    struct store *store;
    struct ledger *ledger;
    struct service_api *api;
    struct board *board;
    struct http_server *http;
    struct http_server *metrics_http; /**< NULL without --metrics-listen. */
    struct tls_server *tls;           /**< NULL without TLS. */
    struct broker *broker;            /**< NULL with an external one. */
    uint64_t floor_threshold;         /**< The lowest threshold that anything is asked with. */
    struct worker_link *link;
    struct block_watch *watch;
    struct control *control;
    char store_reason[200];  /**< Why commits fail; empty while they work. */
    char broker_reason[200]; /**< Why there is no broker; empty while there is. */
};

/** Whether all parts work; the reasons otherwise are in the hub. */
bool hub_healthy(const struct hub *hub);

/** The hub's parts for the board's texts. */
struct board_view hub_view(const struct hub *hub);

/* routes.c: the HTTP server's handlers. */
struct http_handlers hub_routes(struct hub *hub);
struct http_handlers hub_metrics_routes(struct hub *hub);

#endif
