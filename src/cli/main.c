#include "cli/commands.h"
#include "cli/frame_internal.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_hub, &command_worker, &command_work_server, &command_admin,
    &command_pow, &command_bench,  &command_devices,     NULL,
};

static int print_commands(void)
{
    (void)printf("dpow %s: delegated proof of work for the Nano network\n\n"
                 "Usage: dpow COMMAND [OPTIONS]\n\nCommands:\n",
                 DPOW_VERSION);
    for (size_t i = 0; commands[i] != NULL; i++)
        (void)printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    (void)printf(
        "\ndpow COMMAND --help says more about each; dpow --version prints the version.\n");
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int unknown_command(const char *typed)
{
    const struct command *nearest = NULL;
    for (size_t i = 0; commands[i] != NULL && nearest == NULL; i++)
        if (text_resembles(commands[i]->name, typed))
            nearest = commands[i];
    if (nearest != NULL)
        (void)fprintf(stderr, "dpow: %s is no command (did you mean %s?); see dpow --help\n", typed,
                      nearest->name);
    else
        (void)fprintf(stderr, "dpow: %s is no command; see dpow --help\n", typed);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_commands();
    if (strcmp(argv[1], "--version") == 0)
        return puts("dpow " DPOW_VERSION) >= 0 && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, argv[1]) == 0)
            return command_invoke(commands, commands[i], argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
