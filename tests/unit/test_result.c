/*
 * Protects results: what was written is read back as it was, what is broken is
 * refused by the name of its member, a disk that is full costs nothing that was
 * there, and the seconds of shards add up.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <signal.h>

#include "../../loadtest/compare.h"
#include "../../loadtest/json_file.h"
#include "../../loadtest/new_file.h"
#include "../../loadtest/result_members.h"
#include "rehearsal_result.h"

static char folder[] = "/tmp/leerpoort-result-XXXXXX";


static int
make_folder(void **state)
{
    (void) state;

    return mkdtemp(folder) == NULL ? -1 : 0;
}


static int
drop_folder(void **state)
{
    static const char *const names[] = {"run.json", "latency.hgrm",
                                        "seconds.csv", "seconds.ndjson", "f"};
    char                     path[128];
    unsigned                 i;

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }

    return rmdir(folder);
}


/* What lp_say() says meanwhile. */
static FILE *said;
static int   kept = -1;

static void
listen(void)
{
    said = tmpfile();
    assert_non_null(said);
    fflush(stderr);
    kept = dup(STDERR_FILENO);
    assert_true(dup2(fileno(said), STDERR_FILENO) >= 0);
}


static void
heard(char *dst, size_t size)
{
    size_t n;

    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(said);
    n = fread(dst, 1, size - 1, said);
    dst[n] = '\0';
    fclose(said);
}


static void
test_a_result_is_read_back_as_it_was(void **state)
{
    lp_result_t      *run = good_result(), *back = good_result();
    const lp_check_t *check;
    unsigned          i;

    (void) state;

    run->shard = 2;
    run->shards = 5;
    run->scale = 0.1;
    run->cpu = 0.73125;
    run->interrupted = 1;
    run->clock_step = -3600.25;
    run->missed_by_tool = 3;
    run->counts.ended[LP_END_RESET] = 4;
    run->counts.tls_resumed = 123456789012;
    run->api.lines = 50000;
    lp_histogram_record(&run->api.latency.h, 70000);
    run->n_marks = 1;
    run->marks[0].at = 3.25;
    run->marks[0].status = -2;
    snprintf(run->marks[0].name, sizeof(run->marks[0].name), "Redis \"dies\"");
    run->plan.thresholds.max_ms = 1;
    run->counts.scheduled++;
    run->counts.ended[LP_END_LATE]++;
    lp_result_conclude(run);
    assert_true(isinf(run->conclusion.checks[4].value));

    assert_int_equal(lp_result_write(run, folder), 0);
    lp_result_reset(back);
    assert_int_equal(lp_result_read(back, folder), 0);

    assert_string_equal(back->conclusion.sentence, run->conclusion.sentence);
    assert_int_equal(back->conclusion.pass, run->conclusion.pass);
    assert_int_equal(back->conclusion.n_checks, run->conclusion.n_checks);
    for (i = 0; i < run->conclusion.n_checks; i++) {
        check = &run->conclusion.checks[i];
        assert_string_equal(back->conclusion.checks[i].name, check->name);
        assert_true(back->conclusion.checks[i].limit == check->limit);
        assert_true(back->conclusion.checks[i].value == check->value);
        assert_int_equal(back->conclusion.checks[i].broken, check->broken);
    }
    assert_memory_equal(&back->counts, &run->counts, sizeof(run->counts));
    assert_memory_equal(&back->schedule, &run->schedule, sizeof(run->schedule));
    assert_memory_equal(&back->api, &run->api, sizeof(run->api));
    assert_memory_equal(back->marks, run->marks, sizeof(run->marks[0]));
    assert_string_equal(back->target, run->target);
    assert_true(back->clock_step == run->clock_step && back->cpu == run->cpu);
    assert_int_equal(back->shard, 2);
    assert_int_equal(back->shards, 5);
    assert_int_equal(back->interrupted, 1);
    assert_int_equal(back->population_seed, 7);
    assert_true(back->plan.thresholds.max_ms == 1);
    free(run);
    free(back);
}


/* Sets the member at path ("run.shards") to a value, or takes it away. */
static void
spoil(json_t *object, const char *path, json_t *value)
{
    char   name[64];
    size_t len = strcspn(path, ".");

    assert_true(len < sizeof(name));
    memcpy(name, path, len);
    name[len] = '\0';

    if (path[len] == '.') {
        spoil(json_object_get(object, name), path + len + 1, value);
    } else if (value == NULL) {
        json_object_del(object, name);
    } else {
        json_object_set_new(object, name, value);
    }
}


static void
test_what_is_broken_is_refused_by_its_name(void **state)
{
    const struct {
        const char *path, *value, *says;
    } broken[] = {
        {"version", "2", "version: is not 1"},
        {"verdict", "\"PASS\"", "verdict: is none of"},
        {"sentence", "\"a\\u001b[2J\"", "sentence: holds a control"},
        {"sentence", "\"\\u009b2J\"", "sentence: holds a control"},
        {"sentence", NULL, "sentence: is missing"},
        {"checks", "{}", "checks: is no list"},
        {"checks", "[{\"name\": \"p42_ms\"}]", "checks.name: is no threshold"},
        {"checks", "[{\"name\": \"p99_ms\", \"value\": \"x\"}]",
         "checks.value: is no number"},
        {"run", "[]", "run: is no object"},
        {"run", NULL, "run: is missing"},
        {"run.target", "5", "run.target: is no string"},
        {"run.engines", "-1", "run.engines: is no whole number from 0"},
        {"run.engines", "1.5", "run.engines: is no whole number"},
        {"run.shard", "1", "run.shard: is not below run.shards"},
        {"run.shards", "0", "run.shard: is not below run.shards"},
        {"run.seconds", "-1", "run.seconds: is below 0"},
        {"run.scale", "1e300", "run.scale: is no number up to"},
        {"run.interrupted", "1", "run.interrupted: is neither true nor"},
        {"population.pupils", "4294967296", "population.pupils: is no whole"},
        {"counts.sent", "1000000000000001", "counts.sent: is no whole number"},
        {"counts.ended.late", NULL, "counts.ended.late: is missing"},
        {"counts.outcomes", NULL, "counts.outcomes: is missing"},
        {"counts.scheduled", "999", "times.schedule.histogram: has more"},
        {"times.slip", "{}", "times.slip.histogram: is no histogram"},
        {"times.slip.histogram", "\"2 0 0 0 0 0\"", "is no histogram of 3"},
        {"api", NULL, "api: is missing"},
        {"api.latency", NULL, "api.latency.histogram: is no histogram"},
        {"marks", "[{\"at\": 1}]", "marks.name: is missing"},
        {"plan", "\"september\"", "plan: is no object"},
        {"plan.stages", NULL, "stages"},
    };
    lp_result_source_t source = {"run.json", 0};
    lp_result_t       *run = good_result(), *back = good_result();
    json_t            *object;
    char               text[1024];
    unsigned           i;
    int                rc;

    (void) state;

    for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        lp_result_conclude(run);
        object = lp_result_json(run);
        assert_non_null(object);
        spoil(object, broken[i].path,
              broken[i].value == NULL
                  ? NULL : json_loads(broken[i].value, JSON_DECODE_ANY, NULL));

        lp_result_reset(back);
        listen();
        rc = lp_result_take_json(&source, object, back);
        heard(text, sizeof(text));
        if (rc != -1 || strstr(text, broken[i].says) == NULL
            || strstr(text, "run.json") == NULL)
        {
            fail_msg("%s: %d: %s", broken[i].path, rc, text);
        }
        json_decref(object);
    }

    free(run);
    free(back);
}


static void
write_text(const char *text)
{
    assert_int_equal(lp_new_file(folder, "run.json", 0644, text,
                                 strlen(text)), 0);
}


static void
test_a_file_that_is_no_result_is_refused(void **state)
{
    lp_result_t *run = good_result();
    char         text[512], path[128];

    (void) state;

    snprintf(path, sizeof(path), "%s/run.json", folder);
    unlink(path);
    listen();
    assert_int_equal(lp_result_read(run, folder), -1);
    heard(text, sizeof(text));
    assert_non_null(strstr(text, "run.json: No such file"));

    write_text("{\"version\": 1, \"version\": 1}");
    listen();
    assert_int_equal(lp_result_read(run, path), -1);
    heard(text, sizeof(text));
    assert_non_null(strstr(text, "is no JSON"));

    write_text("[1]");
    listen();
    assert_int_equal(lp_result_read(run, folder), -1);
    heard(text, sizeof(text));
    assert_non_null(strstr(text, "holds no JSON object"));

    listen();
    assert_int_equal(lp_result_read(run, "/dev/zero"), -1);
    heard(text, sizeof(text));
    assert_non_null(strstr(text, "is no file"));

    write_text("{\"sentence\": \"\\u0000\"}");
    listen();
    assert_int_equal(lp_result_read(run, folder), -1);
    heard(text, sizeof(text));
    assert_non_null(strstr(text, "a text holds the character NUL"));
    free(run);
}


/* Reads what is a pipe nobody writes to, then a folder, in the place of name.
   What would wait for the pipe is ended by the alarm. */
static void
assert_no_file(const char *name, int (*reads)(void))
{
    const char *says[] = {"is no file, but a pipe", "is a folder"};
    char        text[512], path[128];
    unsigned    i;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (i = 0; i < 2; i++) {
        unlink(path);
        assert_int_equal(i == 0 ? mkfifo(path, 0600) : mkdir(path, 0700), 0);
        listen();
        alarm(30);
        assert_false(reads());
        alarm(0);
        heard(text, sizeof(text));
        assert_non_null(strstr(text, name));
        assert_non_null(strstr(text, says[i]));
    }
    assert_int_equal(rmdir(path), 0);
}


static int
reads_result(void)
{
    lp_result_t *run = malloc(sizeof(*run));
    int          rc = lp_result_read(run, folder);

    free(run);

    return rc == 0;
}


static int
reads_seconds(void)
{
    lp_seconds_reader_t *reader = lp_seconds_open(folder);

    lp_seconds_end(reader);

    return reader != NULL;
}


static int
reads_object(void)
{
    json_t *object;
    char    path[128];

    snprintf(path, sizeof(path), "%s/population.json", folder);
    object = lp_json_file_read(path, 1000);
    json_decref(object);

    return object != NULL;
}


static void
test_pipes_and_folders_are_not_waited_for(void **state)
{
    (void) state;

    assert_no_file("run.json", reads_result);
    assert_no_file("seconds.ndjson", reads_seconds);
    assert_no_file("population.json", reads_object);
}


static void
test_a_file_that_does_not_fit_leaves_the_old_one(void **state)
{
    const struct rlimit small = {16, RLIM_INFINITY};
    struct rlimit       before;
    char                text[512] = "", path[128];
    FILE               *file;
    int                 rc;

    (void) state;

    assert_int_equal(lp_new_file(folder, "f", 0644, "old", 3), 0);

    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    listen();
    setrlimit(RLIMIT_FSIZE, &small);
    rc = lp_new_file(folder, "f", 0644, "this is longer than 16 bytes", 28);
    setrlimit(RLIMIT_FSIZE, &before);
    dup2(kept, STDERR_FILENO);
    close(kept);
    fclose(said);

    assert_int_equal(rc, -1);
    snprintf(path, sizeof(path), "%s/f", folder);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_string_equal(text, "old");
    fclose(file);
    snprintf(path, sizeof(path), "%s/f.new", folder);
    assert_int_equal(access(path, F_OK), -1);
}


typedef struct {
    int64_t n;
    int     stop;
} taken_t;


static int
take(void *owner, const lp_second_t *second, double target)
{
    taken_t    *taken = owner;
    lp_second_t expected;

    good_second(&expected, second->second);
    assert_true(target == 99.5);
    assert_int_equal(second->second, 3 * taken->n);
    assert_memory_equal(&second->counts, &expected.counts,
                        sizeof(expected.counts));
    assert_memory_equal(&second->latency, &expected.latency,
                        sizeof(expected.latency));
    taken->n++;

    return taken->stop ? -1 : 0;
}


static void
test_seconds_are_read_back_as_they_were(void **state)
{
    lp_seconds_t seconds;
    lp_second_t  second;
    taken_t      taken = {0, 0};
    int64_t      i;

    (void) state;

    assert_int_equal(lp_seconds_create(&seconds, folder), 0);
    for (i = 0; i < 4; i++) {
        good_second(&second, 3 * i);
        assert_int_equal(lp_seconds_put(&seconds, &second, 99.5), 0);
    }
    assert_int_equal(lp_seconds_close(&seconds), 0);

    assert_int_equal(lp_seconds_read(folder, take, &taken), 0);
    assert_int_equal(taken.n, 4);

    taken = (taken_t) {0, 1};
    assert_int_equal(lp_seconds_read(folder, take, &taken), -1);
    assert_int_equal(taken.n, 1);
}


static void
assert_line_refused(const char *line, const char *says)
{
    lp_second_t second;
    double      target;
    char        text[512];
    int         rc;

    listen();
    rc = lp_second_parse("seconds.ndjson", 12, line, &second, &target);
    heard(text, sizeof(text));
    if (rc != -1 || strstr(text, "seconds.ndjson:12: ") == NULL
        || strstr(text, says) == NULL)
    {
        fail_msg("%s: %d: %s", line, rc, text);
    }
}


static void
test_a_broken_second_is_refused_with_its_line(void **state)
{
    (void) state;

    assert_line_refused("{\"second\": 1", "line: is cut off");
    assert_line_refused("{\"second\": 1\n", "line: is no JSON object");
    assert_line_refused("[]\n", "line: is no JSON object");
    assert_line_refused("{}\n", "second: is no whole number");
    assert_line_refused("{\"second\": -1}\n", "second: is no whole number");
    assert_line_refused("{\"second\": 1, \"target\": -1}\n",
                        "target: is no number");
    assert_line_refused("{\"second\": 1, \"target\": 1, \"latency\": \"3\"}\n",
                        "latency: is no histogram of 2 digits");
    assert_line_refused("{\"second\": 1, \"target\": 1,"
                        " \"latency\": \"2 0 0 0 0 0\"}\n",
                        "counts: is missing");
}


static void
test_engines_add_up(void **state)
{
    lp_score_t  *score = lp_score_create();
    lp_result_t *run = good_result();

    (void) state;

    assert_non_null(score);
    score->counts.scheduled = 5;
    score->missed_by_tool = 2;
    score->most_open = 7;
    lp_histogram_record(&score->schedule.h, 123);
    lp_result_take(run, score);
    lp_result_take(run, score);

    assert_int_equal(run->counts.scheduled, 1010);
    assert_int_equal(run->missed_by_tool, 4);
    assert_int_equal(run->most_open, 26);
    assert_int_equal(run->schedule.h.total, 1002);
    assert_int_equal(run->schedule.h.min, 123);
    lp_score_destroy(score);
    free(run);
}


/* The example of Wilcoxon's paper has other numbers; these are worked out by
   hand: ranks 1 to 5, the second negative; 13 above, 7.5 expected, variance
   13.75. */
static void
test_signed_ranks(void **state)
{
    double   a[] = {1, 9, 1, 1, 1, 4}, b[] = {2, 7, 4, 5, 6, 4};
    double   same[] = {1, 2, INFINITY}, other[] = {1, 2, INFINITY};
    double   tied_a[] = {0, 0, 0, 0}, tied_b[] = {1, 1, -1, 1};
    unsigned n = 6;

    (void) state;

    assert_true(fabs(lp_signed_ranks(a, b, &n) - 5.5 / sqrt(13.75)) < 1e-9);
    assert_int_equal(n, 5);

    n = 3;
    assert_true(lp_signed_ranks(same, other, &n) == 0);
    assert_int_equal(n, 0);

    /* four ties: ranks of 2.5, variance 7.5 - 60/48 */
    n = 4;
    assert_true(fabs(lp_signed_ranks(tied_a, tied_b, &n) - 2.5 / sqrt(6.25))
                < 1e-9);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_result_is_read_back_as_it_was),
        cmocka_unit_test(test_what_is_broken_is_refused_by_its_name),
        cmocka_unit_test(test_a_file_that_is_no_result_is_refused),
        cmocka_unit_test(test_pipes_and_folders_are_not_waited_for),
        cmocka_unit_test(test_a_file_that_does_not_fit_leaves_the_old_one),
        cmocka_unit_test(test_seconds_are_read_back_as_they_were),
        cmocka_unit_test(test_a_broken_second_is_refused_with_its_line),
        cmocka_unit_test(test_engines_add_up),
        cmocka_unit_test(test_signed_ranks),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
