/**
 * tls: the server's side of TLS, without sockets.
 *
 * A `tls_server` is a certificate with its key. A `tls_connection` turns bytes from the network
 * into decrypted ones and back: the caller feeds what it received, reads until TLS_WAIT, and sends
 * whatever tls_outgoing() then holds, which may be something after every one of these calls. TLS
 * 1.2 and 1.3, forward secrecy only, no compression, no renegotiation. One thread at a time.
 */
#ifndef DPOW_NET_TLS_H
#define DPOW_NET_TLS_H

#include "base/bytes.h"
#include "base/error.h"

struct tls_server;     /**< A certificate and its key. */
struct tls_connection; /**< One end of one connection. */

enum {
    TLS_PIECE_SIZE = 16384, /**< The most that one record holds; feeding and writing in pieces of
                                 this size keeps the memory of a connection small. */
};

/** How a connection stands after tls_read(). */
enum tls_result {
    TLS_BYTES,  /**< Decrypted bytes were written. */
    TLS_WAIT,   /**< What was fed is used up. */
    TLS_END,    /**< The peer said that it sends no more. */
    TLS_PLAIN,  /**< The peer speaks HTTP without TLS. */
    TLS_FAILED, /**< What came breaks TLS; tls_outgoing() may hold an alert for the peer. */
};

/**
 * Reads a certificate and its key.
 * @param certificate_path PEM, the server's certificate first, then its issuers'; copied
 * @param key_path PEM, without a passphrase; copied
 * @return owned by the caller, or NULL with the error filled (the text names the file)
 */
struct tls_server *tls_server_create(const char *certificate_path, const char *key_path,
                                     struct error *error);

/**
 * Reads both files again, for connections created from now on. If anything is wrong with them, what
 * was read before stays in use.
 */
bool tls_server_reload(struct tls_server *server, struct error *error);

/** Connections may outlive it. NULL is ignored. */
void tls_server_destroy(struct tls_server *server);

/** Returns NULL when memory is short; owned by the caller. */
struct tls_connection *tls_connection_create(const struct tls_server *server);

/** NULL is ignored. */
void tls_connection_destroy(struct tls_connection *connection);

/** Takes bytes from the network; copied. Returns false when memory is short. */
bool tls_feed(struct tls_connection *connection, const char *data, size_t length);

/**
 * Works on what was fed, the handshake included.
 * @param length on TLS_BYTES, how many decrypted bytes there are: 1 to size
 */
enum tls_result tls_read(struct tls_connection *connection, char *data, size_t size,
                         size_t *length);

/** Encrypts bytes into the outgoing ones. Returns false before the handshake is done, after a
 * failure, and when memory is short. */
bool tls_write(struct tls_connection *connection, const char *data, size_t length);

/** Tells the peer that no more will come, if it can still be told. */
void tls_shutdown(struct tls_connection *connection);

/** What is to be sent; borrowed until the next call on the connection. */
struct slice tls_outgoing(const struct tls_connection *connection);

/** The outgoing bytes have been sent, or copied. */
void tls_outgoing_clear(struct tls_connection *connection);

#endif
