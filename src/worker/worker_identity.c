#include "worker/worker_identity.h"

#include "base/directory.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
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

/* Opens and locks the file of one number, from 1 up. Returns the descriptor, or -1 with errno:
 * EWOULDBLOCK if another process has it. */
static int lock_file(const char *directory, unsigned number, char path[PATH_SIZE])
{
    const int length = number == 1
                           ? snprintf(path, PATH_SIZE, "%s/worker-id", directory)
                           : snprintf(path, PATH_SIZE, "%s/worker-id-%u", directory, number);
    if (length < 0 || length >= PATH_SIZE) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        return descriptor;
    const int reason = errno;
    (void)close(descriptor);
    errno = reason;
    return -1;
}

static bool read_id(int descriptor, char id[WORKER_ID_SIZE])
{
    char line[64] = "";
    if (pread(descriptor, line, sizeof line - 1, 0) < 0)
        return false;
    line[strcspn(line, "\n")] = '\0';
    if (!is_id(line))
        return false;
    memcpy(id, line, WORKER_ID_SIZE);
    return true;
}

static bool write_id(int descriptor, const char id[WORKER_ID_SIZE])
{
    char line[WORKER_ID_SIZE + 1];
    const int length = snprintf(line, sizeof line, "%s\n", id);
    return ftruncate(descriptor, 0) == 0 && pwrite(descriptor, line, (size_t)length, 0) == length;
}

bool worker_identity_take(const char *directory, struct worker_identity *identity,
                          struct error *error)
{
    char path[PATH_SIZE];
    struct worker_identity taken = {.descriptor = -1};
    if (!directory_make(directory, error))
        return false;
    errno = EWOULDBLOCK;
    for (unsigned number = 1;
         number <= WORKER_IDENTITIES_MAX && taken.descriptor < 0 && errno == EWOULDBLOCK; number++)
        taken.descriptor = lock_file(directory, number, path);
    if (taken.descriptor < 0)
        return error_set(error, ERROR_SYSTEM, "cannot keep the worker's id in %.160s: %s", path,
                         strerror(errno));
    if (!read_id(taken.descriptor, taken.id)) {
        make_id(taken.id);
        if (!write_id(taken.descriptor, taken.id)) {
            (void)error_set(error, ERROR_SYSTEM, "cannot write %.160s: %s", path, strerror(errno));
            (void)close(taken.descriptor);
            return false;
        }
    }
    *identity = taken;
    return true;
}

void worker_identity_release(struct worker_identity *identity)
{
    (void)close(identity->descriptor);
    identity->descriptor = -1;
}
