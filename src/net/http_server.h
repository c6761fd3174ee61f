/**
 * http_server: an HTTP/1.1 and WebSocket server on one libuv loop, with or without TLS.
 *
 * Requests of one connection are handed up one at a time and answered in order; bytes of the next
 * requests wait in a buffer of the size of one; a peer that sends more of them ahead is closed.
 * Limits are enforced here, before a handler sees anything: size of head and body, time to send a
 * request, idle time, connections, bytes waiting to be sent. All functions belong to the loop's
 * thread.
 */
#ifndef DPOW_NET_HTTP_SERVER_H
#define DPOW_NET_HTTP_SERVER_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "net/tls.h"
#include "net/url.h"

#include <uv.h>

struct http_server;   /**< A listener and its connections. */
struct http_exchange; /**< One request that waits for its answer. */
struct websocket;     /**< One open WebSocket. */

/** A request as a handler sees it; everything is borrowed until the handler returns. */
struct http_request {
    struct slice method;        /**< "GET", "POST", … */
    struct slice path;          /**< Without the query; as sent, not decoded. */
    struct slice query;         /**< After the question mark, or empty. */
    struct slice accept;        /**< The Accept header, or empty. */
    struct slice authorization; /**< The Authorization header, or empty. */
    struct slice origin;        /**< The Origin header, which pages in browsers send, or empty. */
    struct slice body;
    const char *peer;   /**< Address of the peer, numeric, without its port. */
    uint64_t opened_us; /**< When its connection was opened, by clock_monotonic_us(). */
};

/** What the owner of a server is told, always from the loop, never from inside a call of the
 * owner's. Handlers may answer at once or later. */
struct http_handlers {
    /** A complete request. http_respond() is owed exactly once for the exchange, unless on_gone
     *  comes first. */
    void (*on_request)(void *context, struct http_exchange *exchange,
                       const struct http_request *request);
    /** The peer left before its answer; the exchange ceases to exist when this returns. A peer that
     *  closes its sending side counts as gone: callers that hang up are common, and a search must
     *  not go on for them. */
    void (*on_gone)(void *context, struct http_exchange *exchange);
    /** An upgrade request for this path: whether to accept it (otherwise 404). */
    bool (*on_upgrade)(void *context, const struct http_request *request);
    /** Asked first, if not NULL: which server behind this one serves the upgrade request; NULL for
     *  none. Such a WebSocket must offer the subprotocol of MQTT, and is copied both ways unseen
     *  after a new request for /mqtt there; it is a connection like others, without idle time.
     *  Borrowed until the return. */
    const struct listen_address *(*on_tunnel)(void *context, const struct http_request *request);
    void (*on_open)(void *context, struct websocket *socket, const struct http_request *request);
    /** One complete text message; binary messages are ignored. Borrowed until the return. */
    void (*on_message)(void *context, struct websocket *socket, struct slice text);
    /** The WebSocket is closed, for whatever reason: it ceases to exist when this returns. */
    void (*on_close)(void *context, struct websocket *socket);
    void *context;
};

/** Limits; http_limits_default() fills in what the hub needs (dpow.md 3.3, 3.4). */
struct http_limits {
    size_t head_bytes;           /**< Request line and headers; more: 431. */
    size_t body_bytes;           /**< More: 413. */
    uint64_t request_ms;         /**< From the first byte of a request to its last; more: 408. Also
                                      from the connection to its first byte, a TLS handshake
                                      included; more: closed. */
    uint64_t idle_ms;            /**< A connection is closed so long after its last answer. */
    size_t connections;          /**< More are closed at once. */
    size_t connections_per_peer; /**< Of one address, likewise; 0 means no such limit. */
    size_t message_bytes;        /**< A WebSocket message; more: close 1009. */
    size_t unsent_bytes;         /**< Waiting for one peer to read; more: it is disconnected. */
    uint64_t ping_ms;            /**< Pause between pings of a WebSocket. */
    uint64_t pong_ms;            /**< Without a pong for so long after a ping it is closed. */
};

/** The limits of the service API: 16 KiB bodies, 2048-byte messages, pings each 20 s. */
struct http_limits http_limits_default(void);

/** Counters since the start, for metrics and health. */
struct http_counters {
    uint64_t requests;  /**< Complete requests handed up. */
    uint64_t refused;   /**< Answered by a limit or as malformed. */
    uint64_t messages;  /**< WebSocket texts handed up. */
    size_t connections; /**< Open now, WebSockets included. */
    size_t websockets;  /**< Open now, those that are tunnelled left out. */
    size_t tunnels;     /**< Open now. */
};

/**
 * Starts to listen.
 * @param address numeric IPv4 or IPv6
 * @param port 0 for any free one
 * @param handlers copied
 * @return owned by the caller, or NULL with the error filled (the text names address and port)
 */
struct http_server *http_server_create(uv_loop_t *loop, const char *address, uint16_t port,
                                       const struct http_handlers *handlers,
                                       const struct http_limits *limits, const struct log *log,
                                       struct error *error);

/**
 * Lets all connections speak TLS; to be called before the loop runs.
 * @param tls borrowed until the server is closed; it may be reloaded in between
 */
void http_server_use_tls(struct http_server *server, const struct tls_server *tls);

/** The port it listens on. */
uint16_t http_server_port(const struct http_server *server);

void http_server_counters(const struct http_server *server, struct http_counters *counters);

/** Accepts no more connections and no more requests on open ones; what is owed is still sent. */
void http_server_stop_accepting(struct http_server *server);

/**
 * Closes every connection (WebSockets with 1001) after what is queued has been written or 1 s has
 * passed; on_gone and on_close come for what was open. Then calls done, if not NULL, and frees.
 */
void http_server_close(struct http_server *server, void (*done)(void *context), void *context);

/** An answer; data is copied before http_respond() returns. */
struct http_response {
    int status;               /**< 100 to 599. */
    const char *content_type; /**< NULL for none. */
    const char *headers;      /**< More header lines, each ended by CR LF; NULL for none. */
    struct slice body;
};

/** Sends the answer of an exchange and ends it; the exchange must not be used again. */
void http_respond(struct http_exchange *exchange, const struct http_response *response);

/** Whatever the owner wants to find again in its callbacks; NULL at first. */
void http_exchange_set_user(struct http_exchange *exchange, void *user);
void *http_exchange_user(const struct http_exchange *exchange);

/** Sends a text message; copied. Ignored when the WebSocket is closing. */
void websocket_send(struct websocket *socket, struct slice text);

/** Closes with a status code (RFC 6455 7.4); on_close follows. */
void websocket_close(struct websocket *socket, uint16_t code);

void websocket_set_user(struct websocket *socket, void *user);
void *websocket_user(const struct websocket *socket);

#endif
