/**
 * raw_server: a listener for tests that answers a request's head with whatever bytes a test wants,
 * and a loop that does not wait for ever. All on the test's thread.
 */
#ifndef DPOW_TESTS_RAW_SERVER_H
#define DPOW_TESTS_RAW_SERVER_H

#include "base/bytes.h"

#include <uv.h>

enum { RAW_RECEIVED_MAX = 4096 };

/** What happens to a connection once the answer has been written. */
enum raw_ending {
    RAW_STAY,
    RAW_CLOSE,
    RAW_RESET,
    RAW_DEAF, /**< Stays, and reads no more. */
};

/** How to answer; read when a connection is accepted. */
struct raw_answer {
    bool silent;         /**< Never answers. */
    bool handshake;      /**< A right answer to a WebSocket handshake precedes the bytes. */
    const char *headers; /**< More lines of that answer; NULL for none. */
    bool bytewise;       /**< One byte a write. */
    bool pongs;          /**< Each ping seen is answered by a pong. */
    struct slice bytes;  /**< Borrowed while the server lives. */
    enum raw_ending ending;
};

struct raw_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t patience;
    uint16_t port;
    struct raw_answer answer;
    struct raw_connection *connections;
    unsigned accepted;
    unsigned answered; /**< Answers written to their end. */
    unsigned pings;
    char head[RAW_RECEIVED_MAX]; /**< Of the latest request, with its empty line; NUL-terminated. */
    char received[RAW_RECEIVED_MAX]; /**< What came after the head of the latest connection. */
    unsigned received_length;
};

/** Listens on a free port of 127.0.0.1. */
void raw_server_start(struct raw_server *server, uv_loop_t *loop);

/** Closes the listener: connections are refused from here on. */
void raw_server_refuse(struct raw_server *server);

/** Closes everything, and runs the loop until it is. */
void raw_server_stop(struct raw_server *server);

/** Runs the loop until a counter has reached a number; fails the test if that takes too long. */
void raw_wait_for(struct raw_server *server, const unsigned *counter, unsigned number);

#endif
