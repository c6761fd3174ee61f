#include "test.h"
#include "vectors.h"

#include "base/random.h"
#include "nano/blake2b.h"
#include "nano/difficulty.h"
#include "nano/work.h"

#include <math.h>
#include <string.h>

static void values_and_validity_equal_the_vectors(void **state)
{
    (void)state;
    struct json_object *file = vectors_load("work.json");
    struct json_object *cases = vectors_member(file, "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        struct root root;
        uint64_t nonce;
        assert_true(root_parse(slice_of(vectors_text(one, "root")), &root));
        assert_true(work_parse(slice_of(vectors_text(one, "work")), &nonce));
        assert_true(work_value(nonce, &root) == vectors_hex(one, "value"));
        assert_int_equal(work_valid(nonce, &root, vectors_hex(one, "threshold")),
                         json_object_get_boolean(vectors_member(one, "valid")));
        const double multiplier =
            difficulty_to_multiplier(work_value(nonce, &root), 0xfffffff800000000);
        const double expected = vectors_number(one, "multiplier");
        assert_true(fabs(multiplier - expected) <= 1e-15 * fabs(expected));
    }
    json_object_put(file);
}

static void the_short_cut_equals_the_full_hash(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 3);
    for (int i = 0; i < 2000; i++) {
        uint8_t block[40];
        uint8_t digest[8];
        struct root root;
        const uint64_t nonce = random_next(&random);
        for (int b = 0; b < 32; b++)
            root.bytes[b] = (uint8_t)random_below(&random, 256);
        store_le64(block, nonce);
        memcpy(block + 8, root.bytes, 32);
        blake2b(block, sizeof block, digest, sizeof digest);
        assert_true(work_value(nonce, &root) == load_le64(digest));
    }
}

static void nonces_are_read_as_the_node_does(void **state)
{
    (void)state;
    struct json_object *file = vectors_load("work.json");
    struct json_object *forms = vectors_member(file, "text_forms");
    struct json_object *same = vectors_member(forms, "same_nonce");
    struct json_object *refuse = vectors_member(forms, "refuse");
    uint64_t nonce = 1;
    for (size_t i = 0; i < json_object_array_length(same); i++) {
        char text[17];
        assert_true(work_parse(slice_of(json_object_get_string(json_object_array_get_idx(same, i))),
                               &nonce));
        assert_true(nonce == 0x10600);
        work_format(nonce, text);
        assert_string_equal(text, "0000000000010600");
    }
    for (size_t i = 0; i < json_object_array_length(refuse); i++)
        assert_false(work_parse(
            slice_of(json_object_get_string(json_object_array_get_idx(refuse, i))), &nonce));
    assert_true(nonce == 0x10600);
    json_object_put(file);
}

static void roots_are_64_digits_written_upper_case(void **state)
{
    (void)state;
    const char *lower = "718cc2121c3e641059bc1c2cfc45666c99e8ae922f7a807b7d07b62c995d79e2";
    char text[65];
    struct root root;
    assert_true(root_parse(slice_of(lower), &root));
    assert_false(root_is_zero(&root));
    root_format(&root, text);
    assert_string_equal(text, "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2");
    assert_false(root_parse(slice_of(lower + 1), &root));
    memset(&root, 0, sizeof root);
    assert_true(root_is_zero(&root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_validity_equal_the_vectors),
        cmocka_unit_test(the_short_cut_equals_the_full_hash),
        cmocka_unit_test(nonces_are_read_as_the_node_does),
        cmocka_unit_test(roots_are_64_digits_written_upper_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
