/* Reading one service request and looking three members up: ours, cJSON and json-c in one run. */
#include "bench.h"

#include "base/json.h"
#include "json_c.h"

#include <cjson/cJSON.h>
#include <stdio.h>

enum { TURNS = 9, ROUNDS = 50000 };

static const char request[] =
    "{\"user\":\"service\",\"api_key\":"
    "\"985A24DFEC14F280D6AC57D4D460C83725CB23035F615CE7D8DA9FB1DB517BC5\",\"hash\":"
    "\"718CC2121C3E641059BC1C2CFC45666C99E8AE922F7A807B7D07B62C995D79E2\",\"account\":"
    "\"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7\",\"id\":\"3f0c9b1e\","
    "\"multiplier\":1.5,\"timeout\":5}";

static size_t ours(const char *text, size_t length)
{
    static struct json_object object;
    char value[128];
    size_t total = 0;
    size_t one;
    if (json_read_object((struct slice){text, length}, &object) != JSON_OK)
        abort();
    if (json_string(json_find(&object, "user"), value, sizeof value, &one))
        total += one;
    if (json_string(json_find(&object, "hash"), value, sizeof value, &one))
        total += one;
    if (json_string(json_find(&object, "api_key"), value, sizeof value, &one))
        total += one;
    return total;
}

static size_t cjson(const char *text, size_t length)
{
    cJSON *object = cJSON_ParseWithLength(text, length);
    size_t total = strlen(cJSON_GetObjectItemCaseSensitive(object, "user")->valuestring) +
                   strlen(cJSON_GetObjectItemCaseSensitive(object, "hash")->valuestring) +
                   strlen(cJSON_GetObjectItemCaseSensitive(object, "api_key")->valuestring);
    cJSON_Delete(object);
    return total;
}

int main(void)
{
    static const struct {
        const char *name;
        size_t (*read)(const char *text, size_t length);
    } subjects[] = {{"ours", ours}, {"cJSON", cjson}, {"json-c", json_c_three}};
    double times[3][TURNS];
    for (int turn = 0; turn < TURNS; turn++) {
        for (int s = 0; s < 3; s++) {
            const uint64_t begin_us = clock_monotonic_us();
            for (int i = 0; i < ROUNDS; i++)
                if (subjects[s].read(request, sizeof request - 1) != 135)
                    abort();
            times[s][turn] = (double)(clock_monotonic_us() - begin_us) * 1000 / ROUNDS;
        }
    }
    for (int s = 0; s < 3; s++)
        (void)printf("%-7s %6.0f ns for a request of %zu bytes\n", subjects[s].name,
                     bench_percentile(times[s], TURNS, 0.5), sizeof request - 1);
    return 0;
}
