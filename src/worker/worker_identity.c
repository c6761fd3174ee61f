#include "worker/worker_identity.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, BITS_SIZE = 16 };

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

static bool is_id(const char *text)
{
    return strlen(text) == WORKER_ID_SIZE - 1 && strncmp(text, "w-", 2) == 0 &&
           strspn(text + 2, alphabet) == WORKER_ID_SIZE - 3;
}

static void make_id(char id[WORKER_ID_SIZE])
{
    unsigned char bits[BITS_SIZE];
    unsigned held = 0;
    int count = 0;
    size_t next = 0;
    random_system(bits, sizeof bits);
    id[0] = 'w';
    id[1] = '-';
    for (int i = 2; i < WORKER_ID_SIZE - 1; i++) {
        if (count < 5) {
            held = held << 8 | (next < sizeof bits ? bits[next] : 0);
            next++;
            count += 8;
        }
        count -= 5;
        id[i] = alphabet[held >> count & 31];
        held &= (1U << count) - 1;
    }
    id[WORKER_ID_SIZE - 1] = '\0';
}

static bool make_directories(const char *directory)
{
    char partial[PATH_SIZE];
    if (snprintf(partial, sizeof partial, "%s/", directory) >= (int)sizeof partial)
        return false;
    for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(partial, 0700) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return true;
}

bool worker_identity_load(const char *directory, char id[WORKER_ID_SIZE], struct error *error)
{
    char path[PATH_SIZE];
    char line[64] = "";
    const int length = snprintf(path, sizeof path, "%s/worker-id", directory);
    if (length < 0 || (size_t)length >= sizeof path)
        return error_set(error, ERROR_INVALID, "the state directory's path is too long");
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        const bool read = fgets(line, sizeof line, file) != NULL;
        (void)fclose(file);
        line[strcspn(line, "\n")] = '\0';
        if (read && is_id(line)) {
            memcpy(id, line, WORKER_ID_SIZE);
            return true;
        }
    }
    make_id(id);
    const int descriptor = make_directories(directory)
                               ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                               : -1;
    if (descriptor < 0)
        return error_set(error, ERROR_SYSTEM, "cannot keep the worker's id in %.160s: %s", path,
                         strerror(errno));
    const bool written = dprintf(descriptor, "%s\n", id) == WORKER_ID_SIZE;
    const bool closed = close(descriptor) == 0;
    return (written && closed) ||
           error_set(error, ERROR_SYSTEM, "cannot write %.160s: %s", path, strerror(errno));
}
