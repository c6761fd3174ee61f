/* heap and table, against plain models, by seed. */
#include "test.h"

#include "base/heap.h"
#include "base/random.h"
#include "base/table.h"

#include <string.h>

enum { ITEMS = 500, STEPS = 20000 };

static bool comes_before(const struct heap_item *a, const struct heap_item *b)
{
    return a->key < b->key || (a->key == b->key && a->sequence < b->sequence);
}

static void a_heap_gives_the_smallest_whatever_is_removed(void **state)
{
    (void)state;
    static struct heap_item items[ITEMS];
    struct heap *heap = heap_create(ITEMS);
    struct random random;
    size_t inside = 0;
    random_seed(&random, 1);
    for (int step = 0; step < STEPS; step++) {
        struct heap_item *item = &items[random_below(&random, ITEMS)];
        if (heap_contains(heap, item)) {
            heap_remove(heap, item);
            inside--;
        } else {
            item->key = random_below(&random, 50);
            item->sequence = (uint64_t)step;
            assert_true(heap_insert(heap, item));
            assert_false(heap_insert(heap, item));
            inside++;
        }
        const struct heap_item *smallest = NULL;
        for (int i = 0; i < ITEMS; i++)
            if (heap_contains(heap, &items[i]) &&
                (smallest == NULL || comes_before(&items[i], smallest)))
                smallest = &items[i];
        assert_ptr_equal(heap_min(heap), smallest);
        assert_int_equal(heap_count(heap), inside);
    }
    heap_destroy(heap);
}

static void a_full_heap_refuses(void **state)
{
    (void)state;
    struct heap_item items[3] = {{0}};
    struct heap *heap = heap_create(2);
    assert_true(heap_insert(heap, &items[0]));
    assert_true(heap_insert(heap, &items[1]));
    assert_false(heap_insert(heap, &items[2]));
    heap_destroy(heap);
    heap_destroy(NULL);
}

static void make_key(uint64_t number, uint8_t key[TABLE_KEY_SIZE])
{
    memset(key, 0, TABLE_KEY_SIZE);
    memcpy(key + 24, &number, sizeof number);
}

static void a_table_holds_what_was_put_and_not_removed(void **state)
{
    (void)state;
    static char values[ITEMS];
    static bool present[ITEMS];
    const uint8_t seed[TABLE_SEED_SIZE] = {1, 2, 3};
    struct table *table = table_create(ITEMS / 2, seed);
    struct random random;
    size_t count = 0;
    random_seed(&random, 2);
    for (int step = 0; step < STEPS; step++) {
        uint8_t key[TABLE_KEY_SIZE];
        const uint64_t number = random_below(&random, ITEMS);
        make_key(number, key);
        assert_ptr_equal(table_find(table, key), present[number] ? &values[number] : NULL);
        if (random_below(&random, 2) == 0) {
            const bool room = !present[number] && count < ITEMS / 2;
            assert_int_equal(table_insert(table, key, &values[number]), room);
            count += room;
            present[number] |= room;
        } else {
            assert_ptr_equal(table_remove(table, key), present[number] ? &values[number] : NULL);
            count -= present[number];
            present[number] = false;
        }
        assert_int_equal(table_count(table), count);
    }
    table_destroy(table);
    table_destroy(NULL);
}

static bool count_visit(void *context, void *value)
{
    (void)value;
    return ++*(int *)context < 3;
}

static void a_visit_ends_when_the_visitor_says_so(void **state)
{
    (void)state;
    const uint8_t seed[TABLE_SEED_SIZE] = {0};
    struct table *table = table_create(10, seed);
    char value;
    int visits = 0;
    for (uint64_t i = 0; i < 10; i++) {
        uint8_t key[TABLE_KEY_SIZE];
        make_key(i, key);
        assert_true(table_insert(table, key, &value));
    }
    table_each(table, count_visit, &visits);
    assert_int_equal(visits, 3);
    table_destroy(table);
}

static void absurd_capacities_are_refused(void **state)
{
    (void)state;
    const uint8_t seed[TABLE_SEED_SIZE] = {0};
    assert_null(table_create(0, seed));
    assert_null(table_create(SIZE_MAX / 2, seed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_gives_the_smallest_whatever_is_removed),
        cmocka_unit_test(a_full_heap_refuses),
        cmocka_unit_test(a_table_holds_what_was_put_and_not_removed),
        cmocka_unit_test(a_visit_ends_when_the_visitor_says_so),
        cmocka_unit_test(absurd_capacities_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
