#include "test.h"
#include "vectors.h"

#include "base/hex.h"
#include "nano/blake2b.h"

enum { INPUT_MAX = 512, DIGEST_MAX = 64 };

static void expect_digest(struct json_object *one, const uint8_t *digest)
{
    char text[2 * DIGEST_MAX + 1];
    hex_encode_upper(digest, (size_t)vectors_number(one, "size"), text);
    assert_string_equal(text, vectors_text(one, "digest"));
}

/* The input of a case: as many bytes as its length, made as the file says. */
static size_t input_of(struct json_object *one, uint8_t input[INPUT_MAX])
{
    const size_t length = (size_t)vectors_number(one, "length");
    assert_true(length <= INPUT_MAX);
    for (size_t i = 0; i < length; i++)
        input[i] = (uint8_t)(7 * i + length);
    return length;
}

static void digests_equal_an_independent_implementation(void **state)
{
    (void)state;
    struct json_object *file = vectors_load("blake2b.json");
    struct json_object *cases = vectors_member(file, "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        uint8_t input[INPUT_MAX];
        uint8_t digest[DIGEST_MAX];
        const size_t length = input_of(one, input);
        blake2b(input, length, digest, (size_t)vectors_number(one, "size"));
        expect_digest(one, digest);
    }
    json_object_put(file);
}

static void the_digest_is_the_same_however_the_input_is_cut(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 3, 64, 127, 128, 129};
    struct json_object *file = vectors_load("blake2b.json");
    struct json_object *cases = vectors_member(file, "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        uint8_t input[INPUT_MAX];
        const size_t length = input_of(one, input);
        for (size_t p = 0; p < COUNT(pieces); p++) {
            uint8_t digest[DIGEST_MAX];
            struct blake2b hash;
            blake2b_init(&hash, (size_t)vectors_number(one, "size"));
            for (size_t at = 0; at < length; at += pieces[p])
                blake2b_update(&hash, input + at,
                               length - at < pieces[p] ? length - at : pieces[p]);
            blake2b_final(&hash, digest);
            expect_digest(one, digest);
        }
    }
    json_object_put(file);
}

static void every_length_around_two_blocks_and_every_digest_size_is_covered(void **state)
{
    (void)state;
    bool lengths[INPUT_MAX] = {false};
    bool sizes[DIGEST_MAX + 1] = {false};
    struct json_object *file = vectors_load("blake2b.json");
    struct json_object *cases = vectors_member(file, "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        lengths[(size_t)vectors_number(one, "length")] = true;
        sizes[(size_t)vectors_number(one, "size")] = true;
    }
    for (size_t length = 0; length <= 257; length++)
        assert_true(lengths[length]);
    for (size_t size = 1; size <= DIGEST_MAX; size++)
        assert_true(sizes[size]);
    json_object_put(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_equal_an_independent_implementation),
        cmocka_unit_test(the_digest_is_the_same_however_the_input_is_cut),
        cmocka_unit_test(every_length_around_two_blocks_and_every_digest_size_is_covered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
