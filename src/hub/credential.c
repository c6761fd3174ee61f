#include "hub/credential.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/queue.h"
#include "base/random.h"
#include "base/table.h"
#include "base/thread.h"
#include "nano/blake2b.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KNOWN_MAX = 65536, /* Keys remembered as right: as many as there can be services. */
    REFUSED_MAX = 128, /* Keys remembered as wrong: the newest ones. */
    FOUND_MAX = 32,    /* Outcomes that the thread remembers by itself. */
    KEY_MAX = 256,
};

/* How the original stored keys (dpow.md 6): BLAKE2b-512 without salt, here as text. */
static const char legacy_form[] = "blake2b512:";
enum { LEGACY_SIZE = 64 };

#define HASH_OPERATIONS 2
#define HASH_MEMORY ((size_t)8 << 20)

struct digest {
    uint8_t bytes[CREDENTIAL_DIGEST_SIZE];
};

/* One slow check on its way to the thread and back. */
struct check {
    struct queue_item item;
    int64_t service_id;
    void *user;
    uint64_t forgotten; /* The checker's count when the check began. */
    struct digest digest;
    struct service_key keys[SERVICE_KEYS_MAX]; /* The service's, expired ones left out. */
    bool exists;
    int matched;                  /* Which of them it is; -1 for none. */
    char new_hash[KEY_HASH_SIZE]; /* A better one of the same key; empty for none. */
    size_t key_length;
    char key[KEY_MAX + 1];
};

/* Keys known to be right; the table finds them by the service's number. */
struct known {
    struct {
        struct digest digest;
        int64_t expires_ms; /* 0: the slot is free. */
    } keys[SERVICE_KEYS_MAX];
    size_t next;
};

/* What the thread found lately, so that requests with one key that come together before its
 * outcome is known pay for one slow check. It holds for the same key and the same hash for ever. */
struct found {
    struct digest digest;
    char hash[KEY_HASH_SIZE];
    bool good;
};

struct found_ring {
    struct found of[FOUND_MAX];
    size_t next;
};

struct credential_checker {
    uv_async_t wake;
    struct queue waiting;
    struct queue ended;
    pthread_t thread;
    bool started;
    atomic_bool stopping; /* The thread need not check what nobody waits for any more. */
    size_t outstanding;
    uint64_t forgotten; /* How often a key has changed. */
    credential_done done;
    void *context;
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
    struct table *known;
    struct digest refused[REFUSED_MAX]; /* A ring. */
    size_t refused_next;
    char dummy_hash[KEY_HASH_SIZE];
};

void credential_generate(char key[CREDENTIAL_KEY_SIZE])
{
    uint8_t bits[32];
    random_system(bits, sizeof bits);
    hex_encode_upper(bits, sizeof bits, key);
    sodium_memzero(bits, sizeof bits);
}

bool credential_hash(const char *key, char hash[KEY_HASH_SIZE], struct error *error)
{
    _Static_assert(KEY_HASH_SIZE >= crypto_pwhash_STRBYTES, "room for a password hash");
    if (crypto_pwhash_str_alg(hash, key, strlen(key), HASH_OPERATIONS, HASH_MEMORY,
                              crypto_pwhash_ALG_ARGON2ID13) == 0)
        return true;
    return error_set(error, ERROR_MEMORY, "no memory to hash a key (8 MiB are needed)");
}

static bool is_legacy(const char *hash)
{
    return strncmp(hash, legacy_form, strlen(legacy_form)) == 0;
}

static bool verify_legacy(struct slice key, const char *hash)
{
    uint8_t expected[LEGACY_SIZE];
    uint8_t digest[LEGACY_SIZE];
    blake2b(key.data, key.length, digest, sizeof digest);
    return hex_decode(slice_of(hash + strlen(legacy_form)), expected, sizeof expected) &&
           sodium_memcmp(digest, expected, sizeof digest) == 0;
}

void credential_legacy_hash(const uint8_t digest[64], char hash[KEY_HASH_SIZE])
{
    _Static_assert(KEY_HASH_SIZE >= sizeof legacy_form + 2 * LEGACY_SIZE, "room for a digest");
    memcpy(hash, legacy_form, sizeof legacy_form);
    hex_encode_upper(digest, LEGACY_SIZE, hash + strlen(legacy_form));
}

bool credential_verify(struct slice key, const char *hash)
{
    if (is_legacy(hash))
        return verify_legacy(key, hash);
    return crypto_pwhash_str_verify(hash, key.data, key.length) == 0;
}

/* Of a key of at most KEY_MAX bytes. SipHash is a keyed function of 128 bits: nobody without the
 * secret can make a key that collides.
 */
static struct digest digest_key(const struct credential_checker *checker, int64_t service_id,
                                struct slice key)
{
    _Static_assert(CREDENTIAL_DIGEST_SIZE == crypto_shorthash_siphashx24_BYTES, "room for it");
    uint8_t input[8 + KEY_MAX];
    struct digest digest;
    store_le64(input, (uint64_t)service_id);
    memcpy(input + 8, key.data, key.length);
    (void)crypto_shorthash_siphashx24(digest.bytes, input, 8 + key.length, checker->secret);
    sodium_memzero(input, 8 + key.length);
    return digest;
}

static bool same(const struct digest *a, const struct digest *b)
{
    return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_refused(const struct credential_checker *checker, const struct digest *digest)
{
    bool refused = false;
    for (size_t i = 0; i < REFUSED_MAX; i++)
        refused |= same(&checker->refused[i], digest);
    return refused;
}

enum credential_memory credential_recall(struct credential_checker *checker, int64_t service_id,
                                         struct slice key)
{
    if (key.length > KEY_MAX)
        return CREDENTIAL_UNKNOWN;
    const struct digest digest = digest_key(checker, service_id, key);
    const struct known *known =
        table_find(checker->known, table_key_of((uint64_t)service_id).bytes);
    bool good = false;
    for (size_t i = 0; known != NULL && i < SERVICE_KEYS_MAX; i++)
        if (known->keys[i].expires_ms != 0 && same(&known->keys[i].digest, &digest))
            good = known->keys[i].expires_ms == STORE_FOREVER_MS ||
                   known->keys[i].expires_ms > clock_wall_ms();
    if (good)
        return CREDENTIAL_GOOD;
    return is_refused(checker, &digest) ? CREDENTIAL_BAD : CREDENTIAL_UNKNOWN;
}

static void remember_good(struct credential_checker *checker, int64_t service_id,
                          const struct digest *digest, int64_t expires_ms)
{
    struct known *known = table_find(checker->known, table_key_of((uint64_t)service_id).bytes);
    if (known == NULL) {
        known = calloc(1, sizeof *known);
        if (known == NULL)
            return; /* the next request pays for the slow check again */
        if (!table_insert(checker->known, table_key_of((uint64_t)service_id).bytes, known)) {
            free(known);
            return;
        }
    }
    for (size_t i = 0; i < SERVICE_KEYS_MAX; i++)
        if (same(&known->keys[i].digest, digest))
            return;
    known->keys[known->next].digest = *digest;
    known->keys[known->next].expires_ms = expires_ms;
    known->next = (known->next + 1) % SERVICE_KEYS_MAX;
}

static void remember_bad(struct credential_checker *checker, const struct digest *digest)
{
    if (is_refused(checker, digest))
        return;
    checker->refused[checker->refused_next] = *digest;
    checker->refused_next = (checker->refused_next + 1) % REFUSED_MAX;
}

void credential_forget(struct credential_checker *checker, int64_t service_id)
{
    free(table_remove(checker->known, table_key_of((uint64_t)service_id).bytes));
    memset(checker->refused, 0, sizeof checker->refused);
    checker->forgotten++;
}

static bool verify_once(struct found_ring *ring, const struct check *check, const char *hash)
{
    for (size_t i = 0; i < FOUND_MAX; i++) {
        const struct found *found = &ring->of[i];
        if (same(&found->digest, &check->digest) && strcmp(found->hash, hash) == 0)
            return found->good;
    }
    struct found *found = &ring->of[ring->next];
    const struct slice key = {check->key, check->key_length};
    ring->next = (ring->next + 1) % FOUND_MAX;
    found->digest = check->digest;
    (void)snprintf(found->hash, sizeof found->hash, "%s", hash);
    found->good = credential_verify(key, hash) && check->exists;
    return found->good;
}

/* Which of the service's keys it is, and a slow hash of it if the stored one is the original's. */
static void match(struct found_ring *ring, struct check *check)
{
    struct error error;
    for (int i = 0; i < SERVICE_KEYS_MAX && check->matched < 0; i++)
        if (check->keys[i].hash[0] != '\0' && verify_once(ring, check, check->keys[i].hash))
            check->matched = i;
    if (check->matched < 0 || !is_legacy(check->keys[check->matched].hash))
        return;
    check->key[check->key_length] = '\0';
    if (strlen(check->key) != check->key_length ||
        !credential_hash(check->key, check->new_hash, &error))
        check->new_hash[0] = '\0';
}

static void *run_checks(void *argument)
{
    struct credential_checker *checker = argument;
    struct found_ring ring = {0};
    struct queue_item *item;
    while ((item = queue_wait_all(&checker->waiting)) != NULL) {
        while (item != NULL) {
            struct check *check = (struct check *)(void *)item;
            item = item->next;
            if (!atomic_load(&checker->stopping))
                match(&ring, check);
            sodium_memzero(check->key, sizeof check->key);
            if (queue_push(&checker->ended, &check->item))
                (void)uv_async_send(&checker->wake);
        }
    }
    return NULL;
}

static void remember(struct credential_checker *checker, const struct check *check)
{
    if (check->forgotten != checker->forgotten)
        return; /* it was checked against a hash that may be of yesterday */
    if (check->matched >= 0)
        remember_good(checker, check->service_id, &check->digest,
                      check->keys[check->matched].expires_ms);
    else
        remember_bad(checker, &check->digest);
}

static void tell(struct credential_checker *checker, const struct check *check)
{
    const bool good = check->matched >= 0;
    const bool better = good && check->new_hash[0] != '\0';
    const struct credential_outcome outcome = {
        .good = good,
        .service_id = check->service_id,
        .old_hash = better ? check->keys[check->matched].hash : NULL,
        .new_hash = better ? check->new_hash : NULL,
    };
    checker->done(checker->context, check->user, &outcome);
}

static void on_wake(uv_async_t *wake)
{
    struct credential_checker *checker = wake->data;
    struct queue_item *item = queue_take_all(&checker->ended);
    while (item != NULL) {
        struct check *check = (struct check *)(void *)item;
        item = item->next;
        checker->outstanding--;
        remember(checker, check);
        if (!atomic_load(&checker->stopping)) /* done may have destroyed the checker */
            tell(checker, check);
        free(check);
    }
}

static struct credential_checker *allocate(struct error *error)
{
    uint8_t seed[TABLE_SEED_SIZE];
    char key[CREDENTIAL_KEY_SIZE];
    /* libsodium asks for this before all else; to repeat it does no harm. */
    if (sodium_init() < 0) {
        (void)error_set(error, ERROR_SYSTEM, "libsodium cannot start");
        return NULL;
    }
    struct credential_checker *checker = calloc(1, sizeof *checker);
    if (checker == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory to check keys");
        return NULL;
    }
    random_system(seed, sizeof seed);
    random_system(checker->secret, sizeof checker->secret);
    credential_generate(key);
    checker->known = table_create(KNOWN_MAX, seed);
    (void)error_set(error, ERROR_MEMORY, "no memory to check keys");
    if (checker->known != NULL && credential_hash(key, checker->dummy_hash, error))
        return checker;
    table_destroy(checker->known);
    free(checker);
    return NULL;
}

struct credential_checker *credential_checker_create(uv_loop_t *loop, credential_done done,
                                                     void *context, struct error *error)
{
    struct credential_checker *checker = allocate(error);
    if (checker == NULL)
        return NULL;
    (void)error_set(error, ERROR_SYSTEM, "the system gives no queue or thread to check keys");
    checker->done = done;
    checker->context = context;
    if (!queue_init(&checker->waiting)) {
        table_destroy(checker->known);
        free(checker);
        return NULL;
    }
    if (!queue_init(&checker->ended) || uv_async_init(loop, &checker->wake, on_wake) != 0) {
        queue_destroy(&checker->waiting);
        table_destroy(checker->known);
        free(checker);
        return NULL;
    }
    checker->wake.data = checker;
    checker->started = thread_start(&checker->thread, run_checks, checker);
    if (!checker->started) {
        credential_checker_destroy(checker);
        return NULL;
    }
    return checker;
}

static void free_checks(struct queue *queue)
{
    struct queue_item *item = queue_take_all(queue);
    while (item != NULL) {
        struct check *check = (struct check *)(void *)item;
        item = item->next;
        sodium_memzero(check, sizeof *check);
        free(check);
    }
}

static bool free_known(void *context, void *value)
{
    (void)context;
    free(value);
    return true;
}

static void on_wake_closed(uv_handle_t *handle)
{
    struct credential_checker *checker = handle->data;
    free_checks(&checker->waiting);
    free_checks(&checker->ended);
    queue_destroy(&checker->waiting);
    queue_destroy(&checker->ended);
    table_each(checker->known, free_known, NULL);
    table_destroy(checker->known);
    sodium_memzero(checker->secret, sizeof checker->secret);
    free(checker);
}

void credential_checker_destroy(struct credential_checker *checker)
{
    if (checker == NULL)
        return;
    atomic_store(&checker->stopping, true);
    queue_close(&checker->waiting);
    if (checker->started)
        (void)pthread_join(checker->thread, NULL);
    uv_close((uv_handle_t *)&checker->wake, on_wake_closed);
}

/* Takes the keys that have not expired; without any, one that nobody has. */
static void take_keys(const struct credential_checker *checker, struct check *check,
                      const struct service_key *keys)
{
    const int64_t now_ms = clock_wall_ms();
    size_t count = 0;
    for (size_t i = 0; keys != NULL && i < SERVICE_KEYS_MAX; i++)
        if (keys[i].hash[0] != '\0' && keys[i].expires_ms > now_ms)
            check->keys[count++] = keys[i];
    check->exists = count > 0;
    if (count == 0)
        memcpy(check->keys[0].hash, checker->dummy_hash, KEY_HASH_SIZE);
}

bool credential_check(struct credential_checker *checker, int64_t service_id, struct slice key,
                      const struct service_key *keys, void *user, struct error *error)
{
    if (checker->outstanding >= CREDENTIAL_CHECKS_MAX)
        return error_set(error, ERROR_LIMIT, "%d keys are being checked already",
                         CREDENTIAL_CHECKS_MAX);
    if (key.length > KEY_MAX)
        return error_set(error, ERROR_INVALID, "a key has at most %d bytes", KEY_MAX);
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to check a key");
    check->service_id = service_id;
    check->user = user;
    check->forgotten = checker->forgotten;
    check->matched = -1;
    check->digest = digest_key(checker, service_id, key);
    take_keys(checker, check, keys);
    memcpy(check->key, key.data, key.length);
    check->key_length = key.length;
    checker->outstanding++;
    (void)queue_push(&checker->waiting, &check->item);
    return true;
}
