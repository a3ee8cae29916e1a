/*
 * GET /problem?code=&lang=: the page of a support code once more, in the other
 * language or for whom it is read out to. All of it stands in the code.
 */

#include "../core/support_code.h"
#include "sso.h"

#define CODE_MAX 64 /* bytes, as people type it: with blanks */

void
lp_visit_problem_page(lp_visit_t *visit)
{
    lp_support_code_t code;
    lp_page_look_t    look;
    char              text[CODE_MAX + 1];

    if (lp_request_query(&visit->request, "code", text, sizeof(text)) != 0
        || lp_support_code_read(&code, lp_span_of(text)) != 0) {
        lp_visit_problem(visit, LP_PROBLEM_NOT_FOUND, 0, lp_span(""));
        return;
    }
    memset(&look, 0, sizeof(look));
    look.houses = visit->sso->houses;
    lp_answer_problem_again(&visit->request, &look, &code);
}
