/**
 * websocket_client: one WebSocket to a server (RFC 6455), kept up.
 *
 * It connects, reconnects with exponential pauses and jitter, pings, and tells its owner what
 * happens. What the owner had subscribed to is not remembered: after each on_open it starts anew.
 * The server is not trusted: its head, its messages and what it leaves unread are bounded, and
 * whatever breaks the protocol ends the connection. All functions belong to the loop's thread; the
 * process ignores SIGPIPE.
 *
 * States: WAITING -(pause over)-> DIALING -(connected)-> HANDSHAKING -(accepted)-> OPEN; from each
 * of the last three back to WAITING with on_lost; from any to CLOSING by websocket_client_close().
 */
#ifndef DPOW_NET_WEBSOCKET_CLIENT_H
#define DPOW_NET_WEBSOCKET_CLIENT_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "net/url.h"

#include <uv.h>

struct websocket_client;

/** What to connect to and whom to tell; the callbacks come from the loop only, never from within a
 * function of this header. Times of 0 count as 1 ms. */
struct websocket_client_options {
    const struct url *url;    /**< Scheme ws; port 80 if absent. A user is sent as HTTP Basic
                                   authorization. Copied. */
    uint64_t ping_ms;         /**< Pause between pings. An open connection on which nothing came for
                                   twice this time is lost; connecting may take as long, and so may the
                                   server's answer to the handshake. */
    uint64_t retry_min_ms;    /**< First pause before a reconnect, again after each on_open. */
    uint64_t retry_max_ms;    /**< Longest one; each pause is drawn between half and all of it. */
    size_t message_bytes_max; /**< Of a text, all its fragments together; more ends the connection.
                               */
    /** The server has accepted. */
    void (*on_open)(void *context);
    /** Lost after on_open, or an attempt failed; the reason is a sentence for people, borrowed
     * until the return. Another attempt follows by itself. */
    void (*on_lost)(void *context, const char *reason);
    /** One complete text, valid UTF-8, borrowed until the return; binary messages are ignored. */
    void (*on_text)(void *context, struct slice text);
    void *context;
};

/**
 * Starts connecting.
 * @return owned by the caller, or NULL with the error filled: another scheme than ws or a URL that
 *         cannot be sent (ERROR_INVALID), or no memory
 */
struct websocket_client *websocket_client_create(uv_loop_t *loop,
                                                 const struct websocket_client_options *options,
                                                 const struct log *log, struct error *error);

/**
 * Sends a text; copied. Texts are not kept for a later connection.
 * @param text valid UTF-8, which is not checked
 * @return false when not open, or out of memory, or when 1 MiB would be waiting for the server to
 *         read
 */
bool websocket_client_send(struct websocket_client *client, struct slice text);

/**
 * Says goodbye without waiting for the server's, drops what is unsent, and frees once all handles
 * have closed on the loop; then calls done, if not NULL. No callback but done follows. Callbacks
 * may call it, once.
 */
void websocket_client_close(struct websocket_client *client, void (*done)(void *context),
                            void *context);

#endif
