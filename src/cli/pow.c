#include "cli/commands.h"
#include "cli/search_once.h"

#include "base/hex.h"
#include "base/json.h"
#include "nano/difficulty.h"

#include <stdio.h>

enum { TEXT_SIZE = 640 };

static const struct option_spec pow_options[] = {
    {.name = "validate",
     .kind = OPTION_FLAG,
     .help = "Checks WORK for HASH instead of searching; exits 0 if it is valid, 1 if not."},
    {.name = "difficulty",
     .kind = OPTION_TEXT,
     .argument = "HEX",
     .help = "The threshold, 16 hexadecimal digits. Excludes --multiplier and --class."},
    {.name = "multiplier",
     .kind = OPTION_NUMBER,
     .argument = "X",
     .low = 1e-12,
     .high = 1e12,
     .help = "The threshold as a multiple of the network's send class. Excludes --class."},
    {.name = "class",
     .kind = OPTION_CHOICE,
     .choices = "send|receive",
     .help = "The threshold of a kind of block: send (also change) or receive (also open). "
             "By default send."},
    {.name = "network",
     .kind = OPTION_CHOICE,
     .choices = "live|beta|dev|test",
     .help = "Whose thresholds classes and multipliers refer to.",
     .fallback = "live"},
    {.name = "devices",
     .kind = OPTION_TEXT,
     .argument = "LIST",
     .help = "What searches: auto, cpu, cpu:THREADS, opencl, opencl:PLATFORM:DEVICE, cuda or "
             "cuda:N, separated by commas.",
     .fallback = "auto"},
    {.name = "json", .kind = OPTION_FLAG, .help = "Prints one JSON object."},
    {.name = NULL},
};

/* What the command is about: a root, what its work must reach, and the base of multipliers. */
struct target {
    struct root root;
    uint64_t threshold;
    uint64_t base;
};

static bool read_threshold(const struct options *options, struct target *target,
                           struct error *error)
{
    const struct network *network = network_find(options_text(options, "network"));
    const char *difficulty = options_text(options, "difficulty");
    const char *class = options_text(options, "class");
    const bool multiplied = options_given(options, "multiplier");
    if ((difficulty != NULL) + multiplied + (class != NULL) > 1)
        return error_set(error, ERROR_INVALID,
                         "--difficulty, --multiplier and --class exclude each other");
    target->base = network->send;
    target->threshold = network->send;
    if (difficulty != NULL && !hex_u64_parse(slice_of(difficulty), &target->threshold))
        return error_set(error, ERROR_INVALID, "--difficulty must be 16 hexadecimal digits");
    if (class != NULL && slice_is(slice_of(class), "receive"))
        target->threshold = network->receive;
    const double multiplier = options_number(options, "multiplier");
    if (multiplied && !difficulty_from_multiplier(multiplier, target->base, &target->threshold))
        return error_set(error, ERROR_INVALID, "--multiplier %g has no threshold", multiplier);
    return true;
}

static bool read_target(const struct invocation *invocation, const char *hash,
                        struct target *target, struct error *error)
{
    if (!root_parse(slice_of(hash), &target->root))
        return error_set(error, ERROR_INVALID, "HASH must be 64 hexadecimal digits");
    return read_threshold(invocation->options, target, error);
}

/* The members that both forms of the command have. */
struct answer {
    char work[17];
    char hash[65];
    char difficulty[17];
    char value[17];
    double multiplier;
};

static void fill_answer(struct answer *answer, const struct target *target, uint64_t nonce,
                        uint64_t value)
{
    work_format(nonce, answer->work);
    root_format(&target->root, answer->hash);
    hex_u64_format(target->threshold, answer->difficulty);
    hex_u64_format(value, answer->value);
    answer->multiplier = difficulty_to_multiplier(value, target->base);
}

static void begin_json(struct json_writer *writer, char text[TEXT_SIZE],
                       const struct answer *answer)
{
    json_writer_init(writer, text, TEXT_SIZE);
    json_begin_object(writer);
    json_key(writer, "work");
    json_write_text(writer, answer->work);
    json_key(writer, "hash");
    json_write_text(writer, answer->hash);
    json_key(writer, "difficulty");
    json_write_text(writer, answer->difficulty);
    json_key(writer, "value");
    json_write_text(writer, answer->value);
    json_key(writer, "multiplier");
    json_write_double(writer, answer->multiplier);
}

static int print_validation(const struct invocation *invocation, const struct answer *answer,
                            bool valid)
{
    char text[TEXT_SIZE];
    if (options_flag(invocation->options, "json")) {
        struct json_writer writer;
        begin_json(&writer, text, answer);
        json_key(&writer, "valid");
        json_write_bool(&writer, valid);
        json_end_object(&writer);
    } else {
        (void)snprintf(text, sizeof text, "value %s, multiplier %.6g: %s", answer->value,
                       answer->multiplier, valid ? "valid" : "not valid");
    }
    return command_print(invocation, text);
}

static int validate(const struct invocation *invocation)
{
    struct target target;
    struct error error;
    uint64_t nonce;
    if (invocation->argument_count != 2)
        return command_misused(invocation, "--validate takes WORK and HASH");
    if (!work_parse(slice_of(invocation->arguments[0]), &nonce))
        return command_misused(invocation, "WORK must be 1 to 16 hexadecimal digits");
    if (!read_target(invocation, invocation->arguments[1], &target, &error))
        return command_misused(invocation, "%s", error.text);
    const uint64_t value = work_value(nonce, &target.root);
    struct answer answer;
    fill_answer(&answer, &target, nonce, value);
    const bool valid = value >= target.threshold;
    const int status = print_validation(invocation, &answer, valid);
    if (valid || status != EXIT_DONE)
        return status;
    error_set(&error, ERROR_INVALID, "the work is not valid: its value is below difficulty %s",
              answer.difficulty);
    return command_fail(invocation, &error);
}

static int print_found(const struct invocation *invocation, const struct answer *answer,
                       const struct search_end *end)
{
    const double seconds = (double)end->micros / 1e6;
    const double rate = end->micros > 0 ? (double)end->hashes / seconds : 0;
    char text[TEXT_SIZE];
    if (options_flag(invocation->options, "json")) {
        struct json_writer writer;
        begin_json(&writer, text, answer);
        json_key(&writer, "seconds");
        json_write_double(&writer, seconds);
        json_key(&writer, "hashes");
        json_write_u64(&writer, end->hashes);
        json_key(&writer, "rate");
        json_write_double(&writer, rate);
        json_end_object(&writer);
    } else {
        (void)snprintf(text, sizeof text,
                       "work        %s\nhash        %s\ndifficulty  %s\nvalue       %s\n"
                       "multiplier  %.6g\nseconds     %.3f\nrate        %.2f MH/s",
                       answer->work, answer->hash, answer->difficulty, answer->value,
                       answer->multiplier, seconds, rate / 1e6);
    }
    return command_print(invocation, text);
}

static int search(const struct invocation *invocation)
{
    struct target target;
    struct device_list devices;
    struct error error;
    if (invocation->argument_count != 1)
        return command_misused(invocation, "one HASH is searched at a time");
    if (!read_target(invocation, invocation->arguments[0], &target, &error) ||
        !device_list_parse(options_text(invocation->options, "devices"), NULL, &devices, &error))
        return command_misused(invocation, "%s", error.text);
    struct search_end end;
    if (!search_once(&devices, &target.root, target.threshold, &invocation->log, &end, &error))
        return command_fail(invocation, &error);
    if (end.outcome == SEARCH_CANCELLED) {
        (void)fprintf(stderr, "%s: interrupted\n", invocation->name);
        return EXIT_INTERRUPTED;
    }
    if (end.outcome == SEARCH_FAILED) {
        (void)error_set(&error, ERROR_SYSTEM, "no device works any more; see the messages above");
        return command_fail(invocation, &error);
    }
    struct answer answer;
    fill_answer(&answer, &target, end.nonce, end.value);
    return print_found(invocation, &answer, &end);
}

static int run_pow(const struct invocation *invocation)
{
    return options_flag(invocation->options, "validate") ? validate(invocation)
                                                         : search(invocation);
}

const struct command command_pow = {
    .name = "pow",
    .summary = "Find the work of one hash, or check one",
    .synopsis = "HASH [OPTIONS]\n--validate WORK HASH [OPTIONS]",
    .description = "HASH is the hash of the account's last block, or the public key of an account "
                   "without blocks: 64 hexadecimal digits.",
    .examples = "dpow pow 718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2\n"
                "dpow pow --class receive --json "
                "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2\n"
                "dpow pow --validate 2b3d689bbcb21dca "
                "718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2",
    .options = pow_options,
    .arguments_min = 1,
    .arguments_max = 2,
    .run = run_pow,
};
