/*
 * A plan from whatever is in a file. One that is taken can be drawn, stretched
 * and written out, and is the same when it is read again; its curve never
 * falls, and its inverse agrees with it. One that is refused is refused in one
 * line that a terminal can't obey.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../loadtest/plan.h"
#include "../../loadtest/plan_fields.h"
#include "../../loadtest/plan_words.h"
#include "../../loadtest/segments.h"
#include "must.h"

#define LOOKS 50

static lp_plan_t plan, again;

static int parse(lp_plan_t *into, const char *text, size_t len);
static void write_and_read(void);
static void follow_curve(void);
static void draw(void);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_plan_fault_t fault;

    if (parse(&plan, (const char *) bytes, len) != 0) {
        return 0;
    }

    must(lp_plan_check(&plan, &fault) == 0);
    write_and_read();
    follow_curve();
    draw();

    return 0;
}


/* What is said meanwhile is caught and looked at. */
static int
parse(lp_plan_t *into, const char *text, size_t len)
{
    char   said[2048] = "";
    size_t i, n;
    FILE  *kept = stderr, *stream = fmemopen(said, sizeof(said), "w");
    int    rc;

    must(stream != NULL);
    stderr = stream;
    rc = lp_plan_parse(into, text, len, "fuzz");
    stderr = kept;
    must(fclose(stream) == 0);

    n = strlen(said);
    must((rc == 0) == (n == 0));
    must(n < sizeof(said) - 1);
    for (i = 0; i < n; i++) {
        must((said[i] >= 0x20 && said[i] < 0x7f)
             || (said[i] == '\n' && i == n - 1));
    }

    return rc;
}


static void
write_and_read(void)
{
    json_t *json = lp_plan_json(&plan), *second;
    char   *text;

    must(json != NULL);
    text = json_dumps(json, 0);
    must(text != NULL && parse(&again, text, strlen(text)) == 0);
    second = lp_plan_json(&again);
    must(json_equal(json, second));
    free(text);
    json_decref(second);
    json_decref(json);
}


static void
follow_curve(void)
{
    lp_segments_t       segments;
    lp_segments_place_t place = {0, 0};
    double              end = lp_plan_seconds(&plan), last = 0, now, t, moment;
    double              total = lp_plan_clicks(&plan, end);
    unsigned            i;

    must(isfinite(total) && total >= 0);
    must(lp_plan_peak(&plan) <= LP_RATE_MAX * 1.001);
    must(lp_segments_make(&segments, &plan, 1, 1, 0, 0) == 0);

    for (i = 0; i <= LOOKS; i++) {
        t = end * i / LOOKS;
        now = lp_plan_clicks(&plan, t);
        must(now >= last - 1e-6 * (1 + total));
        must(fabs(lp_segments_clicks(&segments, t) - now)
             <= 1e-6 * (1 + total));
        last = now;

        moment = lp_segments_moment(&segments, total * i / LOOKS, &place);
        must(isinf(moment)
             || fabs(lp_plan_clicks(&plan, moment) - total * i / LOOKS)
                    <= 1e-6 * (1 + total));
        must(lp_plan_expected(&plan, t) >= -1e-6 * (1 + total));
    }

    lp_segments_free(&segments);
}


static void
draw(void)
{
    FILE *out = fopen("/dev/null", "w");

    must(out != NULL);
    lp_plan_explain(&plan, out);
    fclose(out);
}
