/**
 * certificate: self-signed certificates in files, for tests of TLS.
 */
#ifndef DPOW_TESTS_CERTIFICATE_H
#define DPOW_TESTS_CERTIFICATE_H

#include "test.h"

#include <openssl/evp.h>

enum { CERTIFICATE_PATH_SIZE = 64 };

struct certificate_files {
    char directory[32];
    char certificate[CERTIFICATE_PATH_SIZE];
    char key[CERTIFICATE_PATH_SIZE];
};

/** A test's setup: a directory with a certificate of the name "first" and its key; *state is its
 * struct certificate_files. */
int certificate_make_files(void **state);

/** A test's teardown: the directory is gone. */
int certificate_remove_files(void **state);

/** Writes a new certificate and its key. */
void certificate_write_pair(const struct certificate_files *files, const char *name);

void certificate_write_certificate(const struct certificate_files *files, const char *name,
                                   EVP_PKEY *key);

/** @param passphrase NULL: the key is not encrypted */
void certificate_write_key(const struct certificate_files *files, EVP_PKEY *key, char *passphrase);

#endif
