/*
 * Adding shards up. Counters and buckets are whole numbers, so that the order
 * does not matter and nothing is rounded; a second is the sum of what each
 * shard had for the second of this number.
 *
 * What the sum would hide is looked for first. A part that is missing took its
 * clicks with it: the target was never under the plan's load. Nor was it where
 * one part began long after another, each with its own peak. A part whose
 * machine could not keep the schedule is drowned in the lateness of the others.
 * All of these make the whole INVALID, by its trouble; it is written
 * nevertheless, for whoever wants to look.
 */

#include "merge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "../workers/say.h"
#include "../workers/written_time.h"
#include "new_file.h"
#include "told.h"

#define CLOCKS_APART 1    /* seconds beyond which it is said */
#define APART_SHARE  0.01 /* of the plan, beyond which it is no whole */

typedef struct {
    lp_result_t         *sum;
    lp_result_t         *part;  /* the one in hand */
    unsigned char       *seen;  /* of each shard: 1 */
    json_t              *plan;  /* of the first */
    int64_t              first, last; /* when parts started, Unix seconds */
    lp_seconds_reader_t *reader[LP_RUNS_MAX];
    lp_second_t         *second[LP_RUNS_MAX]; /* each reader's next */
    double               target[LP_RUNS_MAX];
    int                  more[LP_RUNS_MAX];
} merge_t;

static int add_parts(merge_t *merge, const char *const *runs, unsigned n);
static int begin(merge_t *merge, const char *run);
static int check_part(merge_t *merge, const char *run);
static int other(const char *run, const char *what);
static void add_part(merge_t *merge);
static void add_api(lp_api_score_t *into, const lp_api_score_t *from);
static void add_marks(lp_result_t *into, const lp_result_t *from);
static void note_trouble(lp_result_t *sum, const lp_result_t *part);
static void note_start(merge_t *merge, unsigned i);
static void note_apart(merge_t *merge);
static void note_missing(merge_t *merge, unsigned n);
static int make_folder(const char *folder);
static int add_seconds(merge_t *merge, const char *folder,
                       const char *const *runs, unsigned n);
static int write_seconds(merge_t *merge, lp_seconds_t *out, unsigned n);
static int next_of(merge_t *merge, unsigned i);
static int add_told(const char *folder, const char *const *runs, unsigned n);


int
lp_merge(lp_result_t *result, const char *folder, const char *const *runs,
         unsigned n)
{
    merge_t *merge;
    int      rc = -1;

    if (n == 0 || n > LP_RUNS_MAX) {
        lp_say("from 1 to %d runs are added up", LP_RUNS_MAX);
        return -1;
    }

    merge = calloc(1, sizeof(*merge));
    if (merge != NULL) {
        merge->sum = result;
        merge->part = malloc(sizeof(*merge->part));
    }

    if (merge == NULL || merge->part == NULL) {
        lp_say("no memory left to add runs up");
    } else if (add_parts(merge, runs, n) == 0 && make_folder(folder) == 0
               && add_seconds(merge, folder, runs, n) == 0)
    {
        rc = add_told(folder, runs, n);
    }

    if (merge != NULL) {
        json_decref(merge->plan);
        free(merge->seen);
        free(merge->part);
    }
    free(merge);

    return rc;
}


static int
add_parts(merge_t *merge, const char *const *runs, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (lp_result_read(merge->part, runs[i]) != 0
            || (i == 0 && begin(merge, runs[i]) != 0)
            || check_part(merge, runs[i]) != 0)
        {
            return -1;
        }

        note_start(merge, i);
        add_part(merge);
    }

    note_apart(merge);
    note_missing(merge, n);
    merge->sum->shard = 0;
    merge->sum->shards = 1;

    return 0;
}


/* By the first of them. */
static int
begin(merge_t *merge, const char *run)
{
    const lp_result_t *part = merge->part;
    lp_result_t       *sum = merge->sum;

    if (part->shards < 2) {
        lp_say("%s: is a whole run, no part of one (run --shard)", run);
        return -1;
    }
    if (part->shards > LP_RUNS_MAX) {
        lp_say("%s: is one of %u parts; more than %d are not added up", run,
               part->shards, LP_RUNS_MAX);
        return -1;
    }

    merge->seen = calloc(part->shards, 1);
    merge->plan = lp_plan_json(&part->plan);
    if (merge->seen == NULL || merge->plan == NULL) {
        lp_say("no memory left to add runs up");
        return -1;
    }

    lp_result_reset(sum);
    sum->plan = part->plan;
    sum->population_seed = part->population_seed;
    sum->pupils = part->pupils;
    sum->products = part->products;
    sum->shards = part->shards;
    sum->scale = part->scale;
    sum->factor = part->factor;
    memcpy(sum->target, part->target, sizeof(sum->target));
    memcpy(sum->started, part->started, sizeof(sum->started));
    memcpy(sum->machine, part->machine, sizeof(sum->machine));

    return 0;
}


static int
check_part(merge_t *merge, const char *run)
{
    const lp_result_t *part = merge->part, *sum = merge->sum;
    json_t            *plan = lp_plan_json(&part->plan);
    int                same = plan != NULL && json_equal(plan, merge->plan);

    json_decref(plan);

    if (!same) {
        return other(run, "plan (scale and length are part of it)");
    }
    if (part->population_seed != sum->population_seed
        || part->pupils != sum->pupils || part->products != sum->products)
    {
        return other(run, "population");
    }
    if (part->shards != sum->shards) {
        return other(run, "number of parts");
    }
    if (merge->seen[part->shard]) {
        lp_say("%s: part %u of %u is there already", run, part->shard + 1,
               part->shards);
        return -1;
    }

    merge->seen[part->shard] = 1;

    return 0;
}


static int
other(const char *run, const char *what)
{
    lp_say("%s: is of another run than the first: another %s", run, what);

    return -1;
}


static void
add_part(merge_t *merge)
{
    const lp_result_t *part = merge->part;
    lp_result_t       *sum = merge->sum;

    lp_counts_add(&sum->counts, &part->counts);
    lp_histogram_add(&sum->schedule.h, &part->schedule.h);
    lp_histogram_add(&sum->service.h, &part->service.h);
    lp_histogram_add(&sum->activation.h, &part->activation.h);
    lp_histogram_add(&sum->connect.h, &part->connect.h);
    lp_histogram_add(&sum->slip.h, &part->slip.h);
    sum->missed_by_tool += part->missed_by_tool;
    sum->most_open += part->most_open;
    sum->first_uses += part->first_uses;
    add_api(&sum->api, &part->api);
    add_marks(sum, part);

    sum->engines += part->engines;
    sum->seconds = fmax(sum->seconds, part->seconds);
    sum->cpu = fmax(sum->cpu, part->cpu);
    sum->interrupted |= part->interrupted;
    sum->stopped_early |= part->stopped_early;
    if (fabs(part->clock_step) > fabs(sum->clock_step)) {
        sum->clock_step = part->clock_step;
    }
    if (fabs(part->factor - 1) > fabs(sum->factor - 1)) {
        sum->factor = part->factor;
    }
    sum->lowest = fmin(sum->lowest, part->lowest);

    note_trouble(sum, part);
}


static void
add_api(lp_api_score_t *into, const lp_api_score_t *from)
{
    into->requests += from->requests;
    into->errors += from->errors;
    into->lines += from->lines;
    into->missed += from->missed;
    lp_histogram_add(&into->latency.h, &from->latency.h);
}


/* What more than one machine did at the same time is there once. */
static void
add_marks(lp_result_t *into, const lp_result_t *from)
{
    const unsigned most = sizeof(into->marks) / sizeof(into->marks[0]);
    unsigned       i, j;

    for (i = 0; i < from->n_marks && into->n_marks < most; i++) {
        for (j = 0; j < into->n_marks; j++) {
            if (strcmp(into->marks[j].name, from->marks[i].name) == 0
                && into->marks[j].status == from->marks[i].status
                && fabs(into->marks[j].at - from->marks[i].at) < 1)
            {
                break;
            }
        }
        if (j == into->n_marks) {
            into->marks[into->n_marks++] = from->marks[i];
        }
    }
}


/* The first that there is. */
static void
note_trouble(lp_result_t *sum, const lp_result_t *part)
{
    static const char before[] = "INVALID: ";
    const char       *sentence = part->conclusion.sentence;

    if (sum->trouble[0] != '\0' || part->conclusion.pass != LP_INVALID) {
        return;
    }
    if (strncmp(sentence, before, sizeof(before) - 1) == 0) {
        sentence += sizeof(before) - 1;
    }

    snprintf(sum->trouble, sizeof(sum->trouble), "part %u by itself: %.220s",
             part->shard + 1,
             part->trouble[0] != '\0' ? part->trouble : sentence);
}


static void
note_start(merge_t *merge, unsigned i)
{
    int64_t at = lp_date_time_read(merge->part->started);

    if (at == -1) {
        return;
    }

    if (i == 0 || at < merge->first) {
        merge->first = at;
        memcpy(merge->sum->started, merge->part->started,
               sizeof(merge->sum->started));
    }
    if (i == 0 || at > merge->last) {
        merge->last = at;
    }
}


/* By the clocks of the machines, which --start-at goes by as well. */
static void
note_apart(merge_t *merge)
{
    lp_result_t *sum = merge->sum;
    long long    apart = (long long) (merge->last - merge->first);

    if (apart <= CLOCKS_APART) {
        return;
    }
    lp_say("the parts began %lld s apart by their clocks: seconds are added "
           "up by number, as if all had begun together", apart);

    if ((double) apart > APART_SHARE * lp_plan_seconds(&sum->plan)
        && sum->trouble[0] == '\0')
    {
        snprintf(sum->trouble, sizeof(sum->trouble), "its parts began %lld s "
                 "apart, so that the target was never under all of the load",
                 apart);
    }
}


static void
note_missing(merge_t *merge, unsigned n)
{
    lp_result_t *sum = merge->sum;
    char         machine[sizeof(sum->machine)];
    unsigned     i;
    size_t       len;

    memcpy(machine, sum->machine, sizeof(machine));
    snprintf(sum->machine, sizeof(sum->machine), "%u machines; the first: "
             "%.120s", n, machine);

    if (n == sum->shards) {
        return;
    }

    len = (size_t) snprintf(sum->trouble, sizeof(sum->trouble),
                            "%u of %u parts are missing:", sum->shards - n,
                            sum->shards);
    for (i = 0; i < sum->shards && len < sizeof(sum->trouble) - 8; i++) {
        if (!merge->seen[i]) {
            len += (size_t) snprintf(sum->trouble + len,
                                     sizeof(sum->trouble) - len, " %u", i + 1);
        }
    }
}


static int
make_folder(const char *folder)
{
    if (mkdir(folder, 0755) == 0) {
        return 0;
    }
    if (errno == EEXIST) {
        lp_say("%s: is there already; name a folder that is not", folder);
    } else {
        lp_say("%s: cannot be made: %s", folder, strerror(errno));
    }

    return -1;
}


static int
add_seconds(merge_t *merge, const char *folder, const char *const *runs,
            unsigned n)
{
    lp_seconds_t out;
    unsigned     i;
    int          rc = 0;

    for (i = 0; i < n && rc == 0; i++) {
        merge->second[i] = malloc(sizeof(lp_second_t));
        if (merge->second[i] == NULL) {
            lp_say("no memory left to add runs up");
            rc = -1;
            break;
        }
        merge->reader[i] = lp_seconds_open(runs[i]);
        rc = merge->reader[i] == NULL ? -1 : next_of(merge, i);
    }

    if (rc == 0) {
        rc = lp_seconds_create(&out, folder);
    }
    if (rc == 0) {
        rc = write_seconds(merge, &out, n);
        rc = lp_seconds_close(&out) != 0 ? -1 : rc;
    }

    for (i = 0; i < n; i++) {
        lp_seconds_end(merge->reader[i]);
        free(merge->second[i]);
    }

    return rc;
}


/* The lowest number that any of them has next, until none has any. */
static int
write_seconds(merge_t *merge, lp_seconds_t *out, unsigned n)
{
    lp_second_t *sum = malloc(sizeof(*sum));
    double       target;
    unsigned     i;
    int          rc = 0;

    if (sum == NULL) {
        lp_say("no memory left to add runs up");
        return -1;
    }

    while (rc == 0) {
        memset(&sum->counts, 0, sizeof(sum->counts));
        lp_histogram_reset(&sum->latency.h, LP_COARSE);
        sum->second = -1;
        target = 0;

        for (i = 0; i < n; i++) {
            if (merge->more[i] && (sum->second == -1
                                   || merge->second[i]->second < sum->second))
            {
                sum->second = merge->second[i]->second;
            }
        }
        if (sum->second == -1) {
            break;
        }

        for (i = 0; i < n && rc == 0; i++) {
            if (!merge->more[i] || merge->second[i]->second != sum->second) {
                continue;
            }
            lp_counts_add(&sum->counts, &merge->second[i]->counts);
            lp_histogram_add(&sum->latency.h, &merge->second[i]->latency.h);
            target += merge->target[i];
            rc = next_of(merge, i);
        }

        if (rc == 0) {
            rc = lp_seconds_put(out, sum, target);
        }
    }

    free(sum);

    return rc;
}


static int
next_of(merge_t *merge, unsigned i)
{
    int rc;

    rc = lp_seconds_next(merge->reader[i], merge->second[i],
                         &merge->target[i]);
    merge->more[i] = rc == 1;

    return rc < 0 ? -1 : 0;
}


/* A run may have been told to keep none; then there is no sum either. */
static int
add_told(const char *folder, const char *const *runs, unsigned n)
{
    char     path[LP_FILE_MAX];
    unsigned i;

    for (i = 0; i < n; i++) {
        if (lp_file_path(path, runs[i], LP_TOLD_FILE) != 0) {
            return -1;
        }
        if (access(path, F_OK) != 0 && errno == ENOENT) {
            lp_say("%s: is not there, so that the sum can't be verified",
                   path);
            return 0;
        }
    }

    return lp_told_add_up(folder, runs, n);
}
