/**
 * http_internal: what the files of the HTTP server share. http_server.c listens, keeps the list of
 * connections and their deadlines; http_connection.c moves bytes and requests of one connection,
 * through http_tls.c where there is TLS; websocket.c or http_tunnel.c takes over when a connection
 * is upgraded.
 */
#ifndef DPOW_NET_HTTP_INTERNAL_H
#define DPOW_NET_HTTP_INTERNAL_H

#include "net/http_server.h"

#include <http_parser.h>
#include <netinet/in.h>

enum {
    HTTP_URL_MAX = 2048,
    HTTP_HEADER_VALUE_MAX = 512, /**< Of the headers that are looked at. */
    HTTP_DRAIN_MAX = 16 << 20,   /**< Bytes read and dropped after a refusal, so that it arrives. */
    HTTP_DRAIN_MS = 2000,
    HTTP_CORKED_MAX = 16384,   /**< Bytes of a connection held back within a turn of the loop. */
    HTTP_CLOSE_MS = 1000,      /**< For what is owed when the server closes. */
    WEBSOCKET_CLOSE_MS = 2000, /**< For the peer's part of a closing handshake. */
};

/** The headers that matter, in the order of http_header_names. */
enum http_header {
    HEADER_ACCEPT,
    HEADER_AUTHORIZATION,
    HEADER_EXPECT,
    HEADER_ORIGIN,
    HEADER_UPGRADE,
    HEADER_WEBSOCKET_KEY,
    HEADER_WEBSOCKET_PROTOCOL,
    HEADER_WEBSOCKET_VERSION,
    HEADER_COUNT, /**< Also: the header being read is none of these. */
};

/** A request while it is read; an idle connection has none. */
struct request_buffer {
    char url[HTTP_URL_MAX];
    size_t url_length;
    char field[32];      /**< The name of the header being read, in lower case. */
    size_t field_length; /**< May exceed the room; such a name is none that matters. */
    bool in_value;
    enum http_header header; /**< Whose value is being read. */
    char values[HEADER_COUNT][HTTP_HEADER_VALUE_MAX];
    size_t value_lengths[HEADER_COUNT];
    size_t head_bytes;
    char *body;
    size_t body_length;
    size_t body_capacity;
    int refusal; /**< Status of the limit that was hit; 0 for none. */
};

enum connection_state {
    CONNECTION_READING,   /**< Between requests, or in one. */
    CONNECTION_ANSWERING, /**< A request is with the owner. */
    CONNECTION_WEBSOCKET,
    CONNECTION_TUNNEL,
    CONNECTION_DRAINING, /**< Refused or last answer sent: what still comes is dropped. */
    CONNECTION_CLOSING,  /**< uv_close() called. */
};

struct http_exchange {
    struct http_connection *connection;
    void *user;
};

struct http_connection {
    uv_tcp_t tcp;
    struct http_server *server;
    struct http_connection *previous;
    struct http_connection *next;
    struct http_connection *previous_corked; /**< Among those with bytes held back. */
    struct http_connection *next_corked;
    char *corked; /**< Bytes held back until the end of the loop's turn; NULL for none. */
    size_t corked_length;
    size_t corked_capacity;
    enum connection_state state;
    struct http_parser parser;
    struct request_buffer *request;
    struct http_exchange exchange;
    bool keep_alive;  /**< Of the request being answered. */
    bool head_only;   /**< It is a HEAD request. */
    bool answer_owed; /**< The owner has been handed a request and has not answered. */
    bool feeding;     /**< In connection_feed(): answers must not call it again. */
    char *pending;    /**< Bytes after the request being answered. */
    size_t pending_length;
    size_t drained;
    uint64_t deadline_ms; /**< Loop time at which the present state has lasted too long. */
    struct websocket *websocket;
    struct tunnel *tunnel;
    struct tls_connection *tls; /**< NULL without TLS, and until the first bytes come. */
    struct in6_addr address;    /**< Of the peer; IPv4 mapped. */
    char peer[INET6_ADDRSTRLEN];
    uint64_t opened_us;
};

struct http_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_prepare_t flusher; /**< Runs while a connection has bytes held back. */
    struct http_connection *corked;
    uv_idle_t resumer; /**< Runs while a connection has a next request in its buffer. */
    struct http_handlers handlers;
    struct http_limits limits;
    struct log log;
    const struct tls_server *tls; /**< NULL for none. */
    uint16_t port;
    struct http_connection *connections;
    struct http_counters counters;
    bool accepting;
    bool accept_later; /**< accept() failed for want of descriptors: tried again by the timer. */
    bool closing;
    unsigned handles_open; /**< Its own and the tunnels'. */
    void (*done)(void *context);
    void *done_context;
    char read_buffer[65536];
};

/* http_server.c */
bool server_parse_address(const char *host, uint16_t port, struct sockaddr_storage *address);
void server_forget(struct http_connection *connection);
void server_finish_close(struct http_server *server);
void server_resume_later(struct http_server *server);
void server_flush_later(struct http_server *server);

/* http_connection.c */
struct http_connection *connection_create(struct http_server *server);
void connection_start(struct http_connection *connection);
void connection_close(struct http_connection *connection);
void connection_resume(struct http_connection *connection);
void connection_drain(struct http_connection *connection);
void connection_expire(struct http_connection *connection, uint64_t now_ms);
bool connection_write(struct http_connection *connection, const uv_buf_t *parts, unsigned count);
void connection_flush(struct http_connection *connection);
bool connection_send(struct http_connection *connection, const uv_buf_t *parts, unsigned count);
void connection_read(struct http_connection *connection);
void connection_input(struct http_connection *connection, const char *data, size_t length);
void connection_ended(struct http_connection *connection);
void connection_refuse(struct http_connection *connection, int status, const char *text);

/* http_tls.c */
void https_input(struct http_connection *connection, const char *data, size_t length);
bool https_write(struct http_connection *connection, const uv_buf_t *parts, unsigned count);
void https_end(struct http_connection *connection);
void https_abandon(struct http_connection *connection);

/* http_tunnel.c */
void tunnel_open(struct http_connection *connection, const struct listen_address *target);
void tunnel_input(struct tunnel *tunnel, const char *data, size_t length);
void tunnel_peer_written(struct tunnel *tunnel);
void tunnel_peer_ended(struct tunnel *tunnel);
void tunnel_expire(struct tunnel *tunnel, uint64_t now_ms);
void tunnel_release(struct tunnel *tunnel);

/* websocket.c */
bool websocket_key_is_valid(struct slice key);
bool websocket_accept(struct http_connection *connection, const struct http_request *request);
void websocket_input(struct websocket *socket, const char *data, size_t length);
void websocket_expire(struct websocket *socket, uint64_t now_ms);
void websocket_closed(struct websocket *socket);
void websocket_free(struct websocket *socket);

/** The answer to a Sec-WebSocket-Key: base64(SHA-1(key, GUID)) (RFC 6455 4.2.2), 28 characters and
 * a NUL. @return false if the key is not that of 16 bytes */
bool websocket_accept_key(struct slice key, char accept[32]);

#endif
