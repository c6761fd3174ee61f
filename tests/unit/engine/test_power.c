#include "test.h"

#include "engine/power.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder like the system's, with two packages and the zone of the whole machine. */
struct zones {
    char folder[64];
};

static void write_file(const struct zones *zones, int zone, const char *file, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/intel-rapl:%d/%s", zones->folder, zone, file);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

static void add_zone(const struct zones *zones, int zone, const char *name, const char *energy)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/intel-rapl:%d", zones->folder, zone);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file(zones, zone, "name", name);
    write_file(zones, zone, "energy_uj", energy);
    write_file(zones, zone, "max_energy_range_uj", "1000000\n");
}

static void create(struct zones *zones)
{
    (void)snprintf(zones->folder, sizeof zones->folder, "/tmp/dpow-power-XXXXXX");
    assert_non_null(mkdtemp(zones->folder));
}

static void destroy(const struct zones *zones, int count)
{
    static const char *const files[] = {"name", "energy_uj", "max_energy_range_uj"};
    char path[128];
    for (int zone = 0; zone < count; zone++) {
        for (size_t i = 0; i < COUNT(files); i++) {
            (void)snprintf(path, sizeof path, "%s/intel-rapl:%d/%s", zones->folder, zone, files[i]);
            (void)unlink(path);
        }
        (void)snprintf(path, sizeof path, "%s/intel-rapl:%d", zones->folder, zone);
        (void)rmdir(path);
    }
    assert_int_equal(rmdir(zones->folder), 0);
}

static void energy_is_that_of_all_packages_and_of_nothing_twice(void **state)
{
    (void)state;
    struct zones zones;
    struct power_reading before;
    struct power_reading after;
    create(&zones);
    add_zone(&zones, 0, "package-0\n", "100000\n");
    add_zone(&zones, 1, "psys\n", "777777\n");
    add_zone(&zones, 2, "package-1\n", "900000\n");
    assert_true(power_read(zones.folder, &before));
    assert_int_equal(before.packages, 2);
    write_file(&zones, 0, "energy_uj", "600000\n");
    write_file(&zones, 2, "energy_uj", "200000\n"); /* it went back to 0 */
    assert_true(power_read(zones.folder, &after));
    destroy(&zones, 3);
    assert_true(power_joules(&before, &after) > 0.7999);
    assert_true(power_joules(&before, &after) < 0.8001);
}

static void nothing_is_told_where_the_system_tells_nothing(void **state)
{
    (void)state;
    struct zones zones;
    struct power_reading reading;
    create(&zones);
    assert_false(power_read(zones.folder, &reading));
    add_zone(&zones, 0, "package-0\n", "no number\n");
    assert_false(power_read(zones.folder, &reading));
    destroy(&zones, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energy_is_that_of_all_packages_and_of_nothing_twice),
        cmocka_unit_test(nothing_is_told_where_the_system_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
