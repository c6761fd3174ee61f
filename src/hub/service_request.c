#include "hub/service_request.h"

#include "base/hex.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_DEFAULT_S = 5, TIMEOUT_MAX_S = 30, NUMBER_TEXT_MAX = 63 };

static bool refuse(char error[SERVICE_ERROR_SIZE], const char *text)
{
    (void)snprintf(error, SERVICE_ERROR_SIZE, "%s", text);
    return false;
}

static void read_credentials(const struct json_object *object,
                             struct service_credentials *credentials)
{
    size_t user_length = 0;
    size_t key_length = 0;
    credentials->well_formed =
        json_string(json_find(object, "user"), credentials->user, sizeof credentials->user,
                    &user_length) &&
        strlen(credentials->user) == user_length &&
        json_string(json_find(object, "api_key"), credentials->api_key_buffer,
                    sizeof credentials->api_key_buffer, &key_length);
    if (!credentials->well_formed)
        credentials->user[0] = '\0';
    credentials->api_key = (struct slice){credentials->api_key_buffer, key_length};
}

static bool has_member(const struct json_object *object, const char *name)
{
    return json_find(object, name).type != JSON_ABSENT;
}

bool service_request_read(struct slice text, struct json_object *object,
                          struct service_credentials *credentials, char error[SERVICE_ERROR_SIZE])
{
    object->count = 0;
    if (json_read_object(text, object) != JSON_OK) {
        object->count = 0;
        return refuse(error, "Bad request (not json)");
    }
    if (!has_member(object, "hash") || !has_member(object, "user") ||
        !has_member(object, "api_key"))
        return refuse(error, "Incorrect submission. Required information: user, api_key, hash");
    read_credentials(object, credentials);
    return true;
}

static bool is_hexadecimal_float(const char *text)
{
    return strpbrk(text, "xX") != NULL;
}

/* Numbers that clients send as text are read as the original did, by the language's own rule:
 * blanks around it, a sign, "inf" and "nan" are part of it (dpow.md 3.2, rows 6 and 7). */
static bool number_of_text(struct json_value value, double *number)
{
    char text[NUMBER_TEXT_MAX + 1];
    size_t length;
    if (!json_string(value, text, sizeof text, &length) || strlen(text) != length)
        return false;
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    if (length == 0 || is_hexadecimal_float(text))
        return false;
    char *end;
    const double parsed = strtod(text, &end);
    if (*end != '\0')
        return false;
    *number = parsed;
    return true;
}

static bool read_number(struct json_value value, double *number)
{
    return value.type == JSON_STRING ? number_of_text(value, number) : json_number(value, number);
}

/* A string of at most size - 1 bytes, its escapes resolved. */
static bool read_text(struct json_value value, char *buffer, size_t size, struct slice *text)
{
    size_t length;
    if (!json_string(value, buffer, size, &length))
        return false;
    *text = (struct slice){buffer, length};
    return true;
}

static bool is_absent(struct json_value value)
{
    return value.type == JSON_ABSENT || value.type == JSON_NULL ||
           (value.type == JSON_STRING && value.text.length == 2);
}

/* Rows 6 and 7. A number 0 counts as absent (dpow.md 3.1). */
static bool check_multiplier(const struct json_object *object, bool *present, double *multiplier,
                             char error[SERVICE_ERROR_SIZE])
{
    const struct json_value value = json_find(object, "multiplier");
    *present = false;
    if (is_absent(value))
        return true;
    if (!read_number(value, multiplier))
        return refuse(error, "Multiplier must be a float");
    if (value.type == JSON_NUMBER && *multiplier == 0)
        return true;
    if (!isfinite(*multiplier) || *multiplier <= 0)
        return refuse(error, "Difficulty too low. Minimum: 1.0");
    *present = true;
    return true;
}

static bool check_account(const struct json_object *object, struct service_request *request,
                          char error[SERVICE_ERROR_SIZE])
{
    const struct json_value value = json_find(object, "account");
    request->has_account = !is_absent(value);
    if (!request->has_account)
        return true;
    char buffer[ACCOUNT_TEXT_SIZE];
    struct slice text;
    if (!read_text(value, buffer, sizeof buffer, &text) ||
        account_parse(text, &request->account) != ACCOUNT_OK)
        return refuse(error, "Invalid account");
    return true;
}

/* The class chooses the lowest threshold and the default one (dpow.md 11, defect 27). */
static bool check_class(const struct json_object *object, const struct service_limits *limits,
                        uint64_t *floor, char error[SERVICE_ERROR_SIZE])
{
    const struct json_value value = json_find(object, "class");
    char buffer[sizeof "receive"];
    struct slice text;
    *floor = limits->base;
    if (is_absent(value))
        return true;
    if (!read_text(value, buffer, sizeof buffer, &text) ||
        (!slice_is(text, "send") && !slice_is(text, "receive")))
        return refuse(error, "Class must be send or receive");
    if (slice_is(text, "receive") && limits->network->receive < *floor)
        *floor = limits->network->receive;
    return true;
}

/* Row 10, when there is no multiplier. */
static bool check_difficulty(const struct json_object *object, uint64_t default_threshold,
                             uint64_t *threshold, char error[SERVICE_ERROR_SIZE])
{
    const struct json_value value = json_find(object, "difficulty");
    char buffer[17];
    struct slice text;
    *threshold = default_threshold;
    if (value.type == JSON_ABSENT || value.type == JSON_NULL)
        return true;
    if (value.type != JSON_STRING)
        return refuse(error, "Difficulty too low");
    for (size_t i = 0; i < value.text.length; i++)
        if ((unsigned char)value.text.data[i] > 127)
            return refuse(error, "Invalid difficulty");
    if (!read_text(value, buffer, sizeof buffer, &text) || !hex_u64_parse(text, threshold))
        return refuse(error, "Difficulty too low");
    return true;
}

/* Limits are compared as thresholds that the one conversion has made, so that exactly the
 * documented maximum passes (dpow.md 1.1). */
static bool check_range(struct service_request *request, uint64_t floor,
                        const struct service_limits *limits, char error[SERVICE_ERROR_SIZE])
{
    uint64_t maximum = UINT64_MAX;
    (void)difficulty_from_multiplier(limits->max_multiplier, limits->base, &maximum);
    if (request->threshold > maximum && limits->clamp) {
        request->threshold = maximum;
        request->clamped = true;
    }
    if (request->threshold > maximum) {
        char text[17];
        hex_u64_format(maximum, text);
        const bool whole = trunc(limits->max_multiplier) == limits->max_multiplier;
        (void)snprintf(error, SERVICE_ERROR_SIZE,
                       whole ? "Difficulty too high. Maximum: %s ( %.1f multiplier )"
                             : "Difficulty too high. Maximum: %s ( %.15g multiplier )",
                       text, limits->max_multiplier);
        return false;
    }
    if (request->threshold >= floor)
        return true;
    if (floor == limits->base)
        return refuse(error, "Difficulty too low. Minimum: 1.0");
    (void)snprintf(error, SERVICE_ERROR_SIZE, "Difficulty too low. Minimum: %.15g",
                   difficulty_to_multiplier(floor, limits->base));
    return false;
}

static bool check_threshold(const struct json_object *object, const struct service_limits *limits,
                            bool has_multiplier, double multiplier, struct service_request *request,
                            char error[SERVICE_ERROR_SIZE])
{
    uint64_t floor;
    if (!check_class(object, limits, &floor, error))
        return false;
    if (!has_multiplier) {
        if (!check_difficulty(object, floor, &request->threshold, error))
            return false;
    } else if (!difficulty_from_multiplier(multiplier, limits->base, &request->threshold)) {
        /* Finite and positive, so it is out of range at one of the ends. */
        request->threshold = multiplier < 1 ? 0 : UINT64_MAX;
    }
    return check_range(request, floor, limits, error);
}

static bool check_timeout(const struct json_object *object, struct service_request *request,
                          char error[SERVICE_ERROR_SIZE])
{
    const struct json_value value = json_find(object, "timeout");
    double seconds = TIMEOUT_DEFAULT_S;
    if (value.type != JSON_ABSENT && !read_number(value, &seconds))
        seconds = 0;
    if (!(seconds >= 1 && seconds < TIMEOUT_MAX_S + 1))
        return refuse(error, "Timeout must be an integer between 1 and 30");
    request->timeout_s = (unsigned)seconds;
    return true;
}

bool service_request_check(const struct json_object *object, const struct service_limits *limits,
                           struct service_request *request, char error[SERVICE_ERROR_SIZE])
{
    bool has_multiplier = false;
    double multiplier = 0;
    char buffer[65];
    struct slice hash;
    memset(request, 0, sizeof *request);
    if (!check_multiplier(object, &has_multiplier, &multiplier, error))
        return false;
    if (!read_text(json_find(object, "hash"), buffer, sizeof buffer, &hash) ||
        !root_parse(hash, &request->root))
        return refuse(error, "Invalid hash");
    return check_account(object, request, error) &&
           check_threshold(object, limits, has_multiplier, multiplier, request, error) &&
           check_timeout(object, request, error);
}
