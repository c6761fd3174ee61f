#include "engine/gpu_internal.h"

#include "base/hex.h"
#include "nano/blake2b.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file begins with a checksum of the rest: a driver should not be handed half a kernel. */
enum { CHECKSUM_SIZE = 16, PATH_SIZE = 1024, FILE_SIZE_MAX = 64 * 1024 * 1024 };

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
                      char path[PATH_SIZE])
{
    const int length = snprintf(path, PATH_SIZE, "%s/%s%s", cache_dir, key, kind);
    return length > 0 && length < PATH_SIZE;
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
    char path[PATH_SIZE];
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

static bool write_file(const char *path, const uint8_t *checksum, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    const bool written = fwrite(checksum, 1, CHECKSUM_SIZE, file) == CHECKSUM_SIZE &&
                         fwrite(data, 1, size, file) == size;
    return fclose(file) == 0 && written;
}

/* The folder and the folder it is in, as far as they are missing. */
static void make_folder(const char *path)
{
    char above[PATH_SIZE];
    if (mkdir(path, 0755) == 0 || errno != ENOENT)
        return;
    (void)snprintf(above, sizeof above, "%s", path);
    char *slash = strrchr(above, '/');
    if (slash != NULL && slash != above) {
        *slash = '\0';
        (void)mkdir(above, 0755);
        (void)mkdir(path, 0755);
    }
}

void gpu_cache_write(const char *cache_dir, const char key[GPU_KEY_SIZE], const char *kind,
                     const void *data, size_t size)
{
    char path[PATH_SIZE];
    char temporary[PATH_SIZE];
    char ending[64];
    uint8_t checksum[CHECKSUM_SIZE];
    if (cache_dir == NULL || !make_path(cache_dir, key, kind, path))
        return;
    (void)snprintf(ending, sizeof ending, "%s.%ld.new", kind, (long)getpid());
    if (!make_path(cache_dir, key, ending, temporary))
        return;
    make_folder(cache_dir);
    blake2b(data, size, checksum, sizeof checksum);
    if (!write_file(temporary, checksum, data, size) || rename(temporary, path) != 0)
        (void)unlink(temporary);
}
