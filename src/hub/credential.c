#include "hub/credential.h"

#include "base/hex.h"
#include "base/queue.h"
#include "base/random.h"
#include "base/table.h"
#include "base/thread.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    KNOWN_MAX = 65536, /* Keys remembered as right: as many as there can be services. */
    REFUSED_MAX = 128, /* Keys remembered as wrong: the newest ones. */
    FOUND_MAX = 32,    /* Outcomes that the thread remembers by itself. */
    KEY_MAX = 256,
};

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
    char hash[KEY_HASH_SIZE];
    bool exists;
    bool good;
    size_t key_length;
    char key[KEY_MAX];
};

/* A key known to be right; the table finds it by the service's number. */
struct known {
    struct digest digest;
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
    uint8_t secret[crypto_generichash_KEYBYTES];
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

bool credential_verify(struct slice key, const char *hash)
{
    return crypto_pwhash_str_verify(hash, key.data, key.length) == 0;
}

static struct digest digest_key(const struct credential_checker *checker, int64_t service_id,
                                struct slice key)
{
    struct digest digest;
    uint8_t number[8];
    crypto_generichash_state state;
    store_le64(number, (uint64_t)service_id);
    (void)crypto_generichash_init(&state, checker->secret, sizeof checker->secret,
                                  sizeof digest.bytes);
    (void)crypto_generichash_update(&state, number, sizeof number);
    (void)crypto_generichash_update(&state, (const uint8_t *)key.data, key.length);
    (void)crypto_generichash_final(&state, digest.bytes, sizeof digest.bytes);
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
    const struct digest digest = digest_key(checker, service_id, key);
    const struct known *known =
        table_find(checker->known, table_key_of((uint64_t)service_id).bytes);
    if (known != NULL && same(&known->digest, &digest))
        return CREDENTIAL_GOOD;
    return is_refused(checker, &digest) ? CREDENTIAL_BAD : CREDENTIAL_UNKNOWN;
}

static void remember_good(struct credential_checker *checker, int64_t service_id,
                          const struct digest *digest)
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
    known->digest = *digest;
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

static bool verify_once(struct found_ring *ring, const struct check *check)
{
    for (size_t i = 0; i < FOUND_MAX; i++) {
        const struct found *found = &ring->of[i];
        if (same(&found->digest, &check->digest) && strcmp(found->hash, check->hash) == 0)
            return found->good;
    }
    struct found *found = &ring->of[ring->next];
    const struct slice key = {check->key, check->key_length};
    ring->next = (ring->next + 1) % FOUND_MAX;
    found->digest = check->digest;
    memcpy(found->hash, check->hash, sizeof found->hash);
    found->good = credential_verify(key, check->hash) && check->exists;
    return found->good;
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
            check->good = !atomic_load(&checker->stopping) && verify_once(&ring, check);
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
    if (check->good)
        remember_good(checker, check->service_id, &check->digest);
    else
        remember_bad(checker, &check->digest);
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
            checker->done(checker->context, check->user, check->good);
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

bool credential_check(struct credential_checker *checker, int64_t service_id, struct slice key,
                      const char *hash, void *user, struct error *error)
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
    check->digest = digest_key(checker, service_id, key);
    check->exists = hash != NULL;
    memcpy(check->hash, hash != NULL ? hash : checker->dummy_hash, sizeof check->hash);
    memcpy(check->key, key.data, key.length);
    check->key_length = key.length;
    checker->outstanding++;
    (void)queue_push(&checker->waiting, &check->item);
    return true;
}
