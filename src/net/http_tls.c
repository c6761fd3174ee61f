/* TLS between a connection's socket and its requests. */
#include "net/http_internal.h"
#include "net/tls.h"

static bool flush(struct http_connection *connection)
{
    const struct slice outgoing = tls_outgoing(connection->tls);
    if (outgoing.length == 0)
        return true;
    const uv_buf_t part = uv_buf_init((char *)(uintptr_t)outgoing.data, (unsigned)outgoing.length);
    const bool sent = connection_send(connection, &part, 1);
    tls_outgoing_clear(connection->tls);
    return sent;
}

bool https_write(struct http_connection *connection, const uv_buf_t *parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const char *data = parts[i].base;
        size_t left = parts[i].len;
        while (left > 0) {
            const size_t piece = left < TLS_PIECE_SIZE ? left : TLS_PIECE_SIZE;
            if (!tls_write(connection->tls, data, piece))
                return false;
            data += piece;
            left -= piece;
            if (tls_outgoing(connection->tls).length >= TLS_PIECE_SIZE && !flush(connection))
                return false;
        }
    }
    return flush(connection);
}

void https_end(struct http_connection *connection)
{
    tls_shutdown(connection->tls);
    (void)flush(connection);
}

/* Without waiting: what the socket does not take when the connection is closed is lost. */
void https_abandon(struct http_connection *connection)
{
    tls_shutdown(connection->tls);
    (void)flush(connection);
}

/* In the clear, for that is all this peer understands. */
static void refuse_plain(struct http_connection *connection)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 25\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Connection: close\r\n\r\n"
                                 "This port speaks HTTPS.\r\n";
    const uv_buf_t part = uv_buf_init((char *)(uintptr_t)answer, sizeof answer - 1);
    tls_connection_destroy(connection->tls);
    connection->tls = NULL;
    if (connection_write(connection, &part, 1))
        connection_drain(connection);
}

static bool takes_input(const struct http_connection *connection)
{
    return connection->state != CONNECTION_CLOSING && connection->state != CONNECTION_DRAINING;
}

/* Hands up what can be decrypted of what was fed. */
static void read_decrypted(struct http_connection *connection)
{
    char plain[TLS_PIECE_SIZE];
    size_t length;
    enum tls_result result = TLS_BYTES;
    while (result == TLS_BYTES && takes_input(connection)) {
        result = tls_read(connection->tls, plain, sizeof plain, &length);
        if (result == TLS_BYTES)
            connection_input(connection, plain, length);
    }
    if (!takes_input(connection))
        return;
    if (result == TLS_PLAIN || result == TLS_FAILED)
        connection->server->counters.refused++;
    if (result == TLS_PLAIN) {
        refuse_plain(connection);
        return;
    }
    /* The handshake's part, an alert, answers to key updates. */
    if (tls_outgoing(connection->tls).length > 0 && !connection_write(connection, NULL, 0))
        return;
    if (result == TLS_END)
        connection_ended(connection);
    else if (result == TLS_FAILED)
        connection_drain(connection);
}

void https_input(struct http_connection *connection, const char *data, size_t length)
{
    if (connection->tls == NULL)
        connection->tls = tls_connection_create(connection->server->tls);
    while (length > 0 && takes_input(connection)) {
        const size_t piece = length < TLS_PIECE_SIZE ? length : TLS_PIECE_SIZE;
        if (connection->tls == NULL || !tls_feed(connection->tls, data, piece)) {
            connection_close(connection);
            return;
        }
        data += piece;
        length -= piece;
        read_decrypted(connection);
    }
}
