#include "cli/admin_internal.h"
#include "cli/directories.h"

#include "base/clock.h"
#include "base/directory.h"
#include "base/hex.h"
#include "hub/migration.h"
#include "hub/services.h"
#include "nano/difficulty.h"
#include "net/url.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REDIS_PORT = 6379, DATABASE_MAX = 65535, URL_SIZE = DIRECTORY_SIZE + 32, TEXT_SIZE = 2048 };

static const struct option_spec migrate_options[] = {
    {.name = "from",
     .kind = OPTION_TEXT,
     .argument = "URL",
     .help = "The original's Redis: redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], by default "
             "port 6379 and database 0.",
     .secret = true},
    {.name = "rename",
     .kind = OPTION_LIST,
     .argument = "OLD=NEW",
     .help = "The login name that a service gets here."},
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .argument = "N",
     .low = 0.01,
     .high = 1e6,
     .help = "How many requests a second each imported service may make.",
     .fallback = "100"},
    {.name = "accounts-to",
     .kind = OPTION_TEXT,
     .argument = "SERVICE",
     .help = "Imports the accounts whose next work the original made ahead, as those of this "
             "service: the original did not know whose they are. Without it they are left out."},
    {.name = "base-difficulty",
     .kind = OPTION_TEXT,
     .argument = "HEX",
     .help = "What a cached work must reach to be imported, 16 hexadecimal digits; by default the "
             "live network's send class."},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "Reads, tries it on a temporary copy of the store, reports and changes nothing."},
    {.name = NULL},
};

/* The store that is written: the hub's, or for a dry run a copy in a folder of its own. */
struct target {
    char url[URL_SIZE];
    char temporary[DIRECTORY_SIZE]; /* The copy's folder; empty for none. */
};

static bool read_database(const char *path, unsigned *database, struct error *error)
{
    *database = 0;
    if (path[0] == '\0' || strcmp(path, "/") == 0)
        return true;
    for (const char *digit = path + 1; *digit != '\0'; digit++) {
        if (isdigit((unsigned char)*digit) == 0 || *database > DATABASE_MAX)
            return error_set(error, ERROR_INVALID, "--from: /DATABASE must be a number");
        *database = *database * 10 + (unsigned)(*digit - '0');
    }
    return true;
}

/* The address borrows the URL. */
static bool read_address(const struct options *options, struct url *url,
                         struct redis_address *address, struct error *error)
{
    struct error reason;
    const char *text = options_text(options, "from");
    if (text == NULL)
        return error_set(error, ERROR_INVALID, "--from or --from-file is needed");
    if (!url_parse(text, url, &reason))
        return error_set(error, ERROR_INVALID, "--from: %s", reason.text);
    if (strcmp(url->scheme, "redis") != 0)
        return error_set(error, ERROR_INVALID, "--from must be redis://HOST");
    if (url->user[0] != '\0' && url->password[0] == '\0')
        return error_set(error, ERROR_INVALID, "--from: a user needs a password");
    *address = (struct redis_address){
        .host = url->host,
        .port = url->port != 0 ? url->port : REDIS_PORT,
        .user = url->user,
        .password = url->password,
    };
    return read_database(url->path, &address->database, error);
}

/* OLD may hold any character, also "="; NEW cannot. */
static bool read_rename(const char *text, struct migration_rename *rename, struct error *error)
{
    const char *sign = strrchr(text, '=');
    if (sign == NULL || sign == text)
        return error_set(error, ERROR_INVALID, "--rename must be OLD=NEW");
    if (!service_name_valid(slice_of(sign + 1)))
        return error_set(error, ERROR_INVALID,
                         "--rename: NEW must have 1 to 64 characters of A-Z a-z 0-9 . _ -");
    *rename = (struct migration_rename){{text, (size_t)(sign - text)}, sign + 1, false};
    return true;
}

/* The renames are the caller's to free. */
static bool read_options(const struct options *options, struct migration_options *migration,
                         struct error *error)
{
    const char *difficulty = options_text(options, "base-difficulty");
    migration->rename_count = options_list_count(options, "rename");
    migration->rate_per_s = options_number(options, "rate");
    migration->accounts_to = options_text(options, "accounts-to");
    migration->threshold = network_find("live")->send;
    if (migration->accounts_to != NULL && !service_name_valid(slice_of(migration->accounts_to)))
        return error_set(error, ERROR_INVALID, "--accounts-to must be a service's name");
    if (difficulty != NULL && !hex_u64_parse(slice_of(difficulty), &migration->threshold))
        return error_set(error, ERROR_INVALID, "--base-difficulty must be 16 hexadecimal digits");
    migration->renames = calloc(migration->rename_count + 1, sizeof *migration->renames);
    if (migration->renames == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for --rename");
    for (size_t i = 0; i < migration->rename_count; i++)
        if (!read_rename(options_list(options, "rename", i), &migration->renames[i], error))
            return false;
    return true;
}

static bool copy_store(struct target *target, struct error *error)
{
    const char *parent = getenv("TMPDIR");
    char hub_url[URL_SIZE];
    memcpy(hub_url, target->url, sizeof hub_url);
    const int length = snprintf(target->temporary, sizeof target->temporary,
                                "%s/dpow-migrate-XXXXXX", parent != NULL ? parent : "/tmp");
    if ((size_t)length >= sizeof target->temporary || mkdtemp(target->temporary) == NULL) {
        (void)error_set(error, ERROR_SYSTEM, "cannot create %.160s: %s", target->temporary,
                        strerror(errno));
        target->temporary[0] = '\0';
        return false;
    }
    (void)snprintf(target->url, sizeof target->url, "sqlite:%s/dpow.db", target->temporary);
    return store_backup(hub_url, target->url + strlen("sqlite:"), error) ||
           error->code == ERROR_NOT_FOUND; /* then it would be a new one */
}

static bool find_target(const struct invocation *invocation, struct target *target,
                        struct error *error)
{
    const struct options *options = invocation->options;
    char directory[DIRECTORY_SIZE];
    if (!admin_store_url(invocation, target->url, sizeof target->url, error))
        return false;
    if (options_flag(options, "dry-run"))
        return copy_store(target, error);
    return options_text(options, "store") != NULL ||
           (state_directory_find(options_text(options, "data-dir"), directory, error) &&
            directory_make(directory, error));
}

static void remove_copy(const struct target *target)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    char path[DIRECTORY_SIZE + 32];
    if (target->temporary[0] == '\0')
        return;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/dpow.db%s", target->temporary, endings[i]);
        (void)unlink(path);
    }
    (void)rmdir(target->temporary);
}

static struct store *open_target(const struct invocation *invocation, struct target *target,
                                 struct error *error)
{
    struct error reason;
    if (!find_target(invocation, target, error))
        return NULL;
    struct store *store = store_open(target->url, &invocation->log, &reason);
    if (store == NULL)
        (void)error_set(error, reason.code, "%s%s", reason.text,
                        reason.code == ERROR_EXISTS ? "; stop the hub first" : "");
    return store;
}

static bool read_source(void *context, const struct legacy_visitor *visitor, struct error *error)
{
    return redis_source_read(context, visitor, error);
}

static void write_audit(const struct redis_address *address, struct audit_record *audit)
{
    const struct passwd *self = getpwuid(getuid());
    memset(audit, 0, sizeof *audit);
    audit->at_ms = clock_wall_ms();
    (void)snprintf(audit->actor, sizeof audit->actor, "%.60s",
                   self != NULL ? self->pw_name : "unknown");
    (void)snprintf(audit->command, sizeof audit->command, "migrate --from redis://%s:%u/%u",
                   address->host, address->port, address->database);
}

/* Opens the store and imports. The store is opened last: nothing is created for a wrong address. */
static bool import(const struct invocation *invocation, const struct redis_address *address,
                   struct migration_options *migration, struct migration_report *report,
                   struct error *error)
{
    struct target target = {{0}, {0}};
    struct audit_record audit;
    struct redis_source *source = redis_source_open(address, error);
    if (source == NULL)
        return false;
    migration->store = open_target(invocation, &target, error);
    bool done = false;
    if (migration->store != NULL) {
        write_audit(address, &audit);
        migration->log = invocation->log;
        migration->read = read_source;
        migration->context = source;
        migration->audit = &audit;
        migration->now_ms = audit.at_ms;
        done = migration_run(migration, report, error);
    }
    store_close(migration->store);
    remove_copy(&target);
    redis_source_close(source);
    return done;
}

/* A kind of records, as it is reported. */
struct line {
    const char *name;
    const struct migration_tally *tally;
};

enum { LINES = 5 };

static void list_lines(const struct migration_report *report, struct line lines[LINES])
{
    lines[0] = (struct line){"services", &report->services};
    lines[1] = (struct line){"clients", &report->clients};
    lines[2] = (struct line){"totals", &report->totals};
    lines[3] = (struct line){"works", &report->works};
    lines[4] = (struct line){"accounts", &report->accounts};
}

static void write_json(const struct migration_report *report, bool dry, char text[TEXT_SIZE])
{
    struct line lines[LINES];
    struct json_writer writer;
    list_lines(report, lines);
    json_writer_init(&writer, text, TEXT_SIZE);
    json_begin_object(&writer);
    json_key(&writer, "dry_run");
    json_write_bool(&writer, dry);
    for (int i = 0; i < LINES; i++) {
        json_key(&writer, lines[i].name);
        json_begin_object(&writer);
        json_key(&writer, "imported");
        json_write_u64(&writer, lines[i].tally->imported);
        json_key(&writer, "existing");
        json_write_u64(&writer, lines[i].tally->existing);
        json_key(&writer, "left_out");
        json_write_u64(&writer, lines[i].tally->left_out);
        json_end_object(&writer);
    }
    json_key(&writer, "names_refused");
    json_write_u64(&writer, report->names_refused);
    json_key(&writer, "warnings");
    json_write_u64(&writer, report->warnings);
    json_end_object(&writer);
}

static void write_text(const struct migration_report *report, bool dry, char text[TEXT_SIZE])
{
    struct line lines[LINES];
    int length = 0;
    list_lines(report, lines);
    for (int i = 0; i < LINES; i++)
        length += snprintf(text + length, TEXT_SIZE - (size_t)length,
                           "%s: %llu imported, %llu there already, %llu left out\n", lines[i].name,
                           (unsigned long long)lines[i].tally->imported,
                           (unsigned long long)lines[i].tally->existing,
                           (unsigned long long)lines[i].tally->left_out);
    (void)snprintf(text + length, TEXT_SIZE - (size_t)length, "warnings: %llu%s",
                   (unsigned long long)report->warnings,
                   dry ? "\nThis was a dry run: nothing is changed." : "");
}

static int tell(const struct invocation *invocation, const struct migration_report *report)
{
    const bool dry = options_flag(invocation->options, "dry-run");
    char text[TEXT_SIZE];
    struct error error;
    if (options_flag(invocation->options, "json"))
        write_json(report, dry, text);
    else
        write_text(report, dry, text);
    const int status = command_print(invocation, text);
    if (status != EXIT_DONE || report->names_refused == 0)
        return status;
    (void)error_set(&error, ERROR_INVALID,
                    "%llu services are left out for their names: repeat with --rename OLD=NEW",
                    (unsigned long long)report->names_refused);
    return command_fail(invocation, &error);
}

static int run(const struct invocation *invocation)
{
    struct url url;
    struct redis_address address = {.host = NULL};
    struct migration_options migration = {.renames = NULL};
    struct migration_report report;
    struct error error;
    int status;
    /* hiredis writes to the socket as to a file. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (!read_address(invocation->options, &url, &address, &error) ||
        !read_options(invocation->options, &migration, &error))
        status = command_misused(invocation, "%s", error.text);
    else if (!import(invocation, &address, &migration, &report, &error))
        status = command_fail(invocation, &error);
    else
        status = tell(invocation, &report);
    free(migration.renames);
    explicit_bzero(&url, sizeof url);
    return status;
}

const struct command command_migrate = {
    .name = "migrate",
    .summary = "Import what the original hub kept in Redis",
    .synopsis = "--from URL [OPTIONS]",
    .description =
        "Imports the services with their keys and counters, the workers' accounts with theirs, "
        "the totals and the cached works of the original hub into the store of a hub that does "
        "not run. Either all of it is imported or, after a failure, nothing. What the store has "
        "already is left as it is, so the command can be repeated.\n"
        "Services whose login names are not possible here are left out; the exit status is then "
        "1, and --rename gives them others.",
    .examples = "dpow admin migrate --from redis://127.0.0.1 --dry-run\n"
                "dpow admin migrate --from-file redis-url --rename \"my wallet=my-wallet\"",
    .options = migrate_options,
    .run = run,
};
