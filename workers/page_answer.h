/*
 * Pages as answers of a worker: the frame of core/page.h with the headers that
 * belong to it.
 */

#ifndef LP_PAGE_ANSWER_H
#define LP_PAGE_ANSWER_H

#include "../core/page.h"
#include "../core/support_code.h"
#include "service.h"

typedef struct {
    const lp_houses_t *houses;
    lp_span_t          school; /* whose house style; len 0: the default */
    lp_span_t          frames; /* who may frame it; len 0: nobody */
    lp_span_t          forms;  /* where its forms may go beside this site */
    int                posts;  /* it has a form for this site that looks at
                                  the header Origin: browsers send "null" from
                                  a page with no-referrer, so that such a page
                                  says same-origin (Fetch, section 3.2) */
    lp_span_t          other;  /* where it answers a form: behind what "lang=en"
                                  is the page in English, or the form; len 0: it
                                  has no link to the other language */
    lp_span_t          platform; /* whose frames may show it: the page of its
                                    support code too; len 0: nobody's */
} lp_page_look_t;

/* The language of a request: the query's lang, the cookie, the header. */
lp_language_t lp_request_language(const lp_request_t *request);

/*
 * Sends a page of one's own: status, CSP, nosniff, no-store, no-referrer.
 * The link to the other language is this request's own URI with lang= where it
 * is a GET, else the look's. A choice of language in the query is kept in a
 * cookie. Headers (Set-Cookie) may have been added before.
 */
void lp_answer_page(lp_request_t *request, int http,
                    const lp_page_look_t *look, lp_span_t title,
                    lp_span_t body);

/*
 * Sends the page of a problem with its status and a support code, which goes
 * into the header Leerpoort-Code too, for nginx's log; Edu-V's form where JSON
 * is asked for. reason: an lp_jose_error_t, 0: none. again: href, len 0: none.
 * Where trying again may help: Retry-After, and for people Refresh with jitter.
 * Its language switch is /problem?code=CODE&lang=en, which shows it again; with
 * in=PLATFORM where a platform's frames may show it, with again=HREF where it
 * has one.
 */
void lp_answer_problem(lp_request_t *request, const lp_page_look_t *look,
                       lp_problem_t problem, unsigned reason,
                       lp_span_t again);

/* The same page once more, under the code that it has: what /problem shows. It
   is no new problem, and gets no line in the log. again: a path of this site.
   */
void lp_answer_problem_again(lp_request_t *request, const lp_page_look_t *look,
                             const lp_support_code_t *code, lp_span_t again);

/* 405: the page of a link that is wrong, as the edge has it of a click, and
   what may be sent, "GET, HEAD". */
void lp_answer_method(lp_request_t *request, const lp_page_look_t *look,
                      const char *methods);

/* Adds a Set-Cookie header: HttpOnly, Path=/, SameSite as given; __Host- and
   Secure where secure. max_age -1: for the browser's session; 0: removes. */
typedef struct {
    const char *name;      /* "leerpoort"; __Host- is put before it */
    lp_span_t   value;
    int64_t     max_age;
    const char *same_site; /* "Lax", "None" */
    int         secure;    /* the site is https */
    int         partitioned;
} lp_set_cookie_t;

int lp_answer_cookie(lp_request_t *request, const lp_set_cookie_t *cookie);

/* The value of a cookie of the request by the same rule; data NULL: none. Of
   several the first. */
lp_span_t lp_request_cookie(const lp_request_t *request, const char *name,
                            int secure);

/* 303 to a path of this site, or a URL that is known to be safe. */
void lp_answer_redirect(lp_request_t *request, lp_span_t location);

/*
 * 307 to a path of this site: the same request once more, its form too. It
 * says same-origin, as the form's page does: with no-referrer browsers would
 * write "null" as the Origin of what they send on (Fetch, section 3.2).
 */
void lp_answer_repeat(lp_request_t *request, lp_span_t location);

#endif
