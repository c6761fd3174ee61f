#include "cli/options.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an option was told: one text, of a list several. Numbers stay text: they have been checked
 * and are read again when asked for. */
struct option_value {
    const struct option_spec *spec;
    enum option_source source;
    char **texts;
    size_t count;
};

struct options {
    const struct option_spec *tables[OPTION_TABLES_MAX + 1];
    struct option_value *values;
    size_t count;
};

static bool is_file_of(const struct option_spec *spec, const char *name)
{
    const size_t length = strlen(spec->name);
    return spec->secret && strncmp(name, spec->name, length) == 0 &&
           strcmp(name + length, "-file") == 0;
}

const struct option_spec *option_find(const struct option_spec *table, const char *name,
                                      bool *from_file)
{
    for (const struct option_spec *spec = table; spec != NULL && spec->name != NULL; spec++) {
        const bool file = is_file_of(spec, name);
        if (!file && strcmp(spec->name, name) != 0)
            continue;
        if (from_file != NULL)
            *from_file = file;
        return spec;
    }
    return NULL;
}

static struct option_value *find_value(const struct options *options, const char *name,
                                       bool *from_file)
{
    for (size_t i = 0; options->tables[i] != NULL; i++) {
        const struct option_spec *spec = option_find(options->tables[i], name, from_file);
        for (size_t j = 0; spec != NULL && j < options->count; j++)
            if (options->values[j].spec == spec)
                return &options->values[j];
    }
    return NULL;
}

bool options_known(const struct options *options, const char *name)
{
    return find_value(options, name, NULL) != NULL;
}

static void clear_value(struct option_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        if (value->spec->secret)
            sodium_memzero(value->texts[i], strlen(value->texts[i]));
        free(value->texts[i]);
    }
    free(value->texts);
    value->texts = NULL;
    value->count = 0;
}

static bool append_text(struct option_value *value, const char *text, struct error *error)
{
    char **texts = realloc(value->texts, (value->count + 1) * sizeof *texts);
    if (texts == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for option %s", value->spec->name);
    value->texts = texts;
    char *copy = strdup(text);
    if (copy == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for option %s", value->spec->name);
    texts[value->count++] = copy;
    return true;
}

static size_t count_specs(const struct option_spec *const *tables)
{
    size_t count = 0;
    for (size_t i = 0; tables[i] != NULL; i++)
        for (const struct option_spec *spec = tables[i]; spec->name != NULL; spec++)
            count++;
    return count;
}

struct options *options_create(const struct option_spec *const *tables, struct error *error)
{
    struct options *options = calloc(1, sizeof *options);
    if (options == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for options");
        return NULL;
    }
    options->values = calloc(count_specs(tables) + 1, sizeof *options->values);
    if (options->values == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for options");
        options_destroy(options);
        return NULL;
    }
    for (size_t i = 0; tables[i] != NULL; i++) {
        assert(i < OPTION_TABLES_MAX);
        options->tables[i] = tables[i];
        for (const struct option_spec *spec = tables[i]; spec->name != NULL; spec++) {
            struct option_value *value = &options->values[options->count++];
            value->spec = spec;
            if (spec->fallback != NULL && !append_text(value, spec->fallback, error)) {
                options_destroy(options);
                return NULL;
            }
        }
    }
    return options;
}

void options_destroy(struct options *options)
{
    if (options == NULL)
        return;
    for (size_t i = 0; i < options->count; i++)
        clear_value(&options->values[i]);
    free(options->values);
    free(options);
}

const struct option_spec *const *options_tables(const struct options *options)
{
    return options->tables;
}

static bool parse_u64(const char *text, uint64_t *number)
{
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    errno = 0;
    *number = strtoull(text, NULL, 10);
    return errno == 0;
}

/* Decimal only: strtod alone would also take "0x1p3", "nan", "inf" and leading white space. */
static bool parse_number(const char *text, double *number)
{
    if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    char *end;
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number);
}

static bool parse_switch(const char *text, bool *on)
{
    static const struct {
        const char *text;
        bool on;
    } words[] = {
        {"on", true},   {"true", true},   {"yes", true}, {"1", true},
        {"off", false}, {"false", false}, {"no", false}, {"0", false},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].text) == 0) {
            *on = words[i].on;
            return true;
        }
    }
    return false;
}

static bool is_choice(const char *choices, const char *text)
{
    const size_t length = strlen(text);
    for (const char *choice = choices;; choice++) {
        const size_t end = strcspn(choice, "|");
        if (end == length && strncmp(choice, text, length) == 0)
            return true;
        choice += end;
        if (*choice == '\0')
            return false;
    }
}

static bool check_text(const struct option_spec *spec, const char *text, const char *where,
                       struct error *error)
{
    uint64_t number;
    double real;
    bool on;
    switch (spec->kind) {
    case OPTION_U64:
        if (parse_u64(text, &number) && number >= spec->minimum && number <= spec->maximum)
            return true;
        return error_set(error, ERROR_INVALID,
                         "%s: it must be a number from %" PRIu64 " to %" PRIu64, where,
                         spec->minimum, spec->maximum);
    case OPTION_NUMBER:
        if (parse_number(text, &real) && real >= spec->low && real <= spec->high)
            return true;
        return error_set(error, ERROR_INVALID, "%s: it must be a number from %g to %g", where,
                         spec->low, spec->high);
    case OPTION_CHOICE:
        if (is_choice(spec->choices, text))
            return true;
        return error_set(error, ERROR_INVALID, "%s: it must be one of %s", where, spec->choices);
    case OPTION_FLAG:
        if (parse_switch(text, &on))
            return true;
        return error_set(error, ERROR_INVALID, "%s: it must be on or off", where);
    case OPTION_TEXT:
    case OPTION_LIST:
        return true;
    }
    assert(false);
    return false;
}

/* A secret's file holds it as its only line; the line end is not part of it. */
static bool read_secret(const char *path, const char *where, char secret[OPTION_SECRET_MAX],
                        struct error *error)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_set(error, ERROR_SYSTEM, "%s: cannot open %s: %s", where, path,
                         strerror(errno));
    size_t length = 0;
    ssize_t got;
    do {
        got = read(file, secret + length, OPTION_SECRET_MAX - length);
        if (got > 0)
            length += (size_t)got;
    } while ((got > 0 && length < OPTION_SECRET_MAX) || (got < 0 && errno == EINTR));
    const int cause = errno;
    (void)close(file);
    if (got < 0)
        return error_set(error, ERROR_SYSTEM, "%s: cannot read %s: %s", where, path,
                         strerror(cause));
    if (length > 0 && length < OPTION_SECRET_MAX && secret[length - 1] == '\n')
        length--;
    if (length == 0 || length >= OPTION_SECRET_MAX || memchr(secret, '\n', length) != NULL ||
        memchr(secret, '\0', length) != NULL)
        return error_set(error, ERROR_INVALID, "%s: %s must hold one line of 1 to %d bytes", where,
                         path, OPTION_SECRET_MAX - 2);
    secret[length] = '\0';
    return true;
}

/* Every source after the first that is heard replaces what a lesser one said, lists included. */
static bool take_text(struct option_value *value, const char *text, enum option_source source,
                      const char *where, struct error *error)
{
    if (source < value->source)
        return true;
    const bool again = source == value->source && source != SOURCE_DEFAULT;
    const bool list = value->spec->kind == OPTION_LIST;
    if (again && !list && source == SOURCE_CONFIG)
        return error_set(error, ERROR_INVALID, "%s: it is given twice", where);
    if (!again || !list)
        clear_value(value);
    value->source = source;
    return append_text(value, text, error);
}

bool options_set(struct options *options, const char *name, const char *text,
                 enum option_source source, const char *where, struct error *error)
{
    bool from_file = false;
    struct option_value *value = find_value(options, name, &from_file);
    assert(value != NULL);
    if (!from_file) {
        const char *given = text != NULL ? text : "on";
        return check_text(value->spec, given, where, error) &&
               take_text(value, given, source, where, error);
    }
    char secret[OPTION_SECRET_MAX] = "";
    const bool done = read_secret(text, where, secret, error) &&
                      check_text(value->spec, secret, where, error) &&
                      take_text(value, secret, source, where, error);
    sodium_memzero(secret, sizeof secret);
    return done;
}

static const struct option_value *value_of(const struct options *options, const char *name)
{
    const struct option_value *value = find_value(options, name, NULL);
    assert(value != NULL);
    return value;
}

bool options_given(const struct options *options, const char *name)
{
    return value_of(options, name)->source != SOURCE_DEFAULT;
}

const char *options_text(const struct options *options, const char *name)
{
    const struct option_value *value = value_of(options, name);
    assert(value->spec->kind == OPTION_TEXT || value->spec->kind == OPTION_CHOICE);
    return value->count > 0 ? value->texts[0] : NULL;
}

bool options_flag(const struct options *options, const char *name)
{
    const struct option_value *value = value_of(options, name);
    assert(value->spec->kind == OPTION_FLAG);
    bool on = false;
    if (value->count > 0)
        (void)parse_switch(value->texts[0], &on);
    return on;
}

uint64_t options_u64(const struct options *options, const char *name)
{
    const struct option_value *value = value_of(options, name);
    assert(value->spec->kind == OPTION_U64);
    uint64_t number = 0;
    if (value->count > 0)
        (void)parse_u64(value->texts[0], &number);
    return number;
}

double options_number(const struct options *options, const char *name)
{
    const struct option_value *value = value_of(options, name);
    assert(value->spec->kind == OPTION_NUMBER);
    double number = 0;
    if (value->count > 0)
        (void)parse_number(value->texts[0], &number);
    return number;
}

size_t options_list_count(const struct options *options, const char *name)
{
    const struct option_value *value = value_of(options, name);
    assert(value->spec->kind == OPTION_LIST);
    return value->count;
}

const char *options_list(const struct options *options, const char *name, size_t index)
{
    const struct option_value *value = value_of(options, name);
    assert(value->spec->kind == OPTION_LIST && index < value->count);
    return value->texts[index];
}
