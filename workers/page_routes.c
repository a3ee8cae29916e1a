/*
 * Which page is whose. Who has not signed in, or with a token that was
 * withdrawn since, is sent to do that; a machine is told so in JSON. A form
 * goes along: where the session is still there, it comes back with a new token
 * as if nothing had been, and else its sender is told (sso/sign_in_route.c).
 */

#include "page_routes.h"

#include "../core/keys.h"
#include "../core/text.h"

#define PRODUCT_SIZE 256

typedef struct {
    const char    *path;
    int            posts; /* takes a form */
    lp_route_run_t run;
} page_t;

static const page_t pages[] = {
    {"/", 0, lp_route_books},
    {"/code", 1, lp_route_code_page},
};

#define N_PAGES (sizeof(pages) / sizeof(pages[0]))

static int method_fits(const page_t *page, lp_span_t method);
static void send_away(lp_request_t *request, const page_t *page);
static lp_span_t read_product(const lp_request_t *request, char *dst);

void
lp_page_route(lp_service_t *service, lp_request_t *request)
{
    lp_page_look_t look = lp_page_look(service, request->school);
    lp_span_t      none = {NULL, 0};
    size_t         i;

    for (i = 0; i < N_PAGES; i++) {
        if (!lp_span_equal(request->path, lp_span_of(pages[i].path))) {
            continue;
        }
        if (!method_fits(&pages[i], request->method)) {
            lp_answer_method(request, &look,
                             pages[i].posts ? "GET, HEAD, POST"
                                            : "GET, HEAD");
            return;
        }
        if (request->n_users == 0) {
            send_away(request, &pages[i]);
            return;
        }
        pages[i].run(service, request);
        return;
    }
    lp_answer_problem(request, &look, LP_PROBLEM_NOT_FOUND, 0, none);
}

static int
method_fits(const page_t *page, lp_span_t method)
{
    return lp_span_equal(method, lp_span("GET"))
           || lp_span_equal(method, lp_span("HEAD"))
           || (page->posts && lp_span_equal(method, lp_span("POST")));
}

/* To sign in. The page for codes is asked for with a product. */
static void
send_away(lp_request_t *request, const page_t *page)
{
    char product[PRODUCT_SIZE] = "";

    if (page->posts) {
        (void) read_product(request, product);
    }
    lp_page_sign_in(request, page->path, product);
}

/* Of the query, into dst (PRODUCT_SIZE bytes); len 0: it names no product. */
static lp_span_t
read_product(const lp_request_t *request, char *dst)
{
    if (lp_request_query(request, "product", dst, PRODUCT_SIZE) != 0
        || !lp_product_valid(lp_span_of(dst))) {
        dst[0] = '\0';
    }
    return lp_span_of(dst);
}

lp_page_look_t
lp_page_look(lp_service_t *service, lp_span_t school)
{
    lp_page_look_t look;

    memset(&look, 0, sizeof(look));
    look.houses = lp_pages_file_houses(service->pages);
    look.school = school;
    return look;
}

void
lp_page_sign_in(lp_request_t *request, const char *path, const char *product)
{
    char      href[128 + PRODUCT_SIZE];
    lp_text_t text = lp_text_in(href, sizeof(href));

    if (lp_page_wants_json(request->accept)) {
        lp_answer_refuse(request, 401, LP_CODE_SCOPE,
                         "nobody is signed in, or not any more");
        return;
    }
    lp_text_add(&text, lp_span("/sso/login?return="));
    lp_text_query(&text, lp_span_of(path));
    if (lp_product_valid(lp_span_of(product))) {
        lp_text_query(&text, lp_span("?product="));
        lp_text_query(&text, lp_span_of(product));
    }
    if (lp_span_equal(request->method, lp_span("POST"))) {
        lp_answer_repeat(request, lp_text_span(&text));
    } else {
        lp_answer_redirect(request, lp_text_span(&text));
    }
}

void
lp_page_unavailable(lp_service_t *service, lp_request_t *request)
{
    lp_page_look_t look = lp_page_look(service, request->school);
    char           href[64 + PRODUCT_SIZE], text[PRODUCT_SIZE];
    lp_text_t      again = lp_text_in(href, sizeof(href));
    lp_span_t      product = read_product(request, text);

    if (lp_span_equal(request->method, lp_span("GET"))) {
        lp_text_add(&again, request->path);
        if (product.len > 0) {
            lp_text_add(&again, lp_span("?product="));
            lp_text_add(&again, product);
        }
    }
    lp_answer_problem(request, &look, lp_problem_of(LP_UNAVAILABLE), 0,
                      lp_text_span(&again));
}
