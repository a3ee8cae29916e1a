/*
 * What clients were told, in a mapped file: bits and counters, several writers,
 * and files that are not of this population.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../loadtest/told.h"

#define WRITERS 4
#define TIMES   20000

typedef struct {
    char             folder[64];
    lp_population_t *population;
} bed_t;

static lp_census_t
census(void)
{
    lp_census_t found = {.seed = 7, .pupils = 100, .products = 30,
                         .zipf = 1.0, .day = 20260901};

    memcpy(found.algs, "ES256", sizeof("ES256"));
    found.share[LP_HOLD_SET] = 0.1;

    return found;
}

static int
set_up(void **state)
{
    static bed_t bed;
    lp_census_t  of = census();

    snprintf(bed.folder, sizeof(bed.folder), "/tmp/leerpoort-told-XXXXXX");
    bed.population = lp_population_of(&of);
    *state = &bed;

    return mkdtemp(bed.folder) == NULL || bed.population == NULL;
}

static void
path_of(const bed_t *bed, char *dst, size_t size)
{
    snprintf(dst, size, "%s/" LP_TOLD_FILE, bed->folder);
}

static int
tear_down(void **state)
{
    bed_t *bed = *state;
    char   path[128];

    path_of(bed, path, sizeof(path));
    (void) unlink(path);
    lp_population_close(bed->population);

    return rmdir(bed->folder);
}

static void
test_bits_and_counters_are_their_own(void **state)
{
    bed_t     *bed = *state;
    lp_told_t *told = lp_told_create(bed->folder, bed->population);
    uint32_t   n = lp_population_members(bed->population), i;
    unsigned   slot;

    assert_non_null(told);
    lp_told_ask(told, 0, 0);
    lp_told_ask(told, n - 1, LP_SHELF - 1);
    lp_told_answer(told, n - 1, LP_SHELF - 1, 29);
    lp_told_answer(told, n - 1, LP_SHELF - 1, 29);
    lp_told_unheard(told, 0);
    lp_told_close(told);

    told = lp_told_open(bed->folder, bed->population);
    assert_non_null(told);
    for (i = 0; i < n; i++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            assert_int_equal(lp_told_asked(told, i, slot),
                             (i == 0 && slot == 0)
                                 || (i == n - 1 && slot == LP_SHELF - 1));
            assert_int_equal(lp_told_answered(told, i, slot),
                             i == n - 1 && slot == LP_SHELF - 1);
        }
    }
    assert_int_equal(lp_told_product(told, 29)->redirects, 2);
    assert_int_equal(lp_told_product(told, 29)->unheard, 0);
    assert_int_equal(lp_told_product(told, 0)->redirects, 0);
    assert_int_equal(lp_told_product(told, 0)->unheard, 1);
    lp_told_close(told);
}

/* All write the same words. */
static void
test_several_engines_lose_nothing(void **state)
{
    bed_t     *bed = *state;
    lp_told_t *told = lp_told_create(bed->folder, bed->population);
    unsigned   i, j;
    int        status;

    assert_non_null(told);
    for (i = 0; i < WRITERS; i++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            for (j = 0; j < TIMES; j++) {
                lp_told_ask(told, 1, i);
                lp_told_answer(told, 1, i, 3);
                lp_told_unheard(told, 4);
            }
            _exit(0);
        }
    }
    for (i = 0; i < WRITERS; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }

    for (i = 0; i < LP_SHELF; i++) {
        assert_int_equal(lp_told_answered(told, 1, i), i < WRITERS);
    }
    assert_int_equal(lp_told_product(told, 3)->redirects, WRITERS * TIMES);
    assert_int_equal(lp_told_product(told, 4)->unheard, WRITERS * TIMES);
    lp_told_close(told);
}

static void
test_a_run_of_other_people_is_refused(void **state)
{
    bed_t           *bed = *state;
    lp_told_t       *told = lp_told_create(bed->folder, bed->population);
    lp_census_t      others[7];
    lp_population_t *population;
    unsigned         i;

    assert_non_null(told);
    lp_told_close(told);
    for (i = 0; i < 7; i++) {
        others[i] = census();
    }
    others[0].seed++;
    others[1].pupils++;
    others[2].products++;
    others[3].day++;
    others[4].zipf = 0.9;
    others[5].share[LP_HOLD_SET] = 0.11;
    others[6].algs[0] = 'P';

    for (i = 0; i < 7; i++) {
        population = lp_population_of(&others[i]);
        assert_non_null(population);
        assert_null(lp_told_open(bed->folder, population));
        lp_population_close(population);
    }
}

static void
test_a_broken_file_is_refused(void **state)
{
    bed_t      *bed = *state;
    lp_told_t  *told = lp_told_create(bed->folder, bed->population);
    char        path[128];
    struct stat st;

    assert_non_null(told);
    lp_told_close(told);
    path_of(bed, path, sizeof(path));
    assert_int_equal(stat(path, &st), 0);

    assert_int_equal(truncate(path, st.st_size - 1), 0);
    assert_null(lp_told_open(bed->folder, bed->population));
    assert_int_equal(truncate(path, st.st_size + 1), 0);
    assert_null(lp_told_open(bed->folder, bed->population));
    assert_int_equal(truncate(path, 11), 0);
    assert_null(lp_told_open(bed->folder, bed->population));
    assert_int_equal(truncate(path, 0), 0);
    assert_null(lp_told_open(bed->folder, bed->population));
    assert_int_equal(unlink(path), 0);
    assert_null(lp_told_open(bed->folder, bed->population));
}

/* The limit of a file's size stands for the disk: nothing of it is left. */
static void
test_a_full_disk_is_said_before_the_run(void **state)
{
    bed_t        *bed = *state;
    struct rlimit was, small;
    struct stat   st;
    char          path[128];

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 100;
    (void) signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_null(lp_told_create(bed->folder, bed->population));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);

    path_of(bed, path, sizeof(path));
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(errno, ENOENT);
}

static void
test_shards_add_up(void **state)
{
    static const char *const names[] = {"a", "b"};
    bed_t      *bed = *state;
    char        folder[2][80], path[256];
    const char *runs[] = {folder[0], folder[1]};
    lp_told_t  *told[2], *sum;
    unsigned    i;

    for (i = 0; i < 2; i++) {
        snprintf(folder[i], sizeof(folder[i]), "%s/%s", bed->folder, names[i]);
        assert_int_equal(mkdir(folder[i], 0700), 0);
        told[i] = lp_told_create(folder[i], bed->population);
        assert_non_null(told[i]);
        lp_told_answer(told[i], 1, 1, 1);
    }
    lp_told_ask(told[1], 1, 2);
    lp_told_unheard(told[1], 5);
    lp_told_close(told[0]);
    lp_told_close(told[1]);

    assert_int_equal(lp_told_add_up(bed->folder, runs, 2), 0);
    sum = lp_told_open(bed->folder, bed->population);
    assert_non_null(sum);
    assert_int_equal(lp_told_product(sum, 1)->redirects, 2);
    assert_int_equal(lp_told_product(sum, 5)->unheard, 1);
    assert_true(lp_told_answered(sum, 1, 1));
    assert_false(lp_told_asked(sum, 1, 1));
    assert_true(lp_told_asked(sum, 1, 2));
    lp_told_close(sum);

    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/" LP_TOLD_FILE, folder[i]);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder[i]), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bits_and_counters_are_their_own,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several_engines_lose_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_of_other_people_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_broken_file_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_full_disk_is_said_before_the_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shards_add_up, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
