/**
 * credential: API keys of services: made, stored as slow salted hashes, and checked.
 *
 * A key is 256 random bits, shown once. What is stored is its Argon2id hash. The first request with
 * a key pays for the slow check on a thread of its own; the result is remembered as a keyed digest,
 * so that every later request costs well under a microsecond. Comparisons take constant time.
 *
 * The loop's thread owns a checker and is the only one that calls it; the checker's own thread sees
 * nothing but the queue of checks. Keys are copied into a check and wiped when it has been made.
 */
#ifndef DPOW_HUB_CREDENTIAL_H
#define DPOW_HUB_CREDENTIAL_H

#include "base/bytes.h"
#include "base/error.h"
#include "store/store.h"

#include <uv.h>

enum {
    CREDENTIAL_KEY_SIZE = 65,    /**< 64 hexadecimal digits and the NUL. */
    CREDENTIAL_CHECKS_MAX = 256, /**< Slow checks waiting at once. */
    CREDENTIAL_DIGEST_SIZE = 16,
};

/** Makes a new key: 256 random bits as upper-case digits. The caller wipes it. Any thread. */
void credential_generate(char key[CREDENTIAL_KEY_SIZE]);

/** Hashes a key slowly under a random salt (about 10 ms, 8 MiB); ERROR_MEMORY. Any thread. */
bool credential_hash(const char *key, char hash[KEY_HASH_SIZE], struct error *error);

/** Writes a key's hash as the original kept it: 64 bytes of BLAKE2b without salt (dpow.md 6). */
void credential_legacy_hash(const uint8_t digest[64], char hash[KEY_HASH_SIZE]);

/** Checks a key against a stored hash; as slow as credential_hash(), but for the original's hashes.
 *  Any thread. */
bool credential_verify(struct slice key, const char *hash);

/** What is remembered of a key. */
enum credential_memory {
    CREDENTIAL_UNKNOWN, /**< Needs the slow check. */
    CREDENTIAL_GOOD,    /**< Checked before, and right. */
    CREDENTIAL_BAD,     /**< Refused recently. */
};

struct credential_checker;

/** How a slow check ended. */
struct credential_outcome {
    bool good;
    int64_t service_id;
    const char *old_hash; /**< If not NULL: this hash is the original's fast one… */
    const char *new_hash; /**< …and this a slow one of the same key, to be kept in its place. */
};

/** Called on the loop's thread; the outcome is borrowed. */
typedef void (*credential_done)(void *context, void *user,
                                const struct credential_outcome *outcome);

/** @return owned by the caller, or NULL with the error filled */
struct credential_checker *credential_checker_create(uv_loop_t *loop, credential_done done,
                                                     void *context, struct error *error);

/**
 * Ends the thread, waiting for the one check it may be making; checks that have not ended are
 * forgotten, done is not called for them. The loop must run once more to free what is left.
 */
void credential_checker_destroy(struct credential_checker *checker);

/**
 * What is remembered of this key for this service; a key is forgotten when it expires.
 * @param service_id any number that is no service's, such as 0, for a name that does not exist
 */
enum credential_memory credential_recall(struct credential_checker *checker, int64_t service_id,
                                         struct slice key);

/**
 * Starts a slow check and remembers its outcome; done follows, never from within this call. Checks
 * of one key that wait together, as after a start, cost one slow hash.
 * @param key at most 256 bytes, copied
 * @param keys the service's SERVICE_KEYS_MAX, of which those that have not expired count; NULL for
 *        a name that does not exist, which takes as long to refuse
 * @param user given back to done
 * @return false with ERROR_LIMIT if CREDENTIAL_CHECKS_MAX are waiting, ERROR_INVALID if the key is
 *         too long, or ERROR_MEMORY
 */
bool credential_check(struct credential_checker *checker, int64_t service_id, struct slice key,
                      const struct service_key *keys, void *user, struct error *error);

/**
 * Forgets what is remembered of a service: its key has changed. The outcomes of checks that have
 * not ended are told but not remembered.
 */
void credential_forget(struct credential_checker *checker, int64_t service_id);

#endif
