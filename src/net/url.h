/**
 * url: the addresses that options take: `scheme://[user[:password]@]host[:port][/path]`, and
 * `ADDRESS:PORT` to listen on.
 */
#ifndef DPOW_NET_URL_H
#define DPOW_NET_URL_H

#include "base/bytes.h"
#include "base/error.h"

/** The parts of a URL, each NUL-terminated; user and password with %XX resolved. */
struct url {
    char scheme[16];    /**< Lower case. */
    char user[128];     /**< Empty if absent. */
    char password[128]; /**< Empty if absent. Never to be logged. */
    char host[256];     /**< Without the brackets of an IPv6 address. */
    uint16_t port;      /**< 0 if absent. */
    char path[512];     /**< With its leading slash and any query; empty if absent. */
};

/** Reads a URL; the error's text never holds the user's part. */
bool url_parse(const char *text, struct url *url, struct error *error);

/** An address to listen on. */
struct listen_address {
    char host[64];
    uint16_t port;
};

/** Reads `127.0.0.1:5030`, `[::1]:5030`; numeric addresses only; port 0 is any free port. */
bool listen_address_parse(const char *text, struct listen_address *address, struct error *error);

#endif
