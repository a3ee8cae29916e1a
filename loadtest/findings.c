/*
 * The first ones are enough to begin with: what is wrong a thousand times is
 * mostly wrong in one way.
 */

#include "findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../workers/say.h"
#include "figure.h"

static const struct {
    const char *name; /* in JSON */
    const char *one, *many;
} kinds[LP_FOUND_KINDS] = {
    [LP_FOUND_LOST] = {"lost", "lost licence", "lost licences"},
    [LP_FOUND_EXTRA] = {"extra", "licence or right out of nowhere",
                        "licences or rights out of nowhere"},
    [LP_FOUND_CHANGED] = {"changed", "right that changed",
                          "rights that changed"},
    [LP_FOUND_RECORD] = {"record", "record that differs from its right",
                         "records that differ from their right"},
    [LP_FOUND_OPEN] = {"open", "open right with a wrong count",
                       "open rights with a wrong count"},
    [LP_FOUND_JOURNAL] = {"journal", "journal record too many or too few",
                          "journal records too many or too few"},
    [LP_FOUND_USAGE] = {"usage", "product with wrong usage",
                        "products with wrong usage"},
};

void
lp_find(lp_findings_t *findings, lp_found_t kind, const char *format, ...)
{
    va_list args;

    findings->count[kind]++;
    findings->all++;
    if (findings->n == LP_FINDINGS_TOLD) {
        return;
    }

    va_start(args, format);
    vsnprintf(findings->text[findings->n++], LP_FINDING_MAX, format, args);
    va_end(args);
}

void
lp_findings_say(const lp_findings_t *findings)
{
    unsigned i;

    for (i = 0; i < LP_FOUND_KINDS; i++) {
        if (findings->count[i] > 0) {
            lp_say("%" PRIu64 " %s", findings->count[i],
                   lp_figure_noun(findings->count[i], kinds[i].one,
                                  kinds[i].many));
        }
    }
    for (i = 0; i < findings->n; i++) {
        lp_say("  %s", findings->text[i]);
    }
    if (findings->all > findings->n) {
        lp_say("  and %" PRIu64 " more",
               findings->all - (uint64_t) findings->n);
    }
}

json_t *
lp_findings_json(const lp_findings_t *findings)
{
    json_t  *json = json_object(), *first = json_array();
    unsigned i;
    int      rc = 0;

    for (i = 0; i < LP_FOUND_KINDS; i++) {
        rc |= json_object_set_new(json, kinds[i].name,
                                  json_integer(
                                      (json_int_t) findings->count[i]));
    }
    for (i = 0; i < findings->n; i++) {
        rc |= json_array_append_new(first, json_string(findings->text[i]));
    }
    rc |= json_object_set_new(json, "first", first);
    if (rc != 0) {
        json_decref(json);
        return NULL;
    }

    return json;
}
