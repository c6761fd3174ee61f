#include "hub/series.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEPT_MAX = 600,
    PREFIX = 2, /* Before each packed histogram: its length, the low byte first. */
    PACKED_MAX = SERIES_LATENCY_MAX / WORK_TYPES - PREFIX,
};

static const struct {
    int64_t seconds;
    size_t kept;
    size_t window; /* Periods that series_percentiles() covers. */
    bool stored;
} lengths[SERIES_LENGTHS] = {
    [SERIES_SECONDS] = {1, 600, 0, false},
    [SERIES_MINUTES] = {SERIES_MINUTE, 120, 60, true},
    [SERIES_HOURS] = {SERIES_HOUR, 72, 24, true},
    [SERIES_DAYS] = {SERIES_DAY, 400, 0, true},
};

/* Response times by type: what of a period is too large to be kept for each. */
struct latency {
    struct histogram of[WORK_TYPES];
};

struct kept {
    struct series_period period;
    uint8_t *packed; /* Of a period that is not the present one; NULL for no response times. */
    size_t packed_bytes;
    bool unstored;
};

/* The periods of one length, in order of their start. */
struct track {
    struct kept kept[KEPT_MAX];
    size_t count;
    bool has_present;
    size_t present;          /* Index of the period that events count in. */
    struct latency *latency; /* Of the present period; NULL for seconds. */
    struct latency *before;  /* Of the rest of the window; NULL where there is none. */
    bool before_known;
};

struct series {
    struct track tracks[SERIES_LENGTHS];
    struct histogram scratch;
};

struct series *series_create(struct error *error)
{
    struct series *series = calloc(1, sizeof *series);
    bool good = series != NULL;
    for (int i = 0; i < SERIES_LENGTHS && good; i++) {
        struct track *track = &series->tracks[i];
        if (lengths[i].stored)
            track->latency = calloc(1, sizeof *track->latency);
        if (lengths[i].window > 0)
            track->before = calloc(1, sizeof *track->before);
        good = (track->latency != NULL || !lengths[i].stored) &&
               (track->before != NULL || lengths[i].window == 0);
    }
    if (good)
        return series;
    series_destroy(series);
    (void)error_set(error, ERROR_MEMORY, "no memory for the statistics");
    return NULL;
}

void series_destroy(struct series *series)
{
    if (series == NULL)
        return;
    for (int i = 0; i < SERIES_LENGTHS; i++) {
        struct track *track = &series->tracks[i];
        for (size_t j = 0; j < track->count; j++)
            free(track->kept[j].packed);
        free(track->latency);
        free(track->before);
    }
    free(series);
}

int64_t series_seconds(enum series_length length)
{
    return lengths[length].seconds;
}

/* Rounded down, also before 1970. */
static int64_t start_of(enum series_length length, int64_t now_ms)
{
    const int64_t period_ms = lengths[length].seconds * 1000;
    const int64_t past_ms = (now_ms % period_ms + period_ms) % period_ms;
    return (now_ms - past_ms) / 1000;
}

int64_t series_load_from(enum series_length length, int64_t now_ms)
{
    return start_of(length, now_ms) - (int64_t)(lengths[length].kept - 1) * lengths[length].seconds;
}

static struct series_percentiles percentiles_of(const struct histogram *histogram)
{
    return (struct series_percentiles){
        .p50_us = histogram_percentile(histogram, 0.5),
        .p95_us = histogram_percentile(histogram, 0.95),
        .p99_us = histogram_percentile(histogram, 0.99),
    };
}

static struct series_percentiles percentiles_of_all(struct series *series,
                                                    const struct latency *latency)
{
    series->scratch = latency->of[0];
    for (int type = 1; type < WORK_TYPES; type++)
        histogram_merge(&series->scratch, &latency->of[type]);
    return percentiles_of(&series->scratch);
}

static size_t pack(const struct latency *latency, uint8_t bytes[SERIES_LATENCY_MAX])
{
    size_t place = 0;
    for (int type = 0; type < WORK_TYPES; type++) {
        const size_t length =
            histogram_pack(&latency->of[type], bytes + place + PREFIX, PACKED_MAX);
        bytes[place] = (uint8_t)(length & 0xff);
        bytes[place + 1] = (uint8_t)(length >> 8);
        place += PREFIX + length;
    }
    return place;
}

/* Adds what is packed; false, and nothing is added, if it cannot be read. */
static bool add_packed(struct histogram *scratch, struct latency *latency, const uint8_t *bytes,
                       size_t length)
{
    for (int pass = 0; pass < 2; pass++) {
        size_t place = 0;
        for (int type = 0; type < WORK_TYPES; type++) {
            if (length - place < PREFIX)
                return false;
            const size_t packed = bytes[place] | (size_t)bytes[place + 1] << 8;
            place += PREFIX;
            if (length - place < packed || !histogram_unpack(scratch, bytes + place, packed))
                return false;
            if (pass == 1)
                histogram_merge(&latency->of[type], scratch);
            place += packed;
        }
        if (place != length)
            return false;
    }
    return true;
}

/* The index of a period, or of the place where it belongs. */
static size_t place_of(const struct track *track, int64_t start_s, bool *found)
{
    size_t place = track->count;
    while (place > 0 && track->kept[place - 1].period.start_s >= start_s)
        place--;
    *found = place < track->count && track->kept[place].period.start_s == start_s;
    return place;
}

static void forget(struct track *track, size_t place)
{
    free(track->kept[place].packed);
    track->count--;
    memmove(&track->kept[place], &track->kept[place + 1],
            (track->count - place) * sizeof track->kept[0]);
}

/* The index of a period, which is added if it is not there; the one farthest from the present makes
 * room. The track's `present` is not kept up to date. */
static size_t ensure(struct track *track, enum series_length length, int64_t start_s,
                     int64_t present_s)
{
    bool found;
    size_t place = place_of(track, start_s, &found);
    if (found)
        return place;
    if (track->count == lengths[length].kept) {
        const int64_t first = present_s - track->kept[0].period.start_s;
        const int64_t last = track->kept[track->count - 1].period.start_s - present_s;
        forget(track, first >= last ? 0 : track->count - 1);
        place = place_of(track, start_s, &found);
    }
    memmove(&track->kept[place + 1], &track->kept[place],
            (track->count - place) * sizeof track->kept[0]);
    track->count++;
    track->kept[place] = (struct kept){.period.start_s = start_s};
    return place;
}

/* Puts the present period's response times away. Without memory only their percentiles are kept. */
static void close_present(struct series *series, struct track *track)
{
    uint8_t bytes[SERIES_LATENCY_MAX];
    struct kept *kept = &track->kept[track->present];
    const bool was_open = track->has_present;
    track->has_present = false;
    if (!was_open || track->latency == NULL)
        return;
    kept->period.latency = percentiles_of_all(series, track->latency);
    const size_t length = pack(track->latency, bytes);
    free(kept->packed);
    kept->packed = malloc(length);
    kept->packed_bytes = kept->packed != NULL ? length : 0;
    if (kept->packed != NULL)
        memcpy(kept->packed, bytes, length);
}

static void open_period(struct series *series, enum series_length length, int64_t start_s)
{
    struct track *track = &series->tracks[length];
    track->present = ensure(track, length, start_s, start_s);
    track->has_present = true;
    track->before_known = false;
    if (track->latency == NULL)
        return;
    struct kept *kept = &track->kept[track->present];
    memset(track->latency, 0, sizeof *track->latency);
    if (kept->packed != NULL)
        (void)add_packed(&series->scratch, track->latency, kept->packed, kept->packed_bytes);
}

void series_advance(struct series *series, int64_t now_ms)
{
    for (int i = 0; i < SERIES_LENGTHS; i++) {
        struct track *track = &series->tracks[i];
        const int64_t start_s = start_of((enum series_length)i, now_ms);
        if (track->has_present && track->kept[track->present].period.start_s == start_s)
            continue;
        close_present(series, track);
        open_period(series, (enum series_length)i, start_s);
    }
}

static bool find_length(enum series_resolution resolution, enum series_length *length)
{
    for (int i = 0; i < SERIES_LENGTHS; i++) {
        *length = (enum series_length)i;
        if (lengths[i].stored && lengths[i].seconds == (int64_t)resolution)
            return true;
    }
    return false;
}

bool series_load(struct series *series, int64_t now_ms, const struct series_record *record)
{
    enum series_length length;
    struct latency *latency;
    if (!find_length(record->resolution, &length) ||
        record->start_s % lengths[length].seconds != 0 ||
        record->start_s < series_load_from(length, now_ms))
        return true;
    struct track *track = &series->tracks[length];
    latency = calloc(1, sizeof *latency);
    if (latency == NULL)
        return false;
    close_present(series, track);
    struct kept *kept =
        &track->kept[ensure(track, length, record->start_s, start_of(length, now_ms))];
    kept->period.counts = (struct series_counts){
        .answered = record->answered,
        .rewarded = record->rewarded,
        .timeouts = record->timeouts,
        .refused = record->refused,
        .multiplier_sum = record->multiplier_sum,
    };
    if (add_packed(&series->scratch, latency, record->latency, record->latency_bytes)) {
        kept->period.latency = percentiles_of_all(series, latency);
        free(kept->packed);
        kept->packed = malloc(record->latency_bytes);
        kept->packed_bytes = kept->packed != NULL ? record->latency_bytes : 0;
        if (kept->packed != NULL)
            memcpy(kept->packed, record->latency, record->latency_bytes);
    }
    free(latency);
    return true;
}

void series_record_request(struct series *series, int64_t now_ms,
                           const struct series_request *request)
{
    series_advance(series, now_ms);
    for (int i = 0; i < SERIES_LENGTHS; i++) {
        struct track *track = &series->tracks[i];
        struct kept *kept = &track->kept[track->present];
        struct series_counts *counts = &kept->period.counts;
        kept->unstored = true;
        counts->timeouts += request->outcome == SERIES_TIMEOUT ? 1 : 0;
        counts->refused += request->outcome == SERIES_REFUSED ? 1 : 0;
        if (request->outcome != SERIES_ANSWERED)
            continue;
        counts->answered.of[request->type]++;
        counts->multiplier_sum += request->multiplier;
        if (track->latency != NULL)
            histogram_record(&track->latency->of[request->type], request->waited_us);
    }
}

void series_record_reward(struct series *series, int64_t now_ms, enum work_type type,
                          uint64_t hashes)
{
    series_advance(series, now_ms);
    for (int i = 0; i < SERIES_LENGTHS; i++) {
        struct track *track = &series->tracks[i];
        struct kept *kept = &track->kept[track->present];
        kept->unstored = true;
        kept->period.counts.rewarded.of[type]++;
        kept->period.counts.hashes += hashes;
    }
}

static bool is_present(const struct track *track, const struct kept *kept)
{
    return track->has_present && kept == &track->kept[track->present];
}

static void fill_record(enum series_length length, const struct track *track,
                        const struct kept *kept, struct series_record *record)
{
    const struct series_counts *counts = &kept->period.counts;
    *record = (struct series_record){
        .resolution = (enum series_resolution)lengths[length].seconds,
        .start_s = kept->period.start_s,
        .answered = counts->answered,
        .rewarded = counts->rewarded,
        .timeouts = counts->timeouts,
        .refused = counts->refused,
        .multiplier_sum = counts->multiplier_sum,
    };
    if (is_present(track, kept)) {
        record->latency_bytes = pack(track->latency, record->latency);
    } else if (kept->packed != NULL) {
        memcpy(record->latency, kept->packed, kept->packed_bytes);
        record->latency_bytes = kept->packed_bytes;
    }
}

bool series_unstored(struct series *series, bool open, struct series_record *record)
{
    for (int i = 0; i < SERIES_LENGTHS; i++) {
        struct track *track = &series->tracks[i];
        for (size_t j = 0; j < track->count && lengths[i].stored; j++) {
            if (!track->kept[j].unstored || (!open && is_present(track, &track->kept[j])))
                continue;
            track->kept[j].unstored = false;
            fill_record((enum series_length)i, track, &track->kept[j], record);
            return true;
        }
    }
    return false;
}

void series_not_stored(struct series *series, enum series_resolution resolution, int64_t start_s)
{
    enum series_length length;
    bool found;
    if (!find_length(resolution, &length))
        return;
    struct track *track = &series->tracks[length];
    const size_t place = place_of(track, start_s, &found);
    if (found)
        track->kept[place].unstored = true;
}

void series_period(struct series *series, enum series_length length, int64_t back,
                   struct series_period *period)
{
    const struct track *track = &series->tracks[length];
    bool found;
    *period = (struct series_period){0};
    if (!track->has_present)
        return;
    const int64_t present_s = track->kept[track->present].period.start_s;
    period->start_s = present_s - back * lengths[length].seconds;
    const size_t place = place_of(track, period->start_s, &found);
    if (!found)
        return;
    *period = track->kept[place].period;
    if (place == track->present && track->latency != NULL)
        period->latency = percentiles_of_all(series, track->latency);
}

static void add_counts(struct series_counts *sum, const struct series_counts *counts)
{
    for (int type = 0; type < WORK_TYPES; type++) {
        sum->answered.of[type] += counts->answered.of[type];
        sum->rewarded.of[type] += counts->rewarded.of[type];
    }
    sum->hashes += counts->hashes;
    sum->timeouts += counts->timeouts;
    sum->refused += counts->refused;
    sum->multiplier_sum += counts->multiplier_sum;
}

void series_sum(const struct series *series, enum series_length length, int64_t skip,
                int64_t periods, struct series_counts *counts)
{
    const struct track *track = &series->tracks[length];
    *counts = (struct series_counts){0};
    if (!track->has_present)
        return;
    const int64_t seconds = lengths[length].seconds;
    const int64_t last_s = track->kept[track->present].period.start_s - skip * seconds;
    const int64_t first_s = last_s - (periods - 1) * seconds;
    for (size_t i = 0; i < track->count; i++) {
        const struct series_period *period = &track->kept[i].period;
        if (period->start_s >= first_s && period->start_s <= last_s)
            add_counts(counts, &period->counts);
    }
}

/* The response times of the window without the present period: they change when that does. */
static void sum_before(struct series *series, enum series_length length)
{
    struct track *track = &series->tracks[length];
    const int64_t present_s = track->kept[track->present].period.start_s;
    const int64_t first_s =
        present_s - (int64_t)(lengths[length].window - 1) * lengths[length].seconds;
    memset(track->before, 0, sizeof *track->before);
    for (size_t i = 0; i < track->count; i++) {
        const struct kept *kept = &track->kept[i];
        if (kept->period.start_s >= first_s && kept->period.start_s < present_s &&
            kept->packed != NULL)
            (void)add_packed(&series->scratch, track->before, kept->packed, kept->packed_bytes);
    }
    track->before_known = true;
}

void series_percentiles(struct series *series, enum series_length length,
                        struct series_percentiles percentiles[WORK_TYPES])
{
    struct track *track = &series->tracks[length];
    memset(percentiles, 0, WORK_TYPES * sizeof *percentiles);
    if (!track->has_present || track->before == NULL)
        return;
    if (!track->before_known)
        sum_before(series, length);
    for (int type = 0; type < WORK_TYPES; type++) {
        series->scratch = track->before->of[type];
        histogram_merge(&series->scratch, &track->latency->of[type]);
        percentiles[type] = percentiles_of(&series->scratch);
    }
}
