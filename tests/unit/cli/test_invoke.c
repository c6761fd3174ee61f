#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16, RAN = 42 };

static const struct option_spec serve_options[] = {
    {.name = "listen", .kind = OPTION_TEXT, .argument = "ADDR", .help = "Where.", .fallback = "x"},
    {.name = "max-rate", .kind = OPTION_U64, .argument = "N", .help = "Rate.", .maximum = 100},
    {.name = "peer", .kind = OPTION_LIST, .argument = "URL", .help = "Peers."},
    {.name = "json", .kind = OPTION_FLAG, .help = "JSON."},
    {.name = "key", .kind = OPTION_TEXT, .argument = "KEY", .help = "Key.", .secret = true},
    {.name = NULL},
};

static const struct option_spec keep_options[] = {
    {.name = "data-dir", .kind = OPTION_TEXT, .argument = "DIR", .help = "Folder."},
    {.name = NULL},
};

static const struct option_spec add_options[] = {
    {.name = "display", .kind = OPTION_TEXT, .argument = "TEXT", .help = "Text."},
    {.name = NULL},
};

/* What the commands were called with, as one text. */
static char seen[512];

static void see(const char *name, const char *value)
{
    const size_t length = strlen(seen);
    (void)snprintf(seen + length, sizeof seen - length, " %s=%s", name,
                   value != NULL ? value : "(none)");
}

static int see_arguments(const struct invocation *invocation)
{
    for (size_t i = 0; i < invocation->argument_count; i++)
        see("argument", invocation->arguments[i]);
    return RAN;
}

static int run_serve(const struct invocation *invocation)
{
    (void)snprintf(seen, sizeof seen, "%s", invocation->name);
    see("listen", options_text(invocation->options, "listen"));
    for (size_t i = 0; i < options_list_count(invocation->options, "peer"); i++)
        see("peer", options_list(invocation->options, "peer", i));
    if (options_flag(invocation->options, "json"))
        see("json", "on");
    if (options_given(invocation->options, "key"))
        see("key", options_text(invocation->options, "key"));
    return see_arguments(invocation);
}

static int run_add(const struct invocation *invocation)
{
    (void)snprintf(seen, sizeof seen, "%s", invocation->name);
    see("data-dir", options_text(invocation->options, "data-dir"));
    see("display", options_text(invocation->options, "display"));
    return see_arguments(invocation);
}

static const struct option_spec far_options[] = {
    {.name = "data-dir", .kind = OPTION_TEXT, .argument = "DIR", .help = "Where."},
    {.name = "display", .kind = OPTION_TEXT, .argument = "NAME", .help = "What."},
    {.name = NULL},
};

static const struct command serve = {
    .name = "serve",
    .summary = "Serves",
    .synopsis = "[OPTIONS]",
    .examples = "dpow serve",
    .options = serve_options,
    .arguments_max = 2,
    .run = run_serve,
};

static const struct command service_add = {
    .name = "service add",
    .summary = "Adds",
    .synopsis = "NAME",
    .examples = "dpow keep service add x",
    .options = add_options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_add,
};

static const struct command *const keep_subcommands[] = {&service_add, NULL};

static const struct command far = {
    .name = "far",
    .summary = "Measures far away",
    .synopsis = "NAME",
    .examples = "dpow measure far x",
    .options = far_options,
    .arguments_max = 1,
    .run = run_add,
};

static const struct command *const measure_subcommands[] = {&far, NULL};

static const struct command keep = {
    .name = "keep",
    .summary = "Keeps",
    .synopsis = "SUBCOMMAND",
    .examples = "dpow keep service add x",
    .options = keep_options,
    .subcommands = keep_subcommands,
};

static const struct command measure = {
    .name = "measure",
    .summary = "Measures",
    .synopsis = "[WHAT]",
    .examples = "dpow measure",
    .options = serve_options,
    .arguments_max = 1,
    .subcommands = measure_subcommands,
    .run = run_serve,
};

static const struct command *const commands[] = {&serve, &keep, &measure, NULL};

/* Calls a command with arguments in one text, separated by blanks. */
static int call(const struct command *command, const char *line)
{
    char copy[512];
    char *argv[ARGUMENTS_MAX + 1] = {(char *)(uintptr_t)command->name};
    int argc = 1;
    seen[0] = '\0';
    (void)snprintf(copy, sizeof copy, "%s", line);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc++] = word;
    }
    return command_invoke(commands, command, argc, argv);
}

static void write_config(char path[], const char *content)
{
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, strlen(content)), strlen(content));
    assert_int_equal(close(file), 0);
}

/* Calls `serve` with a configuration file of that content, and further arguments. */
static int call_with_config(const char *content, const char *more)
{
    char path[] = "/tmp/dpow-test-config-XXXXXX";
    char line[256];
    write_config(path, content);
    (void)snprintf(line, sizeof line, "--config %s %s", path, more);
    const int status = call(&serve, line);
    assert_int_equal(unlink(path), 0);
    return status;
}

static void options_and_arguments_come_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(call(&serve, "a --listen here b --json"), RAN);
    assert_string_equal(seen, "dpow serve listen=here json=on argument=a argument=b");
    assert_int_equal(call(&serve, "--listen=there -- --json"), RAN);
    assert_string_equal(seen, "dpow serve listen=there argument=--json");
    assert_int_equal(call(&serve, "--peer u1 --peer u2"), RAN);
    assert_string_equal(seen, "dpow serve listen=x peer=u1 peer=u2");
}

static void wrong_usage_exits_2_and_does_not_run(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "--unknown",
        "--listne x",
        "-x",
        "--listen",
        "--json=on",
        "--max-rate 101",
        "a b c",
        "--log xml",
        "--log-level loud",
        "--config /nonexistent/file",
        "--key-file /nonexistent/key",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (call(&serve, lines[i]) != EXIT_USAGE)
            fail_msg("%s", lines[i]);
        assert_string_equal(seen, "");
    }
}

static void help_and_version_are_printed_instead_of_running(void **state)
{
    (void)state;
    static const char *const lines[] = {"-h", "--help", "--version", "a b c --help"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(call(&serve, lines[i]), EXIT_DONE);
        assert_string_equal(seen, "");
    }
    assert_int_equal(call(&keep, "--help"), EXIT_DONE);
    assert_int_equal(call(&keep, "service add --help"), EXIT_DONE);
}

static void the_environment_is_read_and_flags_override_it(void **state)
{
    (void)state;
    assert_int_equal(setenv("DPOW_SERVE_LISTEN", "there", 1), 0);
    assert_int_equal(setenv("DPOW_SERVE_KEY", "k", 1), 0);
    assert_int_equal(call(&serve, ""), RAN);
    assert_string_equal(seen, "dpow serve listen=there key=k");
    assert_int_equal(call(&serve, "--listen here"), RAN);
    assert_string_equal(seen, "dpow serve listen=here key=k");
    assert_int_equal(setenv("DPOW_SERVE_MAX_RATE", "many", 1), 0);
    assert_int_equal(call(&serve, "--max-rate 1"), EXIT_USAGE);
    assert_int_equal(unsetenv("DPOW_SERVE_MAX_RATE"), 0);
    assert_int_equal(unsetenv("DPOW_SERVE_LISTEN"), 0);
    assert_int_equal(unsetenv("DPOW_SERVE_KEY"), 0);
}

static void a_configuration_gives_the_commands_section(void **state)
{
    (void)state;
    static const char content[] = "# everything\n"
                                  "[keep]\n"
                                  "data-dir = /y\n"
                                  "display = z\n"
                                  "[serve]\n"
                                  "listen = file\n"
                                  "  peer = u1\n"
                                  "\tpeer = u2\n"
                                  "json = on\n"
                                  "log = json\n";
    assert_int_equal(call_with_config(content, ""), RAN);
    assert_string_equal(seen, "dpow serve listen=file peer=u1 peer=u2 json=on");
    assert_int_equal(setenv("DPOW_SERVE_LISTEN", "environment", 1), 0);
    assert_int_equal(call_with_config(content, ""), RAN);
    assert_string_equal(seen, "dpow serve listen=environment peer=u1 peer=u2 json=on");
    assert_int_equal(call_with_config(content, "--listen flag --peer u3"), RAN);
    assert_string_equal(seen, "dpow serve listen=flag peer=u3 json=on");
    assert_int_equal(unsetenv("DPOW_SERVE_LISTEN"), 0);
}

static void a_wrong_configuration_is_refused(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "listen = x\n",
        "[srve]\n",
        "[srve]\nlisten = x\n",
        "[serve]\nlisen = x\n",
        "[serve]\ndata-dir = x\n",
        "[keep]\nlisten = x\n",
        "[serve]\nlisten\n",
        "[serve\nlisten = x\n",
        "[serve]\nlisten = x\nlisten = y\n",
        "[serve]\nmax-rate = 101\n",
        "[serve]\nconfig = other\n",
        "[serve]\nhelp = on\n",
        "[serve]\nlisten-file = x\n",
    };
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        if (call_with_config(contents[i], "") != EXIT_USAGE)
            fail_msg("%s", contents[i]);
    char line[1024];
    (void)snprintf(line, sizeof line, "[serve]\nlisten = %0900d\n", 0);
    assert_int_equal(call_with_config(line, ""), EXIT_USAGE);
}

static void a_groups_options_stand_before_and_after_the_subcommand(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "--data-dir /d service add up --display D",
        "service add up --display D --data-dir /d",
        "service add --data-dir=/d --display=D up",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(call(&keep, lines[i]), RAN);
        assert_string_equal(seen, "dpow keep service add data-dir=/d display=D argument=up");
    }
}

static void a_group_needs_one_of_its_subcommands(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "service",
        "add",
        "service ad x",
        "--display D service add x",
        "service add",
        "service add a b",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (call(&keep, lines[i]) != EXIT_USAGE)
            fail_msg("%s", lines[i]);
    assert_string_equal(seen, "");
}

static void a_group_may_run_itself_and_then_keeps_its_options(void **state)
{
    (void)state;
    assert_int_equal(call(&measure, ""), RAN);
    assert_memory_equal(seen, "dpow measure ", 13);
    assert_int_equal(call(&measure, "--json near"), RAN);
    assert_non_null(strstr(seen, "json=on"));
    assert_non_null(strstr(seen, "argument=near"));
    assert_int_equal(call(&measure, "far --data-dir /d --display D there"), RAN);
    assert_string_equal(seen, "dpow measure far data-dir=/d display=D argument=there");
    assert_int_equal(call(&measure, "far --json"), EXIT_USAGE);
    assert_int_equal(call(&measure, "near far"), EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_come_in_any_order),
        cmocka_unit_test(wrong_usage_exits_2_and_does_not_run),
        cmocka_unit_test(help_and_version_are_printed_instead_of_running),
        cmocka_unit_test(the_environment_is_read_and_flags_override_it),
        cmocka_unit_test(a_configuration_gives_the_commands_section),
        cmocka_unit_test(a_wrong_configuration_is_refused),
        cmocka_unit_test(a_groups_options_stand_before_and_after_the_subcommand),
        cmocka_unit_test(a_group_needs_one_of_its_subcommands),
        cmocka_unit_test(a_group_may_run_itself_and_then_keeps_its_options),
    };
    return cmocka_run_group_tests_name("cli_invoke", tests, NULL, NULL);
}
