/* A configuration file of any bytes is read, or refused with a reason; what was read is in range.
 */
#include "cli/frame_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct option_spec serve_options[] = {
    {.name = "listen", .kind = OPTION_TEXT, .argument = "ADDR", .help = "", .fallback = "x"},
    {.name = "slots", .kind = OPTION_U64, .minimum = 1, .maximum = 64, .help = ""},
    {.name = "share", .kind = OPTION_NUMBER, .low = 0.5, .high = 5, .help = ""},
    {.name = "network", .kind = OPTION_CHOICE, .choices = "live|dev", .help = ""},
    {.name = "peer", .kind = OPTION_LIST, .help = ""},
    {.name = "json", .kind = OPTION_FLAG, .help = ""},
    {.name = NULL},
};

static const struct command serve = {.name = "serve", .options = serve_options};
static const struct command other = {.name = "other"};
static const struct command *const commands[] = {&serve, &other, NULL};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_values(const struct options *options)
{
    if (options_given(options, "slots"))
        require(options_u64(options, "slots") >= 1 && options_u64(options, "slots") <= 64);
    if (options_given(options, "share"))
        require(options_number(options, "share") >= 0.5 && options_number(options, "share") <= 5);
    const char *network = options_text(options, "network");
    if (network != NULL)
        require(strcmp(network, "live") == 0 || strcmp(network, "dev") == 0);
    for (size_t i = 0; i < options_list_count(options, "peer"); i++)
        require(options_list(options, "peer", i) != NULL);
}

static void read_file(const char *path)
{
    const struct option_spec *tables[] = {serve_options, common_options, NULL};
    struct error error = {.code = ERROR_NONE};
    struct options *options = options_create(tables, &error);
    require(options != NULL);
    if (config_read(options, path, commands, &serve, &error))
        check_values(options);
    else
        require(error.code != ERROR_NONE && error.text[0] != '\0');
    options_destroy(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const int file = memfd_create("config", MFD_CLOEXEC);
    require(file >= 0);
    require(write(file, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    read_file(path);
    (void)close(file);
    return 0;
}
