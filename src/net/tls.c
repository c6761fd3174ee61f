#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* TLS 1.2's; all of 1.3's are of this kind. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

struct tls_server {
    SSL_CTX *context;
    char *certificate_path;
    char *key_path;
};

struct tls_connection {
    SSL *ssl;
    BIO *incoming; /* Both belong to ssl. */
    BIO *outgoing;
    bool failed; /* After which OpenSSL must not be asked to write. */
};

/* OpenSSL's default asks at the terminal. */
static int refuse_passphrase(char *buffer, int size, int writing, void *user)
{
    if (size > 0)
        buffer[0] = '\0';
    (void)writing;
    (void)user;
    return -1;
}

/* The first error is the cause; the later ones say who passed it on. */
static bool fail_file(const char *what, const char *path, struct error *error)
{
    const unsigned long code = ERR_peek_error();
    const char *reason =
        ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    (void)error_set(error, ERROR_SYSTEM, "cannot read the %s %.140s: %.60s", what, path,
                    reason != NULL ? reason : "unknown reason");
    ERR_clear_error();
    return false;
}

static bool fail_match(const struct tls_server *server, struct error *error)
{
    ERR_clear_error();
    return error_set(error, ERROR_INVALID,
                     "the TLS key %.90s does not belong to the certificate %.90s", server->key_path,
                     server->certificate_path);
}

static bool load_files(const struct tls_server *server, SSL_CTX *context, struct error *error)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, server->certificate_path) != 1)
        return fail_file("TLS certificate", server->certificate_path, error);
    ERR_clear_error();
    if (SSL_CTX_use_PrivateKey_file(context, server->key_path, SSL_FILETYPE_PEM) != 1) {
        if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509)
            return fail_match(server, error);
        return fail_file("TLS key", server->key_path, error);
    }
    if (SSL_CTX_check_private_key(context) != 1)
        return fail_match(server, error);
    return true;
}

static SSL_CTX *create_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        return NULL;
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE |
                                           SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    /* Sessions are resumed by tickets, which the clients keep. */
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(context, ciphers) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

bool tls_server_reload(struct tls_server *server, struct error *error)
{
    SSL_CTX *context = create_context();
    if (context == NULL) {
        ERR_clear_error();
        return error_set(error, ERROR_MEMORY, "cannot set up TLS");
    }
    if (!load_files(server, context, error)) {
        SSL_CTX_free(context);
        return false;
    }
    SSL_CTX_free(server->context); /* Its connections keep it. */
    server->context = context;
    return true;
}

struct tls_server *tls_server_create(const char *certificate_path, const char *key_path,
                                     struct error *error)
{
    struct tls_server *server = calloc(1, sizeof *server);
    if (server != NULL) {
        server->certificate_path = strdup(certificate_path);
        server->key_path = strdup(key_path);
    }
    if (server == NULL || server->certificate_path == NULL || server->key_path == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for TLS");
        tls_server_destroy(server);
        return NULL;
    }
    if (!tls_server_reload(server, error)) {
        tls_server_destroy(server);
        return NULL;
    }
    return server;
}

void tls_server_destroy(struct tls_server *server)
{
    if (server == NULL)
        return;
    SSL_CTX_free(server->context);
    free(server->certificate_path);
    free(server->key_path);
    free(server);
}

struct tls_connection *tls_connection_create(const struct tls_server *server)
{
    struct tls_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->ssl = SSL_new(server->context);
    connection->incoming = BIO_new(BIO_s_mem());
    connection->outgoing = BIO_new(BIO_s_mem());
    if (connection->ssl == NULL || connection->incoming == NULL || connection->outgoing == NULL) {
        (void)BIO_free(connection->incoming);
        (void)BIO_free(connection->outgoing);
        SSL_free(connection->ssl);
        free(connection);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(connection->ssl, connection->incoming, connection->outgoing);
    SSL_set_accept_state(connection->ssl);
    return connection;
}

void tls_connection_destroy(struct tls_connection *connection)
{
    if (connection == NULL)
        return;
    SSL_free(connection->ssl);
    free(connection);
}

bool tls_feed(struct tls_connection *connection, const char *data, size_t length)
{
    size_t written;
    ERR_clear_error();
    return length == 0 ||
           (BIO_write_ex(connection->incoming, data, length, &written) == 1 && written == length);
}

static enum tls_result failure(struct tls_connection *connection)
{
    const unsigned long code = ERR_peek_error();
    const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    connection->failed = true;
    ERR_clear_error();
    return reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST ? TLS_PLAIN
                                                                               : TLS_FAILED;
}

enum tls_result tls_read(struct tls_connection *connection, char *data, size_t size, size_t *length)
{
    if (connection->failed)
        return TLS_FAILED;
    ERR_clear_error();
    if (SSL_read_ex(connection->ssl, data, size, length) == 1)
        return TLS_BYTES;
    switch (SSL_get_error(connection->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_END;
    default:
        return failure(connection);
    }
}

bool tls_write(struct tls_connection *connection, const char *data, size_t length)
{
    size_t written;
    if (connection->failed)
        return false;
    if (length == 0)
        return true;
    ERR_clear_error();
    /* The outgoing BIO takes everything, so that a write is never partial. */
    if (SSL_is_init_finished(connection->ssl) &&
        SSL_write_ex(connection->ssl, data, length, &written) == 1)
        return true;
    ERR_clear_error();
    connection->failed = true;
    return false;
}

void tls_shutdown(struct tls_connection *connection)
{
    if (connection->failed || !SSL_is_init_finished(connection->ssl))
        return;
    (void)SSL_shutdown(connection->ssl);
    ERR_clear_error();
}

struct slice tls_outgoing(const struct tls_connection *connection)
{
    char *data = NULL;
    const long length = BIO_get_mem_data(connection->outgoing, &data);
    return (struct slice){data, length > 0 ? (size_t)length : 0};
}

void tls_outgoing_clear(struct tls_connection *connection)
{
    (void)BIO_reset(connection->outgoing);
}
