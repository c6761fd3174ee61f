#include "test.h"

#include "base/clock.h"
#include "hub/credential.h"
#include "nano/blake2b.h"

#include <stdio.h>
#include <string.h>

struct outcome {
    unsigned count;
    unsigned good_ones;
    void *user;
    bool good;
    bool better;
    char new_hash[KEY_HASH_SIZE];
};

static void on_done(void *context, void *user, const struct credential_outcome *told)
{
    struct outcome *outcome = context;
    outcome->count++;
    outcome->user = user;
    outcome->good = told->good;
    outcome->good_ones += told->good ? 1 : 0;
    outcome->better = told->new_hash != NULL;
    if (told->new_hash != NULL)
        (void)snprintf(outcome->new_hash, sizeof outcome->new_hash, "%s", told->new_hash);
}

/* A service that has this one key. */
static const struct service_key *only(const char *hash)
{
    static struct service_key keys[SERVICE_KEYS_MAX];
    memset(keys, 0, sizeof keys);
    if (hash == NULL)
        return NULL;
    (void)snprintf(keys[0].hash, sizeof keys[0].hash, "%s", hash);
    keys[0].expires_ms = STORE_FOREVER_MS;
    return keys;
}

struct fixture {
    uv_loop_t loop;
    struct credential_checker *checker;
    struct outcome outcome;
    char key[CREDENTIAL_KEY_SIZE];
    char hash[KEY_HASH_SIZE];
};

static struct fixture fixture;

static int set_up(void **state)
{
    struct error error;
    (void)state;
    memset(&fixture, 0, sizeof fixture);
    assert_int_equal(uv_loop_init(&fixture.loop), 0);
    fixture.checker = credential_checker_create(&fixture.loop, on_done, &fixture.outcome, &error);
    assert_non_null(fixture.checker);
    credential_generate(fixture.key);
    assert_true(credential_hash(fixture.key, fixture.hash, &error));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    credential_checker_destroy(fixture.checker);
    (void)uv_run(&fixture.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture.loop), 0);
    return 0;
}

static bool check(int64_t service_id, const char *key, const char *hash)
{
    struct error error;
    const unsigned before = fixture.outcome.count;
    assert_true(
        credential_check(fixture.checker, service_id, slice_of(key), only(hash), &fixture, &error));
    while (fixture.outcome.count == before)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    assert_ptr_equal(fixture.outcome.user, &fixture);
    return fixture.outcome.good;
}

static void keys_are_long_random_and_stored_salted(void **state)
{
    (void)state;
    char other[CREDENTIAL_KEY_SIZE];
    char again[KEY_HASH_SIZE];
    struct error error;
    credential_generate(other);
    assert_int_equal(strlen(other), 64);
    assert_string_not_equal(other, fixture.key);
    assert_true(credential_hash(fixture.key, again, &error));
    assert_string_not_equal(again, fixture.hash);
    assert_int_equal(strncmp(fixture.hash, "$argon2id$", 10), 0);
    assert_null(strstr(fixture.hash, fixture.key));
    assert_true(credential_verify(slice_of(fixture.key), again));
    assert_false(credential_verify(slice_of(other), again));
    assert_false(credential_verify(slice_of(fixture.key), "nonsense"));
}

static void a_right_key_is_remembered_for_its_service_only(void **state)
{
    (void)state;
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of(fixture.key)),
                     CREDENTIAL_UNKNOWN);
    assert_true(check(1, fixture.key, fixture.hash));
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of(fixture.key)), CREDENTIAL_GOOD);
    assert_int_equal(credential_recall(fixture.checker, 2, slice_of(fixture.key)),
                     CREDENTIAL_UNKNOWN);
    credential_forget(fixture.checker, 1);
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of(fixture.key)),
                     CREDENTIAL_UNKNOWN);
}

static void a_wrong_key_is_remembered_and_does_not_shadow_the_right_one(void **state)
{
    (void)state;
    assert_true(check(1, fixture.key, fixture.hash));
    assert_false(check(1, "wrong", fixture.hash));
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of("wrong")), CREDENTIAL_BAD);
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of(fixture.key)), CREDENTIAL_GOOD);
}

static void a_service_that_does_not_exist_is_checked_and_refused(void **state)
{
    (void)state;
    assert_false(check(0, fixture.key, NULL));
    assert_int_equal(credential_recall(fixture.checker, 0, slice_of(fixture.key)), CREDENTIAL_BAD);
}

static void a_check_that_a_change_of_key_overtakes_is_not_remembered(void **state)
{
    (void)state;
    struct error error;
    assert_true(credential_check(fixture.checker, 1, slice_of(fixture.key), only(fixture.hash),
                                 NULL, &error));
    credential_forget(fixture.checker, 1);
    while (fixture.outcome.count == 0)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    assert_true(fixture.outcome.good);
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of(fixture.key)),
                     CREDENTIAL_UNKNOWN);
}

static void a_key_is_checked_anew_against_a_changed_hash(void **state)
{
    (void)state;
    struct error error;
    char other[CREDENTIAL_KEY_SIZE];
    char changed[KEY_HASH_SIZE];
    credential_generate(other);
    assert_true(credential_hash(other, changed, &error));
    assert_true(check(1, fixture.key, fixture.hash));
    credential_forget(fixture.checker, 1);
    assert_false(check(1, fixture.key, changed));
    assert_true(check(1, other, changed));
}

static void checks_that_wait_together_end_as_each_would_alone(void **state)
{
    static char keys[2][CREDENTIAL_KEY_SIZE];
    (void)state;
    struct error error;
    memcpy(keys[0], fixture.key, sizeof keys[0]);
    credential_generate(keys[1]);
    for (unsigned i = 0; i < 99; i++) {
        const unsigned which = i % 3;
        const char *key = keys[which == 1 ? 1 : 0];
        const char *hash = which == 2 ? NULL : fixture.hash;
        assert_true(credential_check(fixture.checker, which == 2 ? 0 : 1, slice_of(key), only(hash),
                                     NULL, &error));
    }
    while (fixture.outcome.count < 99)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    assert_int_equal(fixture.outcome.good_ones, 33);
}

static void a_key_of_any_length_is_recalled_and_a_long_one_is_not_checked(void **state)
{
    (void)state;
    struct error error;
    char text[257];
    memset(text, 'A', sizeof text);
    const struct slice longest = {text, 256};
    const struct slice longer = {text, 257};
    assert_int_equal(credential_recall(fixture.checker, 1, longer), CREDENTIAL_UNKNOWN);
    assert_false(credential_check(fixture.checker, 1, longer, only(fixture.hash), NULL, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_true(credential_check(fixture.checker, 1, longest, only(fixture.hash), NULL, &error));
    while (fixture.outcome.count == 0)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    assert_int_equal(credential_recall(fixture.checker, 1, longest), CREDENTIAL_BAD);
}

/* Runs until the check of a key against some keys has ended. */
static bool check_keys(const char *key, const struct service_key *keys)
{
    struct error error;
    const unsigned before = fixture.outcome.count;
    assert_true(credential_check(fixture.checker, 1, slice_of(key), keys, &fixture, &error));
    while (fixture.outcome.count == before)
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    return fixture.outcome.good;
}

static void each_key_that_has_not_ended_is_right(void **state)
{
    (void)state;
    char second[CREDENTIAL_KEY_SIZE];
    struct service_key keys[SERVICE_KEYS_MAX] = {0};
    struct error error;
    credential_generate(second);
    assert_true(credential_hash(second, keys[0].hash, &error));
    memcpy(keys[1].hash, fixture.hash, KEY_HASH_SIZE);
    keys[0].expires_ms = STORE_FOREVER_MS;
    keys[1].expires_ms = clock_wall_ms() + 3600000;
    assert_true(check_keys(fixture.key, keys));
    assert_true(check_keys(second, keys));
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of(fixture.key)), CREDENTIAL_GOOD);
    assert_int_equal(credential_recall(fixture.checker, 1, slice_of(second)), CREDENTIAL_GOOD);
    credential_forget(fixture.checker, 1);
    keys[1].expires_ms = clock_wall_ms() - 1;
    assert_false(check_keys(fixture.key, keys));
    assert_true(check_keys(second, keys));
}

static void a_key_of_the_original_gets_a_slow_hash(void **state)
{
    (void)state;
    uint8_t digest[64];
    char hash[KEY_HASH_SIZE];
    blake2b("geheim", 6, digest, sizeof digest);
    credential_legacy_hash(digest, hash);
    assert_true(credential_verify(slice_of("geheim"), hash));
    assert_false(credential_verify(slice_of("Geheim"), hash));
    assert_false(check_keys("Geheim", only(hash)));
    assert_false(fixture.outcome.better);
    assert_true(check_keys("geheim", only(hash)));
    assert_true(fixture.outcome.better);
    assert_int_equal(strncmp(fixture.outcome.new_hash, "$argon2id$", 10), 0);
    assert_true(credential_verify(slice_of("geheim"), fixture.outcome.new_hash));
}

static void only_so_many_checks_wait(void **state)
{
    (void)state;
    struct error error;
    unsigned accepted = 0;
    while (credential_check(fixture.checker, 1, slice_of("x"), only(fixture.hash), NULL, &error))
        accepted++;
    assert_int_equal(accepted, CREDENTIAL_CHECKS_MAX);
    assert_int_equal(error.code, ERROR_LIMIT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_long_random_and_stored_salted),
        TEST(a_right_key_is_remembered_for_its_service_only),
        TEST(a_wrong_key_is_remembered_and_does_not_shadow_the_right_one),
        TEST(a_service_that_does_not_exist_is_checked_and_refused),
        TEST(a_check_that_a_change_of_key_overtakes_is_not_remembered),
        TEST(a_key_is_checked_anew_against_a_changed_hash),
        TEST(checks_that_wait_together_end_as_each_would_alone),
        TEST(a_key_of_any_length_is_recalled_and_a_long_one_is_not_checked),
        TEST(each_key_that_has_not_ended_is_right),
        TEST(a_key_of_the_original_gets_a_slow_hash),
        TEST(only_so_many_checks_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
