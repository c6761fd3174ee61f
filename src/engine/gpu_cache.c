#include "engine/gpu_internal.h"

#include "base/directory.h"
#include "base/hex.h"
#include "nano/blake2b.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file begins with a checksum of the rest: a driver should not be handed half a kernel. */
enum { CHECKSUM_SIZE = 16, FILE_SIZE_MAX = 64 * 1024 * 1024 };

void gpu_cache_key(const char *const *texts, char key[GPU_KEY_SIZE])
{
    struct blake2b hash;
    uint8_t digest[GPU_KEY_SIZE / 2];
    blake2b_init(&hash, sizeof digest);
    for (; *texts != NULL; texts++)
        blake2b_update(&hash, *texts, strlen(*texts) + 1);
    blake2b_final(&hash, digest);
    hex_encode_upper(digest, sizeof digest, key);
}

static bool make_path(const char *cache_dir, const char *key, const char *kind,
                      char path[DIRECTORY_PATH_SIZE])
{
    const int length = snprintf(path, DIRECTORY_PATH_SIZE, "%s/%s%s", cache_dir, key, kind);
    return length > 0 && length < DIRECTORY_PATH_SIZE;
}

/* Reads a whole file of a sensible size. */
static uint8_t *read_file(const char *path, size_t *size)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    uint8_t *data = NULL;
    if (fstat(fileno(file), &status) == 0 && status.st_size > CHECKSUM_SIZE &&
        status.st_size <= FILE_SIZE_MAX) {
        *size = (size_t)status.st_size;
        data = malloc(*size);
    }
    if (data != NULL && fread(data, 1, *size, file) != *size) {
        free(data);
        data = NULL;
    }
    (void)fclose(file);
    return data;
}

void *gpu_cache_read(const char *cache_dir, const char key[GPU_KEY_SIZE], const char *kind,
                     size_t *size)
{
    char path[DIRECTORY_PATH_SIZE];
    uint8_t checksum[CHECKSUM_SIZE];
    size_t whole;
    if (cache_dir == NULL || !make_path(cache_dir, key, kind, path))
        return NULL;
    uint8_t *data = read_file(path, &whole);
    if (data == NULL)
        return NULL;
    *size = whole - CHECKSUM_SIZE;
    blake2b(data + CHECKSUM_SIZE, *size, checksum, sizeof checksum);
    if (memcmp(checksum, data, sizeof checksum) != 0) {
        free(data);
        return NULL;
    }
    memmove(data, data + CHECKSUM_SIZE, *size);
    return data;
}

/* The name becomes that of a new file: several devices of one kind write at a time. */
static bool write_file(char *name, const uint8_t *checksum, const void *data, size_t size)
{
    const int handle = mkostemp(name, O_CLOEXEC);
    if (handle < 0)
        return false;
    FILE *file = fdopen(handle, "w");
    if (file == NULL) {
        (void)close(handle);
        return false;
    }
    const bool written = fwrite(checksum, 1, CHECKSUM_SIZE, file) == CHECKSUM_SIZE &&
                         fwrite(data, 1, size, file) == size;
    return fclose(file) == 0 && written;
}

void gpu_cache_write(const char *cache_dir, const char key[GPU_KEY_SIZE], const char *kind,
                     const void *data, size_t size)
{
    char path[DIRECTORY_PATH_SIZE];
    char temporary[DIRECTORY_PATH_SIZE];
    uint8_t checksum[CHECKSUM_SIZE];
    struct error error;
    if (cache_dir == NULL || !make_path(cache_dir, key, kind, path) ||
        !make_path(cache_dir, key, ".XXXXXX", temporary) || !directory_make(cache_dir, &error))
        return;
    blake2b(data, size, checksum, sizeof checksum);
    if (!write_file(temporary, checksum, data, size) || rename(temporary, path) != 0)
        (void)unlink(temporary);
}

void gpu_cache_forget(const char *cache_dir, const char key[GPU_KEY_SIZE])
{
    static const char *const kinds[] = {".bin", ".size"};
    char path[DIRECTORY_PATH_SIZE];
    for (size_t i = 0; cache_dir != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        if (make_path(cache_dir, key, kinds[i], path))
            (void)unlink(path);
}
