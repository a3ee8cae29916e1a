/*
 * Refusals are counted by their reason, with the numbers of the first lines: a
 * file of a million lines has a few kinds of mistakes, each made often. All of
 * them, a line each, go into the file of --errors.
 *
 * A terminal gets a bar that is drawn over; anything else, a log perhaps, a
 * line now and then.
 */

#include "import_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "say.h"

#define REASONS_MAX 64  /* kinds that are told apart */
#define REASON_MAX  256 /* bytes of one */
#define FIRST_LINES 5   /* numbers that are shown */
#define BAR_MS      200
#define LINE_MS     10000
#define BAR_WIDTH   24

typedef struct {
    char     text[REASON_MAX];
    uint64_t count;
    uint64_t first[FIRST_LINES];
} reason_t;

struct lp_import_report_s {
    FILE      *errors;
    int        errors_failed;
    uint64_t   size;
    uint64_t   counts[LP_IMPORT_OUTCOMES];
    uint64_t   refused;
    reason_t   reasons[REASONS_MAX];
    unsigned   n_reasons;
    int        terminal;
    int        drawn;
    int64_t    started; /* monotonic ms */
    int64_t    next;    /* not to say anything before */
};

static int64_t now_ms(void);
static reason_t *reason_of(lp_import_report_t *report, const char *text);
static uint64_t lines_of(const lp_import_report_t *report);
static void draw(const lp_import_report_t *report, uint64_t taken);
static int by_count(const void *a, const void *b);
static void print_reason(const reason_t *reason);

lp_import_report_t *
lp_import_report_open(const lp_args_t *args, uint64_t size)
{
    const char         *path = args->value[LP_OPT_ERRORS];
    lp_import_report_t *report = calloc(1, sizeof(lp_import_report_t));

    if (report == NULL) {
        lp_say("out of memory");
        return NULL;
    }
    if (path != NULL) {
        report->errors = fopen(path, "w");
        if (report->errors == NULL) {
            lp_say("%s: %s", path, strerror(errno));
            free(report);
            return NULL;
        }
    }
    report->size = size;
    report->terminal = isatty(STDERR_FILENO);
    report->started = now_ms();
    report->next = report->started + (report->terminal ? BAR_MS : LINE_MS);
    return report;
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
lp_import_count(lp_import_report_t *report, lp_import_outcome_t outcome)
{
    report->counts[outcome]++;
}

void
lp_import_refuse(lp_import_report_t *report, uint64_t line, int status,
                 const char *reason)
{
    reason_t *kind = reason_of(report, reason);
    json_t   *entry;

    report->refused++;
    if (kind->count < FIRST_LINES) {
        kind->first[kind->count] = line;
    }
    kind->count++;
    if (report->errors == NULL) {
        return;
    }
    entry = json_pack("{s:I, s:i, s:s}", "line", (json_int_t) line, "status",
                      status, "statusMessage", reason);
    if (entry == NULL || json_dumpf(entry, report->errors, JSON_COMPACT) != 0
        || fputc('\n', report->errors) == EOF) {
        report->errors_failed = 1;
    }
    json_decref(entry);
}

/* The last kind is all that found no room. */
static reason_t *
reason_of(lp_import_report_t *report, const char *text)
{
    reason_t *reason;
    unsigned  i;

    for (i = 0; i < report->n_reasons; i++) {
        if (strcmp(report->reasons[i].text, text) == 0) {
            return &report->reasons[i];
        }
    }
    if (report->n_reasons == REASONS_MAX) {
        return &report->reasons[REASONS_MAX - 1];
    }
    reason = &report->reasons[report->n_reasons++];
    snprintf(reason->text, REASON_MAX, "%s",
             report->n_reasons == REASONS_MAX ? "other reasons" : text);
    return reason;
}

static uint64_t
lines_of(const lp_import_report_t *report)
{
    uint64_t n = report->refused;
    unsigned i;

    for (i = 0; i < LP_IMPORT_OUTCOMES; i++) {
        n += report->counts[i];
    }
    return n;
}

static uint64_t
per_second(const lp_import_report_t *report)
{
    int64_t ms = now_ms() - report->started;

    return ms <= 0 ? 0 : lines_of(report) * 1000 / (uint64_t) ms;
}

void
lp_import_progress(lp_import_report_t *report, uint64_t taken)
{
    int64_t now = now_ms();

    if (now < report->next) {
        return;
    }
    report->next = now + (report->terminal ? BAR_MS : LINE_MS);
    if (report->terminal) {
        draw(report, taken);
        report->drawn = 1;
        return;
    }
    lp_say("%" PRIu64 " lines, %" PRIu64 " refused, %" PRIu64 " a second",
           lines_of(report), report->refused, per_second(report));
}

static void
draw(const lp_import_report_t *report, uint64_t taken)
{
    char     bar[BAR_WIDTH + 1];
    unsigned part, i;

    fputc('\r', stderr);
    if (report->size > 0) {
        taken = taken > report->size ? report->size : taken;
        part = (unsigned) (taken * BAR_WIDTH / report->size);
        for (i = 0; i < BAR_WIDTH; i++) {
            bar[i] = i < part ? '#' : '.';
        }
        bar[BAR_WIDTH] = '\0';
        fprintf(stderr, "[%s] %3u %%  ", bar,
                (unsigned) (taken * 100 / report->size));
    }
    fprintf(stderr, "%" PRIu64 " lines, %" PRIu64 " refused, %" PRIu64
                    " a second  ",
            lines_of(report), report->refused, per_second(report));
    fflush(stderr);
}

int
lp_import_report_close(lp_import_report_t *report, const char *stopped,
                       uint64_t line)
{
    unsigned i;
    int      rc = report->refused > 0 || stopped != NULL ? LP_NO : LP_YES;

    if (report->drawn) {
        fputc('\n', stderr);
    }
    printf("%" PRIu64 " lines: %" PRIu64 " applied, %" PRIu64
           " repeated, %" PRIu64 " stale, %" PRIu64 " refused; %" PRIu64
           " a second\n",
           lines_of(report), report->counts[LP_IMPORT_APPLIED],
           report->counts[LP_IMPORT_REPEATED],
           report->counts[LP_IMPORT_STALE], report->refused,
           per_second(report));
    qsort(report->reasons, report->n_reasons, sizeof(reason_t), by_count);
    for (i = 0; i < report->n_reasons; i++) {
        print_reason(&report->reasons[i]);
    }
    if (stopped != NULL) {
        lp_say("%s; what was read before is stored: go on with --from %" PRIu64,
               stopped, line);
    }
    if (report->errors != NULL
        && (fclose(report->errors) != 0 || report->errors_failed)) {
        lp_say("the file of --errors could not be written");
        rc = LP_NO;
    }
    free(report);
    return rc;
}

static int
by_count(const void *a, const void *b)
{
    const reason_t *x = a, *y = b;

    return (x->count < y->count) - (x->count > y->count);
}

static void
print_reason(const reason_t *reason)
{
    unsigned i;

    printf("%8" PRIu64 "  %s (line%s ", reason->count, reason->text,
           reason->count > 1 ? "s" : "");
    for (i = 0; i < FIRST_LINES && i < reason->count; i++) {
        printf("%s%" PRIu64, i > 0 ? ", " : "", reason->first[i]);
    }
    printf("%s)\n", reason->count > FIRST_LINES ? " ..." : "");
}
