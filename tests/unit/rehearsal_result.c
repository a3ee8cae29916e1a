/*
 * A run that went well, made by hand.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rehearsal_result.h"

static const char plan[] =
    "{\"name\": \"small\", \"stages\": [{\"shape\": \"constant\","
    " \"seconds\": 10, \"rate\": 100}], \"thresholds\": {\"p99_ms\": 50}}";


lp_result_t *
good_result(void)
{
    lp_result_t *result = malloc(sizeof(*result));
    lp_second_t  second;
    int64_t      i;

    assert_non_null(result);
    lp_result_reset(result);
    assert_int_equal(lp_plan_parse(&result->plan, plan, strlen(plan), "plan"),
                     0);
    result->population_seed = 7;
    result->pupils = 1000;
    result->products = 50;
    result->engines = 1;
    result->seconds = 10;
    result->most_open = 12;
    snprintf(result->target, sizeof(result->target), "http://127.0.0.1:80");
    snprintf(result->started, sizeof(result->started), "2026-08-20T06:15:00Z");
    snprintf(result->machine, sizeof(result->machine), "2 cores");

    for (i = 0; i < 10; i++) {
        good_second(&second, i);
        lp_counts_add(&result->counts, &second.counts);
    }
    for (i = 0; i < 1000; i++) {
        lp_histogram_record(&result->schedule.h, 1000 + i * 9);
        lp_histogram_record(&result->service.h, 900 + i * 9);
        lp_histogram_record(&result->slip.h, 20);
    }

    return result;
}


void
good_second(lp_second_t *second, int64_t number)
{
    int64_t i;

    memset(second, 0, sizeof(*second));
    lp_histogram_reset(&second->latency.h, LP_COARSE);
    second->second = number;
    second->counts.scheduled = 100;
    second->counts.sent = 100;
    second->counts.ended[LP_END_RIGHT] = 100;
    second->counts.outcome[LP_REDIRECT] = 90;
    second->counts.outcome[LP_NO_RIGHT] = 10;
    for (i = 0; i < 100; i++) {
        lp_histogram_record(&second->latency.h, 1000 + i * 90);
    }
}
