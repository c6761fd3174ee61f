#include "test.h"

#include "workserver/work_memory.h"

static struct root root_of(uint8_t number)
{
    return (struct root){{number}};
}

static void the_best_work_of_a_root_is_given_out_while_it_is_enough(void **state)
{
    (void)state;
    static const uint8_t seed[TABLE_SEED_SIZE];
    struct work_memory *memory = work_memory_create(4, seed);
    const struct root root = root_of(1);
    uint64_t nonce = 0;
    uint64_t value = 0;
    assert_non_null(memory);
    assert_false(work_memory_find(memory, &root, 0, &nonce, &value));
    work_memory_add(memory, &root, 10, 100);
    work_memory_add(memory, &root, 30, 300);
    work_memory_add(memory, &root, 20, 200);
    assert_true(work_memory_find(memory, &root, 300, &nonce, &value));
    assert_true(nonce == 30 && value == 300);
    assert_false(work_memory_find(memory, &root, 301, &nonce, &value));
    work_memory_destroy(memory);
    work_memory_destroy(NULL);
}

static void the_oldest_root_makes_room(void **state)
{
    (void)state;
    static const uint8_t seed[TABLE_SEED_SIZE];
    struct work_memory *memory = work_memory_create(3, seed);
    uint64_t nonce;
    uint64_t value;
    for (uint8_t i = 0; i < 10; i++) {
        const struct root root = root_of(i);
        work_memory_add(memory, &root, i, 5);
    }
    for (uint8_t i = 0; i < 10; i++) {
        const struct root root = root_of(i);
        assert_int_equal(work_memory_find(memory, &root, 5, &nonce, &value), i >= 7);
    }
    work_memory_destroy(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_work_of_a_root_is_given_out_while_it_is_enough),
        cmocka_unit_test(the_oldest_root_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
