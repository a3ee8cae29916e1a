/*
 * Protects the bounds of what waits: so many visits altogether, behind one
 * provider no more than places are left, and who waits already needs no second
 * place.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/visits.h"

static lp_visits_t visits;
static lp_sso_t    sso;
static lp_visit_t  some[LP_VISITS_MAX + 1];
static int         provider[8];

static int
begin(void **state)
{
    unsigned i;

    (void) state;

    memset(&visits, 0, sizeof(visits));
    memset(some, 0, sizeof(some));
    sso.visits = &visits;
    for (i = 0; i <= LP_VISITS_MAX; i++) {
        some[i].sso = &sso;
    }
    return 0;
}


static void
test_one_provider_gets_half_of_the_places(void **state)
{
    unsigned i;

    (void) state;

    for (i = 0; i < LP_VISITS_MAX / 2; i++) {
        assert_int_equal(lp_visit_wait(&some[i], &provider[0], 1000), 0);
    }
    assert_int_equal(lp_visit_wait(&some[i], &provider[0], 1000), -1);
    assert_false(some[i].waiting);
    assert_int_equal(lp_visit_wait(&some[i], &provider[1], 1000), 0);
    assert_int_equal(visits.n, LP_VISITS_MAX / 2 + 1);
}


static void
test_several_that_hang_leave_room_for_another(void **state)
{
    unsigned i, n = 0;

    (void) state;

    for (i = 0; i < LP_VISITS_MAX; i++) {
        n += lp_visit_wait(&some[i], &provider[i % 2], 1000) == 0;
    }
    assert_in_range(n, LP_VISITS_MAX / 2 + 1, LP_VISITS_MAX * 2 / 3 + 1);

    /* one after the other, none of which ever answers */
    begin(state);
    for (i = 0, n = 0; n < 7; n++) {
        while (lp_visit_wait(&some[i], &provider[n], 1000) == 0) {
            i++;
        }
    }
    assert_true(i < LP_VISITS_MAX);
    assert_int_equal(lp_visit_wait(&some[i], &provider[n], 1000), 0);
}


static void
test_all_of_them_get_no_more_than_there_are(void **state)
{
    unsigned i;

    (void) state;

    for (i = 0; i < LP_VISITS_MAX; i++) {
        assert_int_equal(lp_visit_wait(&some[i], &some[i], 1000), 0);
    }
    assert_int_equal(lp_visit_wait(&some[i], &provider[2], 1000), -1);
    assert_int_equal(visits.n, LP_VISITS_MAX);
}


static void
test_who_waits_on_keeps_the_place(void **state)
{
    int64_t  now = lp_visit_clock();
    unsigned i;

    (void) state;

    for (i = 0; i < LP_VISITS_MAX / 2; i++) {
        assert_int_equal(lp_visit_wait(&some[i], &provider[0], 1000), 0);
    }
    assert_int_equal(lp_visit_wait(&some[0], &provider[0], 60000), 0);
    assert_true(some[0].deadline >= now + 60000);
    assert_int_equal(visits.n, LP_VISITS_MAX / 2);
    assert_int_equal(lp_visit_wait(&some[0], &provider[1], 1000), 0);
    assert_int_equal(visits.n, LP_VISITS_MAX / 2);
    assert_int_equal(lp_visit_wait(&some[i], &provider[0], 1000), 0);
}


static unsigned ticks;

static void
count_tick(lp_visit_t *visit)
{
    (void) visit;
    ticks++;
}

static void
wait_on(lp_visit_t *visit)
{
    lp_visit_wait(visit, visit->behind, 60000);
    ticks += 1000;
}


static void
test_those_whose_time_has_come_are_called(void **state)
{
    (void) state;

    ticks = 0;
    some[0].on_tick = count_tick;
    some[1].on_late = wait_on;
    assert_int_equal(lp_visit_wait(&some[0], &provider[0], 60000), 0);
    assert_int_equal(lp_visit_wait(&some[1], &provider[0], 0), 0);
    lp_visits_look(&visits);
    assert_int_equal(ticks, 1001);
    lp_visits_look(&visits); /* at once: no tick */
    assert_int_equal(ticks, 1001);
    visits.next_tick = 0;
    lp_visits_look(&visits);
    assert_int_equal(ticks, 1002);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_provider_gets_half_of_the_places,
                               begin),
        cmocka_unit_test_setup(test_several_that_hang_leave_room_for_another,
                               begin),
        cmocka_unit_test_setup(test_all_of_them_get_no_more_than_there_are,
                               begin),
        cmocka_unit_test_setup(test_who_waits_on_keeps_the_place, begin),
        cmocka_unit_test_setup(test_those_whose_time_has_come_are_called,
                               begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
