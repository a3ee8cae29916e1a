/*
 * GET /problem?code=&lang=&in=: the page of a support code once more, in the
 * other language or for whom it is read out to. All of it stands in the code;
 * "in" is the platform in whose frame the other one stood.
 */

#include "../core/support_code.h"
#include "sso.h"

#define CODE_MAX 64 /* bytes, as people type it: with blanks */

void
lp_visit_problem_page(lp_visit_t *visit)
{
    lp_support_code_t code;
    lp_page_look_t    look;
    const lp_platform_t *platform;
    char              text[CODE_MAX + 1], name[LP_CONF_LABEL_MAX + 1];

    if (lp_request_query(&visit->request, "code", text, sizeof(text)) != 0
        || lp_support_code_read(&code, lp_span_of(text)) != 0) {
        lp_visit_problem(visit, LP_PROBLEM_NOT_FOUND, 0, lp_span(""));
        return;
    }
    memset(&look, 0, sizeof(look));
    look.houses = visit->sso->houses;
    if (lp_request_query(&visit->request, "in", name, sizeof(name)) == 0) {
        platform = lp_platform_by_name(lp_platform_list(visit->sso->platforms),
                                       lp_span_of(name));
        if (platform != NULL) {
            look.platform = platform->name;
            look.frames = platform->frames;
        }
    }
    lp_answer_problem_again(&visit->request, &look, &code);
}
