#include "test.h"

#include "worker/worker_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 128 };

/* A folder of the test's own; the worker's is two levels below it. */
struct place {
    char parent[64];
    char middle[80];
    char directory[96];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)strcpy(place->parent, "/tmp/dpow-identity-XXXXXX");
    assert_non_null(mkdtemp(place->parent));
    (void)snprintf(place->middle, sizeof place->middle, "%s/state", place->parent);
    (void)snprintf(place->directory, sizeof place->directory, "%s/dpow", place->middle);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"worker-id", "worker-id-2", "worker-id-3"};
    struct place *place = *state;
    char path[PATH_SIZE];
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", place->directory, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
    assert_int_equal(rmdir(place->middle), 0);
    assert_int_equal(rmdir(place->parent), 0);
    free(place);
    return 0;
}

static struct worker_identity take(const struct place *place)
{
    struct worker_identity identity;
    struct error error;
    if (!worker_identity_take(place->directory, &identity, &error))
        fail_msg("%s", error.text);
    return identity;
}

static void an_id_is_made_by_the_rule_for_the_owner_only(void **state)
{
    const struct place *place = *state;
    char path[PATH_SIZE];
    struct stat status;
    struct worker_identity identity = take(place);
    assert_int_equal(strlen(identity.id), 28);
    assert_int_equal(strncmp(identity.id, "w-", 2), 0);
    assert_int_equal(strspn(identity.id + 2, "abcdefghijklmnopqrstuvwxyz234567"), 26);
    assert_int_equal(stat(place->directory, &status), 0);
    assert_int_equal(status.st_mode & 0077, 0);
    (void)snprintf(path, sizeof path, "%s/worker-id", place->directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0077, 0);
    worker_identity_release(&identity);
}

static void an_id_lasts(void **state)
{
    const struct place *place = *state;
    struct worker_identity first = take(place);
    worker_identity_release(&first);
    struct worker_identity second = take(place);
    worker_identity_release(&second);
    assert_string_equal(first.id, second.id);
}

static void an_id_belongs_to_one_worker_at_a_time(void **state)
{
    const struct place *place = *state;
    struct worker_identity first = take(place);
    struct worker_identity second = take(place);
    struct worker_identity third = take(place);
    assert_string_not_equal(first.id, second.id);
    assert_string_not_equal(first.id, third.id);
    assert_string_not_equal(second.id, third.id);
    worker_identity_release(&first);
    struct worker_identity again = take(place);
    assert_string_equal(again.id, first.id);
    worker_identity_release(&again);
    worker_identity_release(&second);
    worker_identity_release(&third);
}

static void what_is_no_id_is_replaced(void **state)
{
    const struct place *place = *state;
    static const char *const texts[] = {"",
                                        "w-",
                                        "w-abcdefghijklmnopqrstuvwxy\n",
                                        "w-abcdefghijklmnopqrstuvwxyzz\n",
                                        "w-abcdefghijklmnopqrstuvwxy1\n",
                                        "w-#bcdefghijklmnopqrstuvwxyz\n",
                                        "x-abcdefghijklmnopqrstuvwxyz\n"};
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/worker-id", place->directory);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct worker_identity made = take(place);
        worker_identity_release(&made);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(texts[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
        struct worker_identity other = take(place);
        worker_identity_release(&other);
        struct worker_identity kept = take(place);
        worker_identity_release(&kept);
        assert_string_not_equal(other.id, made.id);
        assert_string_equal(kept.id, other.id);
    }
}

static void a_directory_that_cannot_be_is_told(void **state)
{
    const struct place *place = *state;
    struct worker_identity identity;
    struct error error;
    char path[PATH_SIZE];
    struct worker_identity made = take(place);
    worker_identity_release(&made);
    (void)snprintf(path, sizeof path, "%s/worker-id/below", place->directory);
    assert_false(worker_identity_take(path, &identity, &error));
    assert_non_null(strstr(error.text, path));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_made_by_the_rule_for_the_owner_only), TEST(an_id_lasts),
        TEST(an_id_belongs_to_one_worker_at_a_time),        TEST(what_is_no_id_is_replaced),
        TEST(a_directory_that_cannot_be_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
