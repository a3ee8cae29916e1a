/*
 * The pages of leerpoort-worker: what LEERPOORT_ROUTE=page stands for.
 */

#ifndef LP_PAGE_ROUTES_H
#define LP_PAGE_ROUTES_H

#include "page_answer.h"

/* My books at "/", activation codes at "/code"; answers in any case. */
void lp_page_route(lp_service_t *service, lp_request_t *request);

/* How the pages look for whoever asks. */
lp_page_look_t lp_page_look(lp_service_t *service, lp_span_t school);

/* Signing in, and back to path, one of the pages. product: which one it is
   about, "" or no id at all: none. */
void lp_page_sign_in(lp_request_t *request, const char *path,
                     const char *product);

/* 503, as a page that tries again or in Edu-V's form. */
void lp_page_unavailable(lp_service_t *service, lp_request_t *request);

#endif
