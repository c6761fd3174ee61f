#include "certificate.h"

#include "net/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The client: OpenSSL's own, between two memories. */
struct client {
    SSL_CTX *context;
    SSL *ssl;
    BIO *incoming;
    BIO *outgoing;
};

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct client client_create(int version_max)
{
    struct client client = {.context = SSL_CTX_new(TLS_client_method())};
    assert_non_null(client.context);
    /* Its own floor is lower than the server's, which must be the one that refuses. */
    SSL_CTX_set_security_level(client.context, 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(client.context, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(client.context, version_max), 1);
    client.ssl = SSL_new(client.context);
    client.incoming = BIO_new(BIO_s_mem());
    client.outgoing = BIO_new(BIO_s_mem());
    assert_non_null(client.ssl);
    SSL_set_bio(client.ssl, client.incoming, client.outgoing);
    SSL_set_connect_state(client.ssl);
    return client;
}

static void client_destroy(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
}

/* Carries what each end has for the other, in pieces of a size. */
static void carry_to_server(struct client *client, struct tls_connection *server, size_t piece)
{
    char data[TLS_PIECE_SIZE];
    size_t length;
    assert_true(piece <= sizeof data);
    while (BIO_read_ex(client->outgoing, data, piece, &length) == 1)
        assert_true(tls_feed(server, data, length));
}

static void carry_to_client(struct client *client, struct tls_connection *server)
{
    const struct slice outgoing = tls_outgoing(server);
    if (outgoing.length > 0)
        assert_true(BIO_write(client->incoming, outgoing.data, (int)outgoing.length) > 0);
    tls_outgoing_clear(server);
    assert_int_equal(tls_outgoing(server).length, 0);
}

static void shake_hands(struct client *client, struct tls_connection *server, size_t piece)
{
    char data[16];
    size_t length;
    for (int i = 0; i < 4; i++) {
        (void)SSL_do_handshake(client->ssl);
        carry_to_server(client, server, piece);
        assert_int_equal(tls_read(server, data, sizeof data, &length), TLS_WAIT);
        carry_to_client(client, server);
    }
    assert_true(SSL_is_init_finished(client->ssl));
}

static struct tls_server *open_server(const struct certificate_files *files)
{
    struct error error = {0};
    struct tls_server *server = tls_server_create(files->certificate, files->key, &error);
    assert_non_null(server);
    return server;
}

static void peer_name(const struct client *client, char name[64])
{
    X509 *certificate = SSL_get1_peer_certificate(client->ssl);
    assert_non_null(certificate);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                          64) > 0);
    X509_free(certificate);
}

static void bytes_arrive_both_ways(void **state)
{
    static const struct {
        int version;
        size_t piece;
    } cases[] = {{TLS1_2_VERSION, TLS_PIECE_SIZE},
                 {TLS1_3_VERSION, TLS_PIECE_SIZE},
                 {TLS1_2_VERSION, 1},
                 {TLS1_3_VERSION, 1}};
    struct tls_server *server = open_server(*state);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct client client = client_create(cases[i].version);
        struct tls_connection *connection = tls_connection_create(server);
        static char large[3 * TLS_PIECE_SIZE + 7];
        static char received[sizeof large];
        char data[64];
        size_t length;
        shake_hands(&client, connection, cases[i].piece);
        assert_int_equal(SSL_version(client.ssl), cases[i].version);

        assert_int_equal(SSL_write(client.ssl, "hello", 5), 5);
        carry_to_server(&client, connection, cases[i].piece);
        assert_int_equal(tls_read(connection, data, sizeof data, &length), TLS_BYTES);
        assert_int_equal(length, 5);
        assert_memory_equal(data, "hello", 5);
        assert_int_equal(tls_read(connection, data, sizeof data, &length), TLS_WAIT);

        memset(large, 'x', sizeof large);
        assert_true(tls_write(connection, "", 0));
        assert_int_equal(tls_outgoing(connection).length, 0);
        assert_true(tls_write(connection, large, sizeof large));
        carry_to_client(&client, connection);
        size_t total = 0;
        while (SSL_read_ex(client.ssl, received + total, sizeof received - total, &length) == 1)
            total += length;
        assert_int_equal(total, sizeof large);
        assert_memory_equal(received, large, sizeof large);
        tls_connection_destroy(connection);
        client_destroy(&client);
    }
    tls_server_destroy(server);
}

static void an_end_is_told_and_heard(void **state)
{
    struct tls_server *server = open_server(*state);
    struct client client = client_create(TLS1_3_VERSION);
    struct tls_connection *connection = tls_connection_create(server);
    char data[16];
    size_t length;
    shake_hands(&client, connection, TLS_PIECE_SIZE);
    (void)SSL_shutdown(client.ssl);
    carry_to_server(&client, connection, TLS_PIECE_SIZE);
    assert_int_equal(tls_read(connection, data, sizeof data, &length), TLS_END);
    assert_true(tls_write(connection, "late", 4)); /* this side may still speak */
    tls_shutdown(connection);
    carry_to_client(&client, connection);
    assert_int_equal(SSL_read(client.ssl, data, sizeof data), 4);
    assert_int_equal(SSL_read(client.ssl, data, sizeof data), 0);
    assert_int_equal(SSL_get_error(client.ssl, 0), SSL_ERROR_ZERO_RETURN);
    tls_connection_destroy(connection);
    client_destroy(&client);
    tls_server_destroy(server);
}

static void nothing_is_sent_before_the_handshake_is_done(void **state)
{
    struct tls_server *server = open_server(*state);
    struct tls_connection *connection = tls_connection_create(server);
    tls_shutdown(connection);
    assert_int_equal(tls_outgoing(connection).length, 0);
    assert_false(tls_write(connection, "x", 1));
    assert_int_equal(tls_outgoing(connection).length, 0);
    tls_connection_destroy(connection);
    tls_server_destroy(server);
}

static void what_is_not_tls_is_told_apart(void **state)
{
    static const struct {
        const char *text;
        enum tls_result result;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", TLS_PLAIN},
        {"POST /service/ HTTP/1.1\r\n", TLS_PLAIN},
        {"CONNECT a:1 HTTP/1.1\r\n", TLS_PLAIN},
        {"\x10\x0c\x00\x04MQTT\x04\x02", TLS_FAILED},
        {"SSH-2.0-OpenSSH_9.2\r\n", TLS_FAILED},
        {"\x16\x03\x01\xff\xff garbage", TLS_FAILED},
        {"\xff\xff\xff\xff\xff\xff\xff\xff", TLS_FAILED},
        {"\x16\x03\x01", TLS_WAIT},
    };
    struct tls_server *server = open_server(*state);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_connection *connection = tls_connection_create(server);
        char data[16];
        size_t length;
        /* Zero bytes are lost from the texts; none of them decides. */
        assert_true(tls_feed(connection, cases[i].text, strlen(cases[i].text)));
        assert_true(tls_feed(connection, "\0\0\0\0\0\0\0\0", cases[i].result == TLS_WAIT ? 0 : 8));
        assert_int_equal(tls_read(connection, data, sizeof data, &length), cases[i].result);
        if (cases[i].result != TLS_WAIT) {
            assert_int_equal(tls_read(connection, data, sizeof data, &length), TLS_FAILED);
            assert_false(tls_write(connection, "x", 1));
        }
        tls_connection_destroy(connection);
    }
    tls_server_destroy(server);
}

static void a_changed_byte_ends_the_connection(void **state)
{
    struct tls_server *server = open_server(*state);
    struct client client = client_create(TLS1_3_VERSION);
    struct tls_connection *connection = tls_connection_create(server);
    char data[64];
    size_t length;
    shake_hands(&client, connection, TLS_PIECE_SIZE);
    assert_int_equal(SSL_write(client.ssl, "hello", 5), 5);
    assert_int_equal(BIO_read_ex(client.outgoing, data, sizeof data, &length), 1);
    data[length - 1] ^= 1;
    assert_true(tls_feed(connection, data, length));
    assert_int_equal(tls_read(connection, data, sizeof data, &length), TLS_FAILED);
    assert_true(tls_outgoing(connection).length > 0); /* the alert */
    tls_shutdown(connection);
    tls_connection_destroy(connection);
    client_destroy(&client);
    tls_server_destroy(server);
}

static void old_versions_are_refused(void **state)
{
    struct tls_server *server = open_server(*state);
    struct client client = client_create(TLS1_1_VERSION);
    struct tls_connection *connection = tls_connection_create(server);
    char data[16];
    size_t length;
    assert_true(SSL_do_handshake(client.ssl) < 0);
    carry_to_server(&client, connection, TLS_PIECE_SIZE);
    assert_int_equal(tls_read(connection, data, sizeof data, &length), TLS_FAILED);
    tls_connection_destroy(connection);
    client_destroy(&client);
    tls_server_destroy(server);
}

static void a_renegotiation_is_not_done(void **state)
{
    struct tls_server *server = open_server(*state);
    struct client client = client_create(TLS1_2_VERSION);
    struct tls_connection *connection = tls_connection_create(server);
    char data[16];
    size_t length;
    shake_hands(&client, connection, TLS_PIECE_SIZE);
    assert_int_equal(SSL_renegotiate(client.ssl), 1);
    (void)SSL_do_handshake(client.ssl);
    carry_to_server(&client, connection, TLS_PIECE_SIZE);
    assert_int_equal(tls_read(connection, data, sizeof data, &length), TLS_WAIT);
    assert_true(tls_outgoing(connection).length > 0);
    assert_true(tls_outgoing(connection).length < 100); /* a refusal, no ServerHello */
    tls_connection_destroy(connection);
    client_destroy(&client);
    tls_server_destroy(server);
}

static void expect_name(const struct tls_server *server, const char *expected)
{
    struct client client = client_create(TLS1_3_VERSION);
    struct tls_connection *connection = tls_connection_create(server);
    char name[64];
    shake_hands(&client, connection, TLS_PIECE_SIZE);
    peer_name(&client, name);
    assert_string_equal(name, expected);
    tls_connection_destroy(connection);
    client_destroy(&client);
}

static void a_reload_is_for_new_connections_and_only_if_all_is_good(void **state)
{
    const struct certificate_files *files = *state;
    struct error error = {0};
    struct tls_server *server = open_server(files);
    struct client client = client_create(TLS1_3_VERSION);
    struct tls_connection *connection = tls_connection_create(server);
    certificate_write_pair(files, "second");
    assert_true(tls_server_reload(server, &error));
    expect_name(server, "second");

    char name[64];
    shake_hands(&client, connection, TLS_PIECE_SIZE);
    peer_name(&client, name);
    assert_string_equal(name, "first");
    tls_connection_destroy(connection);
    client_destroy(&client);

    write_text(files->certificate, "-----BEGIN CERTIFICATE-----\nbroken\n");
    assert_false(tls_server_reload(server, &error));
    assert_non_null(strstr(error.text, files->certificate));
    expect_name(server, "second");
    tls_server_destroy(server);
}

static void expect_failure(const struct certificate_files *files, const char *path,
                           const char *reason)
{
    struct error error = {0};
    assert_null(tls_server_create(files->certificate, files->key, &error));
    if (strstr(error.text, path) == NULL || strstr(error.text, reason) == NULL)
        fail_msg("%s in %s expected: %s", reason, path, error.text);
}

static void what_is_wrong_with_the_files_is_said(void **state)
{
    const struct certificate_files *files = *state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    char passphrase[] = "secret";
    assert_non_null(key);
    assert_non_null(rsa);
    certificate_write_key(files, key, NULL);
    expect_failure(files, files->key, "does not belong to the certificate");
    certificate_write_key(files, rsa, NULL);
    expect_failure(files, files->key, "does not belong to the certificate");
    certificate_write_certificate(files, "encrypted", key);
    certificate_write_key(files, key, passphrase);
    expect_failure(files, files->key, "cannot read the TLS key");
    write_text(files->key, "not PEM\n");
    expect_failure(files, files->key, "cannot read the TLS key");
    assert_int_equal(unlink(files->key), 0);
    expect_failure(files, files->key, "No such file or directory");
    write_text(files->certificate, "");
    expect_failure(files, files->certificate, "no start line");
    assert_int_equal(unlink(files->certificate), 0);
    expect_failure(files, files->certificate, "No such file or directory");
    EVP_PKEY_free(key);
    EVP_PKEY_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_arrive_both_ways, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(an_end_is_told_and_heard, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(nothing_is_sent_before_the_handshake_is_done,
                                        certificate_make_files, certificate_remove_files),
        cmocka_unit_test_setup_teardown(what_is_not_tls_is_told_apart, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(a_changed_byte_ends_the_connection, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(old_versions_are_refused, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(a_renegotiation_is_not_done, certificate_make_files,
                                        certificate_remove_files),
        cmocka_unit_test_setup_teardown(a_reload_is_for_new_connections_and_only_if_all_is_good,
                                        certificate_make_files, certificate_remove_files),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_the_files_is_said,
                                        certificate_make_files, certificate_remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
