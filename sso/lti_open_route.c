/*
 * GET /lti/open/<once>: the window that a link in a platform's frame opened.
 * What the launch came to waits there, for one window and five minutes.
 */

#include "lti_answer.h"

static int read_document(const json_t *document, lp_who_t *who,
                         lp_span_t *click);

void
lp_visit_lti_open(lp_visit_t *visit)
{
    lp_who_t  who;
    lp_span_t click;
    json_t   *document;
    int       found;

    if (lp_lti_window_again(visit, LP_ONCE_OPEN)) {
        return;
    }
    found = lp_once_get(visit->sso, LP_ONCE_OPEN, lp_lti_secret(visit), 1,
                        &document);
    if (found < 0) {
        lp_lti_unavailable(visit, NULL);
    } else if (found == 0 || read_document(document, &who, &click) != 0) {
        lp_lti_problem(visit, NULL, (lp_span_t) {NULL, 0},
                       LP_PROBLEM_LAUNCH_OLD, 0);
    } else {
        lp_lti_click(visit, NULL, &who, click);
        lp_who_wipe(&who);
    }
    json_decref(document);
}

static int
read_document(const json_t *document, lp_who_t *who, lp_span_t *click)
{
    const json_t *text = json_object_get(document, "click");

    *click = (lp_span_t) {json_string_value(text), json_string_length(text)};
    return click->len > 0
                   && lp_who_from_json(who, json_object_get(document, "who"))
                          == 0
               ? 0 : -1;
}
