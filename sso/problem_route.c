/*
 * GET /problem?code=&lang=&in=&again=: the page of a support code once more, in
 * the other language or for whom it is read out to. What it says stands in the
 * code; "in" is the platform in whose frame the other one stood, "again" where
 * its button led.
 */

#include "../core/support_code.h"
#include "sso.h"

#define CODE_MAX  64   /* bytes, as people type it: with blanks */
#define AGAIN_MAX 4096 /* bytes */
#define N_PLACES  4

static lp_span_t read_again(const lp_request_t *request, char *dst);

void
lp_visit_problem_page(lp_visit_t *visit)
{
    lp_support_code_t    code;
    lp_page_look_t       look;
    const lp_platform_t *platform;
    char                 text[CODE_MAX + 1], name[LP_CONF_LABEL_MAX + 1];
    char                 again[AGAIN_MAX + 1];

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
    lp_answer_problem_again(&visit->request, &look, &code,
                            read_again(&visit->request, again));
}

/* The page may go there by itself: so it is the sign-in, the end of one, or a
   worker's page, which look at what stands behind the question mark. */
static lp_span_t
read_again(const lp_request_t *request, char *dst)
{
    static const char *const places[] = {"/sso/login", "/sso/logout", "/",
                                         "/code"};
    lp_span_t                nothing = {NULL, 0};
    const char              *p;
    size_t                   len;
    unsigned                 i;

    if (lp_request_query(request, "again", dst, AGAIN_MAX + 1) != 0) {
        return nothing;
    }
    for (p = dst; *p > ' ' && *p < 0x7f; p++) { }
    for (i = 0; *p == '\0' && i < N_PLACES; i++) {
        len = strlen(places[i]);
        if (strncmp(dst, places[i], len) == 0
            && (dst[len] == '\0' || dst[len] == '?')) {
            return lp_span_of(dst);
        }
    }
    return nothing;
}
