#include "test.h"

#include "base/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void what_is_missing_is_created_for_its_owner_only(void **state)
{
    (void)state;
    char base[] = "/tmp/dpow-directory-XXXXXX";
    char path[64];
    struct stat status;
    struct error error;
    assert_non_null(mkdtemp(base));
    (void)snprintf(path, sizeof path, "%s/a/b", base);
    assert_true(directory_make(path, &error));
    assert_true(directory_make(path, &error));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, sizeof path, "%s/a", base);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(base), 0);
}

static void what_cannot_be_created_is_named(void **state)
{
    (void)state;
    char longer[DIRECTORY_PATH_SIZE + 1];
    struct error error;
    assert_false(directory_make("/dev/null/below", &error));
    assert_non_null(strstr(error.text, "cannot create /dev/null/below"));
    assert_false(directory_make("", &error));
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_false(directory_make(longer, &error));
    assert_non_null(strstr(error.text, "1 to 1023 characters"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_created_for_its_owner_only),
        cmocka_unit_test(what_cannot_be_created_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
