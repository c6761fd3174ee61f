#include "test.h"

#include "hub/connections.h"

#include <stdio.h>

enum { SECOND = 1000000 };

static struct connections *make(size_t capacity)
{
    struct connections_options options = connections_options_default();
    options.capacity = capacity;
    struct connections *connections = connections_create(&options);
    assert_non_null(connections);
    return connections;
}

static void the_twentieth_fault_in_a_minute_is_too_many(void **state)
{
    struct connections *connections = make(4);
    (void)state;
    for (uint64_t i = 0; i < 19; i++)
        assert_false(connections_fault(connections, (5 + 3 * i) * SECOND, slice_of("w-1")));
    assert_true(connections_fault(connections, 64 * SECOND, slice_of("w-1")));
    connections_destroy(connections);
}

static void after_the_minute_counting_begins_anew(void **state)
{
    struct connections *connections = make(4);
    (void)state;
    for (uint64_t i = 0; i < 19; i++)
        assert_false(connections_fault(connections, 5 * SECOND, slice_of("w-1")));
    for (uint64_t i = 0; i < 19; i++)
        assert_false(connections_fault(connections, 65 * SECOND, slice_of("w-1")));
    assert_true(connections_fault(connections, 66 * SECOND, slice_of("w-1")));
    connections_destroy(connections);
}

static void after_a_verdict_counting_begins_anew(void **state)
{
    struct connections *connections = make(4);
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 19; i++)
            assert_false(connections_fault(connections, SECOND, slice_of("w-1")));
        assert_true(connections_fault(connections, SECOND, slice_of("w-1")));
        assert_int_equal(connections_count(connections, SECOND), 0);
    }
    connections_destroy(connections);
}

static void each_connection_is_counted_by_itself(void **state)
{
    struct connections *connections = make(4);
    (void)state;
    for (unsigned i = 0; i < 19; i++) {
        assert_false(connections_fault(connections, SECOND, slice_of("w-1")));
        assert_false(connections_fault(connections, SECOND, slice_of("w-2")));
    }
    assert_int_equal(connections_count(connections, SECOND), 2);
    assert_true(connections_fault(connections, SECOND, slice_of("w-2")));
    assert_int_equal(connections_count(connections, SECOND), 1);
    connections_destroy(connections);
}

static void faults_expire(void **state)
{
    struct connections *connections = make(8);
    (void)state;
    (void)connections_fault(connections, 1 * SECOND, slice_of("w-1"));
    (void)connections_fault(connections, 2 * SECOND, slice_of("w-2"));
    (void)connections_fault(connections, 3 * SECOND, slice_of("w-1"));
    assert_int_equal(connections_count(connections, 61 * SECOND - 1), 2);
    assert_int_equal(connections_count(connections, 61 * SECOND), 1);
    assert_int_equal(connections_count(connections, 62 * SECOND), 0);
    connections_destroy(connections);
}

static void a_full_table_forgets_the_oldest(void **state)
{
    struct connections *connections = make(100);
    char label[16];
    (void)state;
    for (unsigned i = 0; i < 18; i++)
        assert_false(connections_fault(connections, SECOND, slice_of("w-old")));
    for (unsigned i = 0; i < 10000; i++) {
        (void)snprintf(label, sizeof label, "w-%u", i);
        assert_false(connections_fault(connections, 2 * SECOND, slice_of(label)));
        assert_in_range(connections_count(connections, 2 * SECOND), 1, 100);
    }
    assert_false(connections_fault(connections, 2 * SECOND, slice_of("w-old")));
    assert_false(connections_fault(connections, 2 * SECOND, slice_of("w-old")));
    connections_destroy(connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_twentieth_fault_in_a_minute_is_too_many),
        cmocka_unit_test(after_the_minute_counting_begins_anew),
        cmocka_unit_test(after_a_verdict_counting_begins_anew),
        cmocka_unit_test(each_connection_is_counted_by_itself),
        cmocka_unit_test(faults_expire),
        cmocka_unit_test(a_full_table_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
