#include "certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static X509 *self_signed(EVP_PKEY *key, const char *name, long serial)
{
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    X509_NAME *subject = X509_get_subject_name(certificate);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, subject), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

void certificate_write_certificate(const struct certificate_files *files, const char *name,
                                   EVP_PKEY *key)
{
    X509 *certificate = self_signed(key, name, 1);
    FILE *file = fopen(files->certificate, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
}

void certificate_write_key(const struct certificate_files *files, EVP_PKEY *key, char *passphrase)
{
    FILE *file = fopen(files->key, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, passphrase != NULL ? EVP_aes_128_cbc() : NULL,
                                          NULL, 0, NULL, passphrase),
                     1);
    assert_int_equal(fclose(file), 0);
}

void certificate_write_pair(const struct certificate_files *files, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    certificate_write_certificate(files, name, key);
    certificate_write_key(files, key, NULL);
    EVP_PKEY_free(key);
}

int certificate_make_files(void **state)
{
    static struct certificate_files files;
    (void)snprintf(files.directory, sizeof files.directory, "/tmp/dpow-tls-XXXXXX");
    assert_non_null(mkdtemp(files.directory));
    (void)snprintf(files.certificate, CERTIFICATE_PATH_SIZE, "%s/certificate.pem", files.directory);
    (void)snprintf(files.key, CERTIFICATE_PATH_SIZE, "%s/key.pem", files.directory);
    certificate_write_pair(&files, "first");
    *state = &files;
    return 0;
}

int certificate_remove_files(void **state)
{
    const struct certificate_files *files = *state;
    (void)unlink(files->certificate);
    (void)unlink(files->key);
    return rmdir(files->directory);
}
