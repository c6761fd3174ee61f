/**
 * commands: every command of the program, each in the file of its name.
 */
#ifndef DPOW_CLI_COMMANDS_H
#define DPOW_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct command command_admin;
extern const struct command command_bench;
extern const struct command command_devices;
extern const struct command command_hub;
extern const struct command command_pow;
extern const struct command command_work_server;
extern const struct command command_worker;

#endif
