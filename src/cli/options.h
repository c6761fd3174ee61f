/**
 * options: what a command can be told, declared in a table, and the values it was told.
 *
 * A value comes from the configuration file, the environment or the command line; the later in this
 * order wins (cli.md). Each is checked against its declaration wherever it comes from, also when
 * another source overrides it. One thread.
 */
#ifndef DPOW_CLI_OPTIONS_H
#define DPOW_CLI_OPTIONS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_TEXT,   /**< Any text; what it means is the command's to check. */
    OPTION_FLAG,   /**< Takes no value on the command line; on or off elsewhere. */
    OPTION_U64,    /**< A decimal number from minimum to maximum. */
    OPTION_NUMBER, /**< A finite number from low to high, read as double. */
    OPTION_CHOICE, /**< One of choices. */
    OPTION_LIST,   /**< A text that may be given several times; the order is kept. */
};

/** One option. A table of them ends with one whose name is NULL. */
struct option_spec {
    const char *name; /**< Without dashes: "max-multiplier". */
    enum option_kind kind;
    const char *argument; /**< What help calls the value: "ADDR:PORT". Choices need none. */
    const char *help;     /**< One or two sentences. */
    const char *fallback; /**< The value when none is given; NULL if there is none. */
    const char *choices;  /**< "send|receive". */
    uint64_t minimum;     /**< U64. */
    uint64_t maximum;     /**< U64. */
    double low;           /**< NUMBER. */
    double high;          /**< NUMBER. */
    /** The value must not be seen by others: errors never quote it, and NAME-file, which names a
     *  file that holds it, is an option too. */
    bool secret;
};

/** Where a value came from; the greater wins. */
enum option_source { SOURCE_DEFAULT, SOURCE_CONFIG, SOURCE_ENVIRONMENT, SOURCE_COMMAND_LINE };

enum { OPTION_TABLES_MAX = 4, OPTION_SECRET_MAX = 4096 /**< Bytes of a secret's file. */ };

/** The values of some tables of options. */
struct options;

/**
 * Starts with the defaults.
 * @param tables option tables, NULL-terminated, at most OPTION_TABLES_MAX; borrowed
 * @return owned by the caller; NULL with the error filled if memory is short
 */
struct options *options_create(const struct option_spec *const *tables, struct error *error);

/** Frees the values and wipes those of secrets. NULL is ignored. */
void options_destroy(struct options *options);

/**
 * The option of that name in a table, or NULL.
 * @param from_file set to whether the name is a secret's with "-file" behind it; may be NULL
 */
const struct option_spec *option_find(const struct option_spec *table, const char *name,
                                      bool *from_file);

/** Whether any of the tables has an option of that name, or a secret of which it names the file. */
bool options_known(const struct options *options, const char *name);

/**
 * Checks a value and takes it unless one from a greater source is there.
 * @param name must be known
 * @param text the value, copied; NULL for a flag that stands alone
 * @param where how the error's text begins: "--listen", "environment DPOW_HUB_LISTEN"
 */
bool options_set(struct options *options, const char *name, const char *text,
                 enum option_source source, const char *where, struct error *error);

/** The tables, NULL-terminated. */
const struct option_spec *const *options_tables(const struct options *options);

/** Whether a value was given by any source but the default. This and all below: the name is known
 *  and of the right kind, otherwise the program is wrong and stops. */
bool options_given(const struct options *options, const char *name);

/** A TEXT or CHOICE; borrowed from the options; NULL if not given and without default. */
const char *options_text(const struct options *options, const char *name);

bool options_flag(const struct options *options, const char *name);

/** A U64; 0 if not given and without default. */
uint64_t options_u64(const struct options *options, const char *name);

/** A NUMBER; 0 if not given and without default. */
double options_number(const struct options *options, const char *name);

/** How many values a LIST has. */
size_t options_list_count(const struct options *options, const char *name);

/** A value of a LIST by number, below the count; borrowed from the options. */
const char *options_list(const struct options *options, const char *name, size_t index);

#endif
