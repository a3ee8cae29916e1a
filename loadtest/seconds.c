/*
 * seconds.csv and seconds.ndjson: a line for each second of a run, written when
 * the second is over, so that a run that is killed leaves what it knew. The
 * first is for people and spreadsheets, the second has the histograms and is
 * what charts, merging and comparing read.
 */

#include "result.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../workers/say.h"
#include "new_file.h"
#include "result_members.h"

#define LINE_MAX_BYTES (256 << 10) /* a full histogram takes 80 kB */

/* A column that is a counter. */
typedef struct {
    const char *name;
    size_t      offset;
} column_t;

struct lp_seconds_reader_s {
    FILE         *stream;
    unsigned long number; /* of the line */
    int64_t       last;
    char          path[LP_FILE_MAX];
    char          line[LINE_MAX_BYTES];
};

#define COLUMN(name) {#name, offsetof(lp_counts_t, name)}

static const column_t columns[] = {
    COLUMN(activated), COLUMN(retried),  COLUMN(connected),
    COLUMN(tls_full),  COLUMN(tls_resumed),
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const struct {
    const char *name;
    double      share;
} quantiles[] = {
    {"p50_ms", 0.5},    {"p90_ms", 0.9}, {"p99_ms", 0.99},
    {"p999_ms", 0.999}, {"max_ms", 1},
};

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

static FILE *create(const char *folder, const char *name);
static void put_head(FILE *csv);
static void put_name(FILE *csv, const char *before, const char *name);
static void put_row(FILE *csv, const lp_second_t *second, double target);
static int put_line(FILE *ndjson, const lp_second_t *second, double target);
static int close_file(FILE *stream, const char *name);
static FILE *open_lines(const char *path);
static int read_line(const lp_result_source_t *source, const json_t *object,
                     lp_second_t *second, double *target);


int
lp_seconds_create(lp_seconds_t *seconds, const char *folder)
{
    seconds->csv = create(folder, "seconds.csv");
    seconds->ndjson = seconds->csv == NULL ? NULL
                                           : create(folder, "seconds.ndjson");

    if (seconds->ndjson == NULL) {
        if (seconds->csv != NULL) {
            fclose(seconds->csv);
        }
        seconds->csv = NULL;
        return -1;
    }

    put_head(seconds->csv);

    return 0;
}


static FILE *
create(const char *folder, const char *name)
{
    char  path[LP_FILE_MAX];
    FILE *stream;

    if (lp_file_path(path, folder, name) != 0) {
        return NULL;
    }

    stream = fopen(path, "we");
    if (stream == NULL) {
        lp_new_file_explain(folder, name, 0, errno);
    }

    return stream;
}


/* A spreadsheet takes a minus for a minus: underscores. */
static void
put_head(FILE *csv)
{
    unsigned i;

    fputs("second,target,scheduled,sent", csv);
    for (i = 0; i < LP_ENDS; i++) {
        put_name(csv, "", lp_end_name((lp_end_t) i));
    }
    for (i = 0; i < LP_OUTCOMES; i++) {
        put_name(csv, "outcome_", lp_outcome_name((lp_outcome_t) i));
    }
    fputs(",outcome_other", csv);
    for (i = 0; i < COLUMNS; i++) {
        put_name(csv, "", columns[i].name);
    }
    for (i = 0; i < QUANTILES; i++) {
        put_name(csv, "", quantiles[i].name);
    }
    fputc('\n', csv);
}


static void
put_name(FILE *csv, const char *before, const char *name)
{
    fprintf(csv, ",%s", before);
    for (; *name != '\0'; name++) {
        fputc(*name == '-' ? '_' : *name, csv);
    }
}


int
lp_seconds_put(lp_seconds_t *seconds, const lp_second_t *second,
               double target)
{
    put_row(seconds->csv, second, target);
    if (fflush(seconds->csv) != 0 || ferror(seconds->csv)) {
        lp_say("seconds.csv: second %" PRId64 " cannot be written: %s",
               second->second, strerror(errno));
        return -1;
    }

    if (put_line(seconds->ndjson, second, target) != 0
        || fflush(seconds->ndjson) != 0 || ferror(seconds->ndjson))
    {
        lp_say("seconds.ndjson: second %" PRId64 " cannot be written: %s",
               second->second, strerror(errno));
        return -1;
    }

    return 0;
}


static void
put_row(FILE *csv, const lp_second_t *second, double target)
{
    const lp_counts_t *counts = &second->counts;
    unsigned           i;

    fprintf(csv, "%" PRId64 ",%.2f,%" PRIu64 ",%" PRIu64, second->second,
            target, counts->scheduled, counts->sent);
    for (i = 0; i < LP_ENDS; i++) {
        fprintf(csv, ",%" PRIu64, counts->ended[i]);
    }
    for (i = 0; i < LP_OUTCOMES; i++) {
        fprintf(csv, ",%" PRIu64, counts->outcome[i]);
    }
    fprintf(csv, ",%" PRIu64, counts->other);
    for (i = 0; i < COLUMNS; i++) {
        fprintf(csv, ",%" PRIu64,
                *(const uint64_t *) (const void *) ((const char *) counts
                                                    + columns[i].offset));
    }
    for (i = 0; i < QUANTILES; i++) {
        fprintf(csv, ",%.3f",
                lp_second_quantile_ms(second, quantiles[i].share));
    }
    fputc('\n', csv);
}


static int
put_line(FILE *ndjson, const lp_second_t *second, double target)
{
    json_t *object;
    int     rc;

    object = json_pack("{s:I, s:f, s:o, s:o}", "second",
                       (json_int_t) second->second, "target", target, "counts",
                       lp_counts_json(&second->counts), "latency",
                       lp_histogram_json(&second->latency.h));
    if (object == NULL) {
        errno = ENOMEM;
        return -1;
    }

    rc = json_dumpf(object, ndjson, JSON_COMPACT);
    json_decref(object);
    fputc('\n', ndjson);

    return rc;
}


int
lp_seconds_close(lp_seconds_t *seconds)
{
    int rc;

    rc = close_file(seconds->csv, "seconds.csv")
         | close_file(seconds->ndjson, "seconds.ndjson");
    seconds->csv = NULL;
    seconds->ndjson = NULL;

    return rc;
}


static int
close_file(FILE *stream, const char *name)
{
    int error = 0;

    if (fflush(stream) != 0 || fsync(fileno(stream)) != 0) {
        error = errno;
    }
    if (fclose(stream) != 0 && error == 0) {
        error = errno;
    }
    if (error != 0) {
        lp_say("%s: cannot be written: %s", name, strerror(error));
    }

    return error == 0 ? 0 : -1;
}


lp_seconds_reader_t *
lp_seconds_open(const char *folder)
{
    lp_seconds_reader_t *reader = malloc(sizeof(*reader));

    if (reader == NULL) {
        lp_say("%s/seconds.ndjson: no memory left to read it", folder);
        return NULL;
    }

    reader->number = 0;
    reader->last = -1;
    reader->stream = NULL;

    if (lp_file_path(reader->path, folder, "seconds.ndjson") == 0) {
        reader->stream = open_lines(reader->path);
    }
    if (reader->stream == NULL) {
        free(reader);
        return NULL;
    }

    return reader;
}


static FILE *
open_lines(const char *path)
{
    const char *odd = lp_file_odd(path);
    FILE       *stream = odd == NULL ? fopen(path, "re") : NULL;

    if (odd != NULL) {
        lp_say("%s: %s", path, odd);
    } else if (stream == NULL) {
        lp_say("%s: cannot be read: %s", path, strerror(errno));
    }

    return stream;
}


/* Numbers rise: merging and charts count on it. */
int
lp_seconds_next(lp_seconds_reader_t *reader, lp_second_t *second,
                double *target)
{
    lp_result_source_t source = {reader->path, ++reader->number};

    if (fgets(reader->line, LINE_MAX_BYTES, reader->stream) == NULL) {
        if (ferror(reader->stream)) {
            lp_say("%s: cannot be read: %s", reader->path, strerror(errno));
            return -1;
        }
        return 0;
    }

    if (lp_second_parse(reader->path, reader->number, reader->line, second,
                        target) != 0)
    {
        return -1;
    }
    if (second->second <= reader->last) {
        return lp_result_refuse(&source, NULL, "second",
                                "is not higher than that of the line before");
    }

    reader->last = second->second;

    return 1;
}


void
lp_seconds_end(lp_seconds_reader_t *reader)
{
    if (reader != NULL) {
        fclose(reader->stream);
        free(reader);
    }
}


int
lp_seconds_read(const char *folder, lp_second_take_t take, void *owner)
{
    lp_seconds_reader_t *reader = lp_seconds_open(folder);
    lp_second_t         *second = malloc(sizeof(*second));
    double               target = 0;
    int                  rc = -1;

    if (reader != NULL && second == NULL) {
        lp_say("%s: no memory left to read it", reader->path);
    }

    if (reader != NULL && second != NULL) {
        while ((rc = lp_seconds_next(reader, second, &target)) == 1) {
            if (take(owner, second, target) != 0) {
                rc = -1;
                break;
            }
        }
    }

    free(second);
    lp_seconds_end(reader);

    return rc;
}


int
lp_second_parse(const char *file, unsigned long number, const char *line,
                lp_second_t *second, double *target)
{
    lp_result_source_t source = {file, number};
    json_error_t       error;
    json_t            *object;
    size_t             len = strlen(line);
    int                rc;

    memset(second, 0, sizeof(*second));
    lp_histogram_reset(&second->latency.h, LP_COARSE);

    if (len == 0 || line[len - 1] != '\n') {
        return lp_result_refuse(&source, NULL, "line",
                                "is cut off, or too long");
    }

    object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        json_decref(object);
        return lp_result_refuse(&source, NULL, "line", "is no JSON object");
    }

    rc = read_line(&source, object, second, target);
    json_decref(object);

    return rc;
}


static int
read_line(const lp_result_source_t *source, const json_t *object,
          lp_second_t *second, double *target)
{
    const json_t *number = json_object_get(object, "second"),
                 *wanted = json_object_get(object, "target"),
                 *text = json_object_get(object, "latency");

    second->second = json_integer_value(number);
    if (!json_is_integer(number) || second->second < 0
        || second->second > 2 * LP_PLAN_SECONDS_MAX)
    {
        return lp_result_refuse(source, NULL, "second",
                                "is no whole number from 0 to 172800");
    }

    *target = json_number_value(wanted);
    if (!json_is_number(wanted) || !(*target >= 0 && *target <= 1e9)) {
        return lp_result_refuse(source, NULL, "target",
                                "is no number from 0 to 1e9");
    }

    if (!json_is_string(text)
        || lp_histogram_read(&second->latency.h, json_string_value(text)) != 0)
    {
        return lp_result_refuse(source, NULL, "latency",
                                "is no histogram of 2 digits");
    }

    return lp_counts_take(source, json_object_get(object, "counts"),
                          &second->counts);
}
