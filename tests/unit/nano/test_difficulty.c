#include "test.h"
#include "vectors.h"

#include "nano/difficulty.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct json_object *file;

static int load(void **state)
{
    (void)state;
    file = vectors_load("difficulty.json");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_object_put(file);
    return 0;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-15 * fabs(b);
}

static void thresholds_and_back_equal_the_vectors(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(file, "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        const uint64_t base = vectors_hex(one, "base");
        uint64_t threshold = 0;
        assert_true(
            difficulty_from_multiplier(vectors_number(one, "multiplier"), base, &threshold));
        assert_true(threshold == vectors_hex(one, "threshold"));
        assert_true(near(difficulty_to_multiplier(threshold, base), vectors_number(one, "back")));
    }
}

static void multipliers_without_a_threshold_are_refused(void **state)
{
    (void)state;
    struct json_object *refuse = vectors_member(file, "refuse");
    for (size_t i = 0; i < json_object_array_length(refuse); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(refuse, i));
        uint64_t threshold = 9;
        assert_false(
            difficulty_from_multiplier(strtod(text, NULL), 0xfffffff800000000, &threshold));
        assert_true(threshold == 9);
    }
}

static void the_full_rule_keeps_the_nodes_edges(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(vectors_member(file, "edges"), "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        assert_true(difficulty_from_multiplier_saturating(vectors_number(one, "multiplier"),
                                                          vectors_hex(one, "base")) ==
                    vectors_hex(one, "threshold"));
    }
}

static void multipliers_are_written_as_the_node_does(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(vectors_member(file, "to_multiplier"), "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        char text[64];
        multiplier_format_node(
            difficulty_to_multiplier(vectors_hex(one, "difficulty"), vectors_hex(one, "base")),
            text, sizeof text);
        assert_string_equal(text, vectors_text(one, "text"));
    }
}

static void normalized_multipliers_convert_both_ways(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(vectors_member(file, "normalized"), "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        const double multiplier = vectors_number(one, "multiplier");
        const uint64_t threshold = vectors_hex(one, "threshold");
        const double normalized = difficulty_normalize(multiplier, threshold, 0xfffffff800000000);
        assert_true(near(normalized, vectors_number(one, "normalized")));
        assert_true(fabs(difficulty_denormalize(normalized, threshold, 0xfffffff800000000) -
                         multiplier) < 1e-9);
    }
}

static void other_clients_formulas_do_not_change_ours(void **state)
{
    (void)state;
    struct json_object *cases = vectors_member(vectors_member(file, "other_clients"), "cases");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        uint64_t threshold = 0;
        assert_true(difficulty_from_multiplier(vectors_number(one, "multiplier"),
                                               vectors_hex(one, "base"), &threshold));
        assert_true(threshold == vectors_hex(one, "node"));
    }
}

static void base_zero_stands_for_all_of_2_to_the_64(void **state)
{
    (void)state;
    uint64_t threshold = 9;
    assert_false(difficulty_from_multiplier(1, 0, &threshold));
    assert_false(difficulty_from_multiplier(0.5, 0, &threshold));
    assert_true(threshold == 9);
    assert_true(difficulty_from_multiplier(2, 0, &threshold) && threshold == 1ull << 63);
    assert_true(difficulty_to_multiplier(1ull << 63, 0) == 2);
    assert_true(difficulty_to_multiplier(0, 0) == 1);
    assert_true(difficulty_to_multiplier(0, 1ull << 63) == 0.5);
}

static void a_threshold_is_never_zero_and_grows_with_the_multiplier(void **state)
{
    (void)state;
    static const uint64_t bases[] = {0, 1, 1ull << 63, 0xfffffff800000000, UINT64_MAX};
    for (size_t i = 0; i < COUNT(bases); i++) {
        uint64_t last = 0;
        for (int step = -800; step <= 800; step++) {
            uint64_t threshold = 0;
            if (!difficulty_from_multiplier(pow(2, step / 10.0), bases[i], &threshold))
                continue;
            assert_true(threshold > 0 && threshold >= last);
            last = threshold;
        }
    }
}

static void networks_have_their_thresholds(void **state)
{
    (void)state;
    static const char *const names[] = {"live", "beta", "dev", "test"};
    struct json_object *thresholds = vectors_member(file, "thresholds");
    for (size_t i = 0; i < COUNT(names); i++) {
        struct json_object *one = vectors_member(thresholds, names[i]);
        const struct network *network = network_find(names[i]);
        assert_non_null(network);
        assert_true(network->epoch_1 == vectors_hex(one, "epoch_1"));
        assert_true(network->send == vectors_hex(one, "epoch_2"));
        assert_true(network->receive == vectors_hex(one, "epoch_2_receive"));
    }
    assert_null(network_find("main"));
}

static void expected_hashes_are_the_inverse_probability(void **state)
{
    (void)state;
    assert_true(difficulty_expected_hashes(0xfffffff800000000) == 0x1p29);
    assert_true(difficulty_expected_hashes(0xfffffe0000000000) == 0x1p23);
    assert_true(difficulty_expected_hashes(UINT64_MAX) == 0x1p64);
    assert_true(difficulty_expected_hashes(0) == 1);
}

static void multipliers_are_written_as_short_as_they_read_back_equal(void **state)
{
    (void)state;
    static const struct {
        double multiplier;
        const char *text;
    } cases[] = {
        {1, "1"},
        {8, "8"},
        {1.5, "1.5"},
        {0.015625, "0.015625"},
        {0.17433086091718653, "0.17433086091718653"},
        {34359738368.0, "34359738368"},
        {1e21, "1000000000000000000000"},
        {1e-7, "0.0000001"},
        {100, "100"},
        {0.1, "0.1"},
        {1e22 / 3, "3333333333333333300000"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[400];
        multiplier_format_shortest(cases[i].multiplier, text, sizeof text);
        assert_true(strtod(text, NULL) == cases[i].multiplier);
        if (i + 1 < COUNT(cases)) /* of the last one printf shows more digits than are needed */
            assert_string_equal(text, cases[i].text);
    }
}

static void whole_hashes_are_rounded_down_and_bounded(void **state)
{
    (void)state;
    static const struct {
        uint64_t threshold;
        uint64_t hashes;
    } cases[] = {
        {0, 1},
        {1, 1},
        {(uint64_t)1 << 63, 2},
        {0xfffffff800000000, (uint64_t)1 << 29},
        {0xfffffe0000000000, (uint64_t)1 << 23},
        {0xfffffffffffff000, (uint64_t)1 << 52},
        {0xfffffffffffffffd, (uint64_t)1 << 53},
        {UINT64_MAX, (uint64_t)1 << 53},
        {(uint64_t)0 - 3, (uint64_t)1 << 53},
        {(uint64_t)0 - ((uint64_t)3 << 40), 5592405},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(difficulty_whole_hashes(cases[i].threshold) == cases[i].hashes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_and_back_equal_the_vectors),
        cmocka_unit_test(multipliers_without_a_threshold_are_refused),
        cmocka_unit_test(the_full_rule_keeps_the_nodes_edges),
        cmocka_unit_test(multipliers_are_written_as_the_node_does),
        cmocka_unit_test(normalized_multipliers_convert_both_ways),
        cmocka_unit_test(other_clients_formulas_do_not_change_ours),
        cmocka_unit_test(base_zero_stands_for_all_of_2_to_the_64),
        cmocka_unit_test(a_threshold_is_never_zero_and_grows_with_the_multiplier),
        cmocka_unit_test(networks_have_their_thresholds),
        cmocka_unit_test(whole_hashes_are_rounded_down_and_bounded),
        cmocka_unit_test(expected_hashes_are_the_inverse_probability),
        cmocka_unit_test(multipliers_are_written_as_short_as_they_read_back_equal),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
