/* What fails below SQLite: writes and synchronisations that the disk refuses, by seed. */
#include "test.h"

#include "base/random.h"
#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Many accounts and roots, so that a transaction outgrows SQLite's cache and writes before its end.
 */
enum { WORKS = 3000, ROUNDS = 4, FAULTS_A_ROUND = 4 };

/* Stands before the system's VFS: once in `one_in` writes or synchronisations is refused, until
 * `left` have been. The writer's thread and that of the checkpoints use it. */
static struct {
    sqlite3_vfs *system;
    struct random random;
    uint64_t one_in;
    unsigned left;
} faults;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)(void *)file)->real;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards the faults. */

static void set_faults(uint64_t one_in, unsigned left)
{
    (void)pthread_mutex_lock(&mutex);
    faults.one_in = one_in;
    faults.left = left;
    (void)pthread_mutex_unlock(&mutex);
}

static bool refused(void)
{
    (void)pthread_mutex_lock(&mutex);
    const bool refuse = faults.left > 0 && random_below(&faults.random, faults.one_in) == 0;
    faults.left -= refuse ? 1 : 0;
    (void)pthread_mutex_unlock(&mutex);
    return refuse;
}

static int file_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    const int status = real->pMethods->xClose(real);
    free(real);
    return status;
}

static int file_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 offset)
{
    return real_of(file)->pMethods->xRead(real_of(file), bytes, length, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    if (refused())
        return SQLITE_FULL;
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, length, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    if (refused())
        return SQLITE_IOERR_FSYNC;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_lock(sqlite3_file *file, int *held)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held);
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **map)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, map);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct faulty_file *faulty = (struct faulty_file *)(void *)file;
    (void)vfs;
    faulty->base.pMethods = NULL;
    faulty->real = calloc(1, (size_t)faults.system->szOsFile);
    if (faulty->real == NULL)
        return SQLITE_NOMEM;
    const int status = faults.system->xOpen(faults.system, name, faulty->real, flags, out);
    if (status == SQLITE_OK)
        faulty->base.pMethods = &methods;
    else
        free(faulty->real);
    return status;
}

/* What the store's thread has told. */
struct place {
    char directory[64];
    char path[96];
    char url[112];
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int failures;
    int recoveries;
};

static void on_done(void *context)
{
    struct place *place = context;
    (void)pthread_mutex_lock(&place->mutex);
    (void)pthread_cond_signal(&place->changed);
    (void)pthread_mutex_unlock(&place->mutex);
}

static void on_health(void *context, const char *reason)
{
    struct place *place = context;
    (void)pthread_mutex_lock(&place->mutex);
    if (reason != NULL)
        place->failures++;
    else
        place->recoveries++;
    (void)pthread_mutex_unlock(&place->mutex);
}

static int set_up(void **state)
{
    static sqlite3_vfs vfs;
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/dpow-faults-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->path, sizeof place->path, "%s/dpow.db", place->directory);
    (void)snprintf(place->url, sizeof place->url, "sqlite:%s", place->path);
    (void)pthread_mutex_init(&place->mutex, NULL);
    (void)pthread_cond_init(&place->changed, NULL);
    faults.system = sqlite3_vfs_find(NULL);
    assert_non_null(faults.system);
    vfs = *faults.system;
    vfs.zName = "faulty";
    vfs.szOsFile = (int)sizeof(struct faulty_file);
    vfs.xOpen = vfs_open;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    struct place *place = *state;
    assert_int_equal(sqlite3_vfs_unregister(sqlite3_vfs_find("faulty")), SQLITE_OK);
    for (size_t i = 0; i < COUNT(endings); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", place->path, endings[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
    (void)pthread_cond_destroy(&place->changed);
    (void)pthread_mutex_destroy(&place->mutex);
    free(place);
    return 0;
}

static int64_t query(const char *path, const char *text)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(database);
    return number;
}

static struct store_op random_work(struct random *random, uint64_t number)
{
    struct store_op op = {.kind = STORE_WORK, .token = number};
    for (int i = 0; i < 32; i += 8) {
        store_le64(op.work.record.root.bytes + i, random_next(random));
        store_le64(op.work.account.key + i, random_next(random));
    }
    op.work.record.nonce = number;
    op.work.record.value = number;
    op.work.record.type = WORK_ONDEMAND;
    op.work.record.expires_ms = INT64_MAX;
    op.work.has_account = true;
    return op;
}

static struct store_op *wait_done(struct place *place, struct store *store)
{
    struct store_op *done;
    (void)pthread_mutex_lock(&place->mutex);
    while ((done = store_take_done(store)) == NULL)
        (void)pthread_cond_wait(&place->changed, &place->mutex);
    (void)pthread_mutex_unlock(&place->mutex);
    return done;
}

/* Submits many works while the disk refuses now and then; all come back durable and in order. */
static void submit_through_faults(struct place *place, struct random *random, struct store_op *ops)
{
    struct error error;
    const struct log quiet = {.descriptor = 2, .level = LOG_ERROR + 1, .part = "test"};
    const struct store_callbacks callbacks = {on_done, on_health, place};
    struct store *store = store_open(place->url, &quiet, &error);
    assert_non_null(store);
    for (uint64_t i = 0; i < WORKS; i++) {
        ops[i] = random_work(random, i);
        store_submit(store, &ops[i]);
    }
    set_faults(1 + random_below(random, 600), FAULTS_A_ROUND);
    assert_true(store_start(store, &callbacks, &error));
    uint64_t ended = 0;
    while (ended < WORKS)
        for (struct store_op *op = wait_done(place, store); op != NULL; op = store_op_next(op)) {
            assert_int_equal(op->token, ended++);
            assert_int_equal(op->status, STORE_DONE);
            assert_true(op->work.rewarded);
            assert_int_equal(op->work.totals.rewarded.of[WORK_ONDEMAND], 1);
        }
    store_stop(store, 0);
    set_faults(1, 0);
    store_close(store);
}

static void writes_that_fail_lose_nothing_and_count_nothing_twice(void **state)
{
    struct place *place = *state;
    struct random random;
    struct store_op *ops = calloc(WORKS, sizeof *ops);
    assert_non_null(ops);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        random_seed(&random, seed);
        random_seed(&faults.random, seed + 1000);
        submit_through_faults(place, &random, ops);
        const int64_t works = (int64_t)seed * WORKS;
        assert_int_equal(query(place->path, "SELECT count(*) FROM rewards"), works);
        assert_int_equal(query(place->path, "SELECT sum(rewarded) FROM totals"), works);
        assert_int_equal(query(place->path, "SELECT count(*) FROM clients"), works);
        assert_int_equal(query(place->path, "SELECT sum(ondemand) FROM clients"), works);
    }
    free(ops);
    assert_true(place->failures > 0);
    assert_int_equal(place->recoveries, place->failures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_that_fail_lose_nothing_and_count_nothing_twice,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
