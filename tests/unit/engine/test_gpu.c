/* OpenCL on PoCL, and CUDA on the driver of fakes/: both are found by LD_LIBRARY_PATH and the
 * system's ICD files (meson.build). */
#include "test.h"

#include "base/random.h"
#include "engine/devices.h"
#include "engine/searcher.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct searcher *create(enum device_kind kind, const char *cache_dir, struct error *error)
{
    return kind == DEVICE_CUDA ? searcher_cuda_create(0, cache_dir, error)
                               : searcher_opencl_create(0, 0, cache_dir, error);
}

static struct searcher *create_or_fail(enum device_kind kind, const char *cache_dir)
{
    struct error error = {.text = ""};
    struct searcher *searcher = create(kind, cache_dir, &error);
    assert_string_equal(error.text, "");
    assert_non_null(searcher);
    return searcher;
}

static struct kernel_result next(struct searcher *searcher)
{
    struct kernel_result result;
    struct error error;
    assert_true(searcher->ops->next(searcher, &result, &error));
    return result;
}

static void begin(struct searcher *searcher, const struct root *root, uint64_t threshold,
                  uint64_t start)
{
    struct error error;
    assert_true(searcher->ops->begin(searcher, root, threshold, start, &error));
}

/* A batch finds something that is right if and only if there is something. */
static void check_batch(const struct kernel_result *result, const struct root *root,
                        uint64_t threshold, uint64_t start)
{
    struct kernel_task task;
    kernel_prepare(&task, root, threshold);
    assert_true(result->tried > 0);
    const uint64_t rest = result->tried % 48;
    struct kernel_result expected = {.found = false};
    if (result->tried > rest)
        expected = kernel_find("portable")->search(&task, start, result->tried - rest);
    for (uint64_t i = result->tried - rest; !expected.found && i < result->tried; i++)
        expected.found = work_value(start + i, root) >= threshold;
    assert_int_equal(result->found, expected.found);
    if (result->found) {
        assert_true(result->nonce - start < result->tried);
        assert_true(work_value(result->nonce, root) >= threshold);
    }
}

static void check_searches(struct searcher *searcher)
{
    static const uint64_t thresholds[] = {
        0,         UINT64_C(1) << 63, 0xff00000000000000, 0xffff000000000000, 0xfffff00000000000,
        UINT64_MAX};
    struct random random;
    random_seed(&random, 33);
    for (int i = 0; i < 12; i++) {
        struct root root;
        uint64_t start =
            i % 3 == 0 ? UINT64_MAX - random_below(&random, 5000) : random_next(&random);
        const uint64_t threshold = thresholds[i % (int)COUNT(thresholds)];
        for (size_t b = 0; b < sizeof root.bytes; b++)
            root.bytes[b] = (uint8_t)random_next(&random);
        begin(searcher, &root, threshold, start);
        for (int batch = 0; batch < 3; batch++) {
            const struct kernel_result result = next(searcher);
            check_batch(&result, &root, threshold, start);
            start += result.tried;
        }
    }
}

static void opencl_finds_what_there_is(void **state)
{
    (void)state;
    struct searcher *searcher = create_or_fail(DEVICE_OPENCL, NULL);
    check_searches(searcher);
    searcher->ops->destroy(searcher);
}

static void cuda_finds_what_there_is(void **state)
{
    (void)state;
    struct searcher *searcher = create_or_fail(DEVICE_CUDA, NULL);
    check_searches(searcher);
    searcher->ops->destroy(searcher);
}

static void a_new_search_has_nothing_of_the_one_before(void **state)
{
    (void)state;
    static const enum device_kind kinds[] = {DEVICE_OPENCL, DEVICE_CUDA};
    const struct root easy = {{1}};
    const struct root hard = {{2}};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct searcher *searcher = create_or_fail(kinds[k], NULL);
        for (int i = 0; i < 5; i++) {
            begin(searcher, &easy, 0, 7);
            assert_true(next(searcher).found); /* and launches that are in flight would find more */
            begin(searcher, &hard, UINT64_MAX, 1000);
            assert_false(next(searcher).found);
        }
        searcher->ops->destroy(searcher);
    }
}

/* The folder's files, each spoilt in the middle; how many. */
static int spoil_files(const char *folder)
{
    int count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "r+");
        assert_non_null(file);
        assert_int_equal(fseek(file, 18, SEEK_SET), 0);
        assert_int_equal(fputc('#', file), '#');
        assert_int_equal(fclose(file), 0);
        count++;
    }
    (void)closedir(directory);
    return count;
}

static void remove_files(const char *folder)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    (void)closedir(directory);
    assert_int_equal(rmdir(folder), 0);
}

static void kernels_and_sizes_are_kept_and_spoilt_ones_made_anew(void **state)
{
    (void)state;
    char base[] = "/tmp/dpow-cache-XXXXXX";
    char folder[64];
    assert_non_null(mkdtemp(base));
    (void)snprintf(folder, sizeof folder, "%s/below", base);
    for (int round = 0; round < 3; round++) {
        struct searcher *opencl = create_or_fail(DEVICE_OPENCL, folder);
        struct searcher *cuda = create_or_fail(DEVICE_CUDA, folder);
        opencl->ops->destroy(opencl);
        cuda->ops->destroy(cuda);
        if (round == 1)
            assert_int_equal(spoil_files(folder), 4); /* after a start that used them */
    }
    remove_files(folder);
    assert_int_equal(rmdir(base), 0);
}

static void a_kept_kernel_needs_no_compiler(void **state)
{
    (void)state;
    char folder[] = "/tmp/dpow-cache-XXXXXX";
    struct error error;
    assert_non_null(mkdtemp(folder));
    struct searcher *searcher = create_or_fail(DEVICE_CUDA, folder);
    searcher->ops->destroy(searcher);
    assert_int_equal(setenv("FAKE_NVRTC", "broken", 1), 0);
    searcher = create_or_fail(DEVICE_CUDA, folder);
    searcher->ops->destroy(searcher);
    assert_null(create(DEVICE_CUDA, NULL, &error));
    assert_non_null(strstr(error.text, "line 7: no semicolon"));
    assert_int_equal(unsetenv("FAKE_NVRTC"), 0);
    remove_files(folder);
}

static void a_driver_that_fails_is_told_with_call_and_code(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(setenv("FAKE_CUDA", "image", 1), 0);
    assert_null(create(DEVICE_CUDA, NULL, &error));
    assert_string_equal(error.text,
                        "cuModuleLoadData failed with CUDA's code 1 (CUDA_ERROR_INVALID_VALUE)");
    assert_int_equal(unsetenv("FAKE_CUDA"), 0);
    assert_null(searcher_cuda_create(7, NULL, &error));
    assert_non_null(strstr(error.text, "cuDeviceGet failed"));
    assert_null(searcher_opencl_create(0, 99, NULL, &error));
    assert_non_null(strstr(error.text, "has no device 99"));
    assert_null(searcher_opencl_create(99, 0, NULL, &error));
    assert_non_null(strstr(error.text, "no OpenCL platform 99"));
}

static void a_device_that_fails_a_launch_is_told_and_can_be_made_anew(void **state)
{
    (void)state;
    struct kernel_result result;
    struct error error;
    struct searcher *searcher = create_or_fail(DEVICE_CUDA, NULL);
    begin(searcher, &(struct root){{1}}, UINT64_MAX, 0);
    assert_false(next(searcher).found); /* and another launch is in flight */
    assert_int_equal(setenv("FAKE_CUDA", "launch", 1), 0);
    assert_false(searcher->ops->next(searcher, &result, &error));
    assert_string_equal(error.text,
                        "cuLaunchKernel failed with CUDA's code 719 (CUDA_ERROR_LAUNCH_FAILED)");
    searcher->ops->destroy(searcher);
    assert_int_equal(unsetenv("FAKE_CUDA"), 0);
    searcher = create_or_fail(DEVICE_CUDA, NULL);
    searcher->ops->destroy(searcher);
}

/* How many files there are in a folder. */
static int count_files(const char *folder)
{
    int count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

static void what_a_device_failed_with_is_not_kept(void **state)
{
    (void)state;
    char folder[] = "/tmp/dpow-cache-XXXXXX";
    struct error error;
    assert_non_null(mkdtemp(folder));
    struct searcher *searcher = create_or_fail(DEVICE_CUDA, folder);
    searcher->ops->destroy(searcher);
    assert_int_equal(count_files(folder), 2);
    assert_int_equal(setenv("FAKE_CUDA", "launch", 1), 0);
    assert_null(create(DEVICE_CUDA, folder, &error));
    assert_int_equal(unsetenv("FAKE_CUDA"), 0);
    assert_int_equal(count_files(folder), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void a_driver_that_does_not_start_is_told(void **state)
{
    (void)state;
    struct gpu_info gpus[1];
    struct error error;
    assert_int_equal(setenv("FAKE_CUDA", "start", 1), 0);
    assert_int_equal(cuda_list(gpus, 1, &error), 0);
    assert_non_null(strstr(error.text, "cuInit, failed with CUDA's code 1"));
    assert_int_equal(unsetenv("FAKE_CUDA"), 0);
}

static void a_driver_that_hangs_is_left_after_ten_seconds(void **state)
{
    (void)state;
    struct kernel_result result;
    struct error error;
    struct searcher *searcher = create_or_fail(DEVICE_CUDA, NULL);
    begin(searcher, &(struct root){{1}}, UINT64_MAX, 0);
    assert_int_equal(setenv("FAKE_CUDA", "hang", 1), 0);
    assert_false(searcher->ops->next(searcher, &result, &error));
    assert_string_equal(error.text, "it has not answered for 10 s");
    searcher->ops->destroy(searcher);
    assert_int_equal(unsetenv("FAKE_CUDA"), 0);
}

static void devices_are_listed_and_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        enum device_kind first;
        const char *error;
    } cases[] = {
        {"auto", 1, DEVICE_CUDA, NULL}, /* PoCL's device is the processor */
        {"auto,cpu:1", 2, DEVICE_CUDA, NULL},
        {"cuda", 1, DEVICE_CUDA, NULL},
        {"cuda:0", 1, DEVICE_CUDA, NULL},
        {"opencl", 1, DEVICE_OPENCL, NULL},
        {"opencl:0:0,cuda:0", 2, DEVICE_OPENCL, NULL},
        {"cuda:1", 0, DEVICE_CPU, "device cuda:1: there is none of that number"},
        {"opencl:0:7", 0, DEVICE_CPU, "device opencl:0:7: there is none of that number"},
        {"opencl:0", 0, DEVICE_CPU, "it must be opencl or opencl:PLATFORM:DEVICE"},
        {"opencl:a:b", 0, DEVICE_CPU, "it must be opencl or opencl:PLATFORM:DEVICE"},
        {"cuda:x", 0, DEVICE_CPU, "it must be cuda or cuda:N"},
        {"cudax", 0, DEVICE_CPU, "it must be auto, cpu"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct device_list list = {.count = 0};
        struct error error;
        const bool read = device_list_parse(cases[i].text, NULL, &list, &error);
        assert_int_equal(read, cases[i].error == NULL);
        if (cases[i].error != NULL) {
            assert_non_null(strstr(error.text, cases[i].error));
            continue;
        }
        assert_int_equal(list.count, cases[i].count);
        assert_int_equal(list.choices[0].kind, cases[i].first);
    }
}

static void a_gpu_that_cuda_has_is_not_used_through_opencl_too(void **state)
{
    (void)state;
    static const struct {
        struct gpu_info gpu;
        bool has_cuda;
        bool used;
    } cases[] = {
        {{.kind = DEVICE_CUDA, .is_gpu = true}, true, true},
        {{.kind = DEVICE_OPENCL, .is_gpu = true, .vendor = "NVIDIA Corporation"}, true, false},
        {{.kind = DEVICE_OPENCL, .is_gpu = true, .vendor = "NVIDIA Corporation"}, false, true},
        {{.kind = DEVICE_OPENCL, .is_gpu = true, .vendor = "AMD"}, true, true},
        {{.kind = DEVICE_OPENCL, .is_gpu = false, .vendor = "GenuineIntel"}, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        assert_int_equal(device_is_automatic(&cases[i].gpu, cases[i].has_cuda, &why),
                         cases[i].used);
        assert_non_null(why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opencl_finds_what_there_is),
        cmocka_unit_test(cuda_finds_what_there_is),
        cmocka_unit_test(a_new_search_has_nothing_of_the_one_before),
        cmocka_unit_test(kernels_and_sizes_are_kept_and_spoilt_ones_made_anew),
        cmocka_unit_test(a_kept_kernel_needs_no_compiler),
        cmocka_unit_test(a_driver_that_fails_is_told_with_call_and_code),
        cmocka_unit_test(a_device_that_fails_a_launch_is_told_and_can_be_made_anew),
        cmocka_unit_test(what_a_device_failed_with_is_not_kept),
        cmocka_unit_test(a_driver_that_does_not_start_is_told),
        cmocka_unit_test(a_driver_that_hangs_is_left_after_ten_seconds),
        cmocka_unit_test(devices_are_listed_and_chosen),
        cmocka_unit_test(a_gpu_that_cuda_has_is_not_used_through_opencl_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
