/*
 * The header Refresh, and the same as a link. What is in the URL may be an
 * id_token or the state of a sign-in: it is wiped.
 */

#include "lead_on.h"

#include <openssl/crypto.h>

#include "../core/text.h"

#define BODY_MAX (6 * LP_LEAD_URL_MAX + 4096) /* the URL escaped */

void
lp_lead_on(lp_visit_t *visit, lp_span_t school, const lp_lead_t *lead,
           lp_span_t url)
{
    static char    bytes[BODY_MAX], refresh[LP_LEAD_URL_MAX + 16];
    lp_page_look_t look = {.houses = visit->sso->houses, .school = school};
    lp_text_t      body = lp_text_in(bytes, sizeof(bytes));
    lp_text_t      header = lp_text_in(refresh, sizeof(refresh));

    lp_text_add(&header, lp_span("0;url="));
    lp_text_add(&header, url);
    lp_text_paragraph(&body, lead->text);
    lp_text_add(&body, lp_span("<p><a class=\"button\" href=\""));
    lp_text_html(&body, url);
    lp_text_add(&body, lp_span("\">"));
    lp_text_html(&body, lp_span_of(lead->link));
    lp_text_add(&body, lp_span("</a></p>\n"));
    if (lead->more != NULL) {
        lp_text_paragraph(&body, lead->more);
    }
    if (body.full || header.full
        || lp_answer_header(&visit->request, "Refresh", lp_text_span(&header))
               != 0) {
        lp_visit_problem(visit, lp_problem_of(LP_UNAVAILABLE), 0,
                         lp_span(""));
    } else {
        lp_answer_page(&visit->request, 200, &look, lp_span_of(lead->title),
                       lp_text_span(&body));
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(refresh, sizeof(refresh));
}
