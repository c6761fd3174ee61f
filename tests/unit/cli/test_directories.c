#include "test.h"

#include "cli/directories.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set(const char *name, const char *value)
{
    assert_int_equal(value == NULL ? unsetenv(name) : setenv(name, value, 1), 0);
}

static void state_is_where_the_option_says_or_where_the_system_keeps_it(void **state)
{
    (void)state;
    char directory[DIRECTORY_SIZE];
    char longer[DIRECTORY_SIZE + 1];
    struct error error;
    assert_true(state_directory_find("here", directory, &error));
    assert_string_equal(directory, "here");
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_false(state_directory_find(longer, directory, &error));
    assert_non_null(strstr(error.text, "1 to 511 characters"));
    set("XDG_STATE_HOME", "/state");
    assert_true(state_directory_find(NULL, directory, &error));
    assert_string_equal(directory, geteuid() == 0 ? "/var/lib/dpow" : "/state/dpow");
}

static void the_cache_is_where_the_environment_says(void **state)
{
    (void)state;
    static const struct {
        const char *systemd;
        const char *xdg;
        const char *home;
        const char *as_user; /* What root gets instead is one folder, unless systemd gives one. */
    } cases[] = {
        {"/cache/of/unit", "/xdg", "/home/me", "/cache/of/unit"},
        {NULL, "/xdg", "/home/me", "/xdg/dpow"},
        {NULL, "relative", "/home/me", "/home/me/.cache/dpow"},
        {NULL, NULL, "/home/me", "/home/me/.cache/dpow"},
        {NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char directory[DIRECTORY_SIZE];
        set("CACHE_DIRECTORY", cases[i].systemd);
        set("XDG_CACHE_HOME", cases[i].xdg);
        set("HOME", cases[i].home);
        const char *found = cache_directory_find(directory);
        if (cases[i].systemd == NULL && geteuid() == 0)
            assert_string_equal(found, "/var/cache/dpow");
        else if (cases[i].as_user == NULL)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].as_user);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_is_where_the_option_says_or_where_the_system_keeps_it),
        cmocka_unit_test(the_cache_is_where_the_environment_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
