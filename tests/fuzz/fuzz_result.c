/*
 * Results from another machine: run.json where the input begins with a brace
 * and has line breaks within, else a line of seconds.ndjson, else the text of
 * a histogram. What is taken can be written, and what was written is read back
 * as the same; its figures can be asked for.
 */

#include <math.h>
#include <stdio.h>

#include "../../loadtest/result_members.h"
#include "../../loadtest/verdict.h"
#include "must.h"

static void check_result(const char *text, size_t len);
static void check_result_again(const lp_result_t *result);
static void check_second(const char *line);
static void check_histogram(const char *text);
static void check_figures(const lp_histogram_t *histogram);
static void must_be_same(const lp_histogram_t *a, const lp_histogram_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static FILE *nowhere;
    char        *text;

    /* refusals are many, and not looked at */
    if (nowhere == NULL) {
        nowhere = fopen("/dev/null", "w");
        must(nowhere != NULL);
        stderr = nowhere;
    }

    text = malloc(len + 2);
    must(text != NULL);
    if (len > 0) {
        memcpy(text, bytes, len);
    }
    text[len] = '\0';

    check_result(text, len);
    check_histogram(text);
    text[len] = '\n';
    text[len + 1] = '\0';
    check_second(text);
    free(text);

    return 0;
}


static void
check_result(const char *text, size_t len)
{
    static lp_result_t       result;
    const lp_result_source_t source = {"run.json", 0};
    json_t                  *object;
    char                     why[256];

    object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    lp_result_reset(&result);

    if (json_is_object(object)
        && lp_result_take_json(&source, object, &result) == 0)
    {
        check_result_again(&result);
        check_figures(&result.schedule.h);

        lp_result_hopeless(&result, why, sizeof(why));
        lp_result_conclude(&result);
        must(memchr(result.conclusion.sentence, '\0',
                    sizeof(result.conclusion.sentence)) != NULL);
        must(result.conclusion.n_checks <= LP_CHECKS_MAX);
        lp_result_print(&result, stderr);
    }

    json_decref(object);
}


static void
check_result_again(const lp_result_t *result)
{
    static lp_result_t       again;
    const lp_result_source_t source = {"run.json", 0};
    json_t                  *object = lp_result_json(result);

    must(object != NULL);
    lp_result_reset(&again);
    must(lp_result_take_json(&source, object, &again) == 0);
    must(memcmp(&again.counts, &result->counts, sizeof(again.counts)) == 0);
    must_be_same(&again.schedule.h, &result->schedule.h);
    must(strcmp(again.conclusion.sentence, result->conclusion.sentence) == 0);
    must(again.n_marks == result->n_marks);
    json_decref(object);
}


static void
check_second(const char *line)
{
    static lp_second_t second;
    double             target;

    if (lp_second_parse("seconds.ndjson", 1, line, &second, &target) == 0) {
        must(second.second >= 0 && target >= 0);
        check_figures(&second.latency.h);
        must(lp_second_quantile_ms(&second, 0.5)
             <= lp_second_quantile_ms(&second, 0.99));
    }
}


static void
check_histogram(const char *text)
{
    static lp_fine_t   fine, again;
    static lp_coarse_t coarse;
    char              *written = NULL;
    size_t             len;
    FILE              *stream;

    lp_histogram_reset(&fine.h, LP_FINE);
    lp_histogram_reset(&again.h, LP_FINE);
    lp_histogram_reset(&coarse.h, LP_COARSE);

    if (lp_histogram_read(&fine.h, text) == 0) {
        check_figures(&fine.h);
        lp_histogram_add(&coarse.h, &fine.h);
        must(coarse.h.total == fine.h.total);

        stream = open_memstream(&written, &len);
        must(stream != NULL);
        must(lp_histogram_write(&fine.h, stream) == 0);
        fclose(stream);
        must(lp_histogram_read(&again.h, written) == 0);
        must_be_same(&again.h, &fine.h);
        free(written);
    } else {
        must(fine.h.total == 0);
    }

    if (lp_histogram_read(&coarse.h, text) == 0) {
        check_figures(&coarse.h);
    }
}


static void
check_figures(const lp_histogram_t *histogram)
{
    uint64_t sum = 0;
    uint32_t i;

    for (i = 0; i < histogram->n_buckets; i++) {
        sum += histogram->bucket[i];
    }
    must(sum == histogram->total);
    must(histogram->max <= LP_HISTOGRAM_HIGHEST);
    must(lp_histogram_quantile(histogram, 0.5)
         <= lp_histogram_quantile(histogram, 0.99));
    must(lp_histogram_quantile(histogram, 1) <= histogram->max);
    must(lp_histogram_above(histogram, -1) == histogram->total);
    must(isfinite(lp_histogram_mean(histogram)));
    must(isfinite(lp_histogram_deviation(histogram)));
}


static void
must_be_same(const lp_histogram_t *a, const lp_histogram_t *b)
{
    must(a->n_buckets == b->n_buckets && a->total == b->total);
    must(a->min == b->min && a->max == b->max);
    must(!(a->sum < b->sum || a->sum > b->sum));
    must(!(a->squares < b->squares || a->squares > b->squares));
    must(memcmp(a->bucket, b->bucket, a->n_buckets * sizeof(a->bucket[0]))
         == 0);
}
