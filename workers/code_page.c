/*
 * The page for activation codes: a form, and what became of the code. The
 * redemption is that of POST /activate/code (code_redeem.h).
 *
 * A form of another site must not spend somebody's code, or their tries: the
 * session's cookie does not go along with it (SameSite=Lax), and what a browser
 * says of where the form stood (Origin) must be this site. A browser that says
 * nothing is old, and has the cookie's rule alone. A program, which could not
 * read what became of its code, is sent to the route that it has.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "click_by.h"
#include "code_redeem.h"
#include "page_routes.h"

#define CLICKS     "/go/"
#define FORM_MAX   4096 /* bytes of a form that was sent */
#define VALUE_MAX  256
#define BODY_MAX   8192 /* bytes of the page's own */
#define FORM_TYPE  "application/x-www-form-urlencoded"
#define MINUTE     60
#define HOUR       3600

typedef struct {
    char code[VALUE_MAX];
    char product[VALUE_MAX]; /* the book that is wanted; "": none is named */
} form_t;

typedef struct {
    const char *title;
    const char *lead;
    const char *wanted;   /* before the book's name */
    const char *label;
    const char *hint;
    const char *send;
    const char *wrong;    /* before what is wrong, for those who only hear */
    const char *done;
    const char *until;    /* before the last day */
    const char *open;
    const char *books;
    const char *no_code;  /* what was typed is none */
    const char *wait;     /* before a number, and after it */
    const char *minute;   /* after 1 */
    const char *minutes;
    const char *hours;
    const char *refusals[LP_CODES_CONFLICT + 1];
} words_t;

static const words_t words[LP_LANGUAGES] = {
    [LP_DUTCH] = {
        "Activatiecode",
        "Heb je een code gekregen bij een boek? Vul hem hier in. Het boek "
        "staat daarna bij Mijn boeken.",
        "Je wilde openen: ", "Je code",
        "Hoofdletters, streepjes en spaties maken niets uit.",
        "Boek activeren", "Dat lukte niet.",
        "Gelukt! Je kunt dit boek nu openen.", "Je kunt het openen tot en met ",
        "Open ", "Mijn boeken",
        "Dit is geen code: een code heeft 8 tot 64 letters en cijfers.",
        "Je hebt te vaak een verkeerde code ingevuld. Wacht ", " minuut.",
        " minuten.", " uur.",
        {[LP_CODES_UNKNOWN] = "Deze code kennen we niet. Kijk of je hem goed "
                              "hebt overgenomen.",
         [LP_CODES_USED] = "Deze code is al gebruikt. Was jij dat niet? Vraag "
                          "het aan wie je de code gaf.",
         [LP_CODES_REVOKED] = "Deze code is ingetrokken. Vraag het aan wie je "
                              "de code gaf.",
         [LP_CODES_BLOCKED] = "Dit boek is voor jou geblokkeerd. De code is "
                              "niet gebruikt. Vraag het aan je school.",
         [LP_CODES_NOT_YET] = "Deze code kun je nog niet gebruiken. Probeer "
                              "het later nog eens.",
         [LP_CODES_ENDED] = "Deze code kun je niet meer gebruiken: de tijd is "
                            "voorbij. Vraag een nieuwe aan wie je de code "
                            "gaf.",
         [LP_CODES_HELD] = "Je kunt dit boek al openen. De code is niet "
                           "gebruikt."}},
    [LP_ENGLISH] = {
        "Activation code",
        "Were you given a code with a book? Fill it in here. You find the book "
        "in My books afterwards.",
        "You wanted to open: ", "Your code",
        "Capitals, hyphens and blanks make no difference.",
        "Activate the book", "That did not work.",
        "Done! You can open this book now.",
        "You can open it until the end of ",
        "Open ", "My books",
        "This is no code: a code has 8 to 64 letters and digits.",
        "You filled in a wrong code too often. Wait ", " minute.",
        " minutes.", " hours.",
        {[LP_CODES_UNKNOWN] = "We do not know this code. Look whether you "
                              "copied it correctly.",
         [LP_CODES_USED] = "This code has been used already. If that was not "
                          "you, ask whoever gave it to you.",
         [LP_CODES_REVOKED] = "This code was withdrawn. Ask whoever gave it to "
                              "you.",
         [LP_CODES_BLOCKED] = "This book is blocked for you. The code has not "
                              "been used. Ask your school.",
         [LP_CODES_NOT_YET] = "This code can't be used yet. Try again later.",
         [LP_CODES_ENDED] = "This code can't be used any more: its time is "
                            "over. Ask whoever gave it to you for a new "
                            "one.",
         [LP_CODES_HELD] = "You can open this book already. The code has not "
                           "been used."}}};

typedef struct {
    lp_service_t  *service;
    lp_request_t  *request;
    lp_page_look_t look;
    lp_language_t  language;
    lp_text_t      body;
    char           bytes[BODY_MAX];
    char           form[sizeof("/code?product=&") + VALUE_MAX]; /* its URL */
} page_t;

static void show_form(page_t *page, int http, const char *product,
                      const char *wrong);
static void name_form(page_t *page, const char *product);
static void add_action(page_t *page);
static int write_wanted(page_t *page, const char *product);
static int write_name(page_t *page, lp_span_t product);
static void take_form(page_t *page);
static int comes_from_here(const page_t *page);
static int read_form(page_t *page, form_t *form);
static void redeem(page_t *page, const form_t *form, lp_span_t code);
static void show_done(page_t *page, const lp_redeemed_t *redeemed);
static void show_refusal(page_t *page, const form_t *form,
                         lp_codes_result_t result,
                         const lp_redeemed_t *redeemed);

void
lp_route_code_page(lp_service_t *service, lp_request_t *request)
{
    lp_span_t none = {NULL, 0};
    page_t    page;
    char      product[VALUE_MAX];

    page.service = service;
    page.request = request;
    page.look = lp_page_look(service, request->school);
    page.look.posts = 1;
    page.language = lp_request_language(request);
    page.body = lp_text_in(page.bytes, sizeof(page.bytes));
    if (service->site.len == 0) {
        lp_answer_problem(request, &page.look, LP_PROBLEM_OFF, 0, none);
        return;
    }
    if (lp_page_wants_json(request->accept)) {
        lp_answer_refuse(request, 406, LP_CODE_OTHER,
                         "this page is for people; programs send their codes "
                         "to /activate/code");
        return;
    }
    if (lp_span_equal(request->method, lp_span("POST"))) {
        take_form(&page);
        return;
    }
    if (lp_request_query(request, "product", product, sizeof(product)) != 0) {
        product[0] = '\0';
    }
    show_form(&page, 200, product, NULL);
}

static void
add(page_t *page, const char *text)
{
    lp_text_add(&page->body, lp_span_of(text));
}

static void
add_html(page_t *page, const char *text)
{
    lp_text_html(&page->body, lp_span_of(text));
}

static void
send(page_t *page, int http)
{
    if (page->body.full) {
        lp_page_unavailable(page->service, page->request);
        return;
    }
    lp_answer_page(page->request, http, &page->look,
                   lp_span_of(words[page->language].title),
                   lp_text_span(&page->body));
}

/* The field is empty each time: a code does not come back in a page. */
static void
show_form(page_t *page, int http, const char *product, const char *wrong)
{
    const words_t *word = &words[page->language];

    name_form(page, product);
    if (wrong != NULL) {
        add(page, "<p id=\"wrong\" role=\"alert\"><strong>");
        add_html(page, word->wrong);
        add(page, "</strong> ");
        add_html(page, wrong);
        add(page, "</p>\n");
    }
    add(page, "<p>");
    add_html(page, word->lead);
    add(page, "</p>\n<form method=\"post\" action=\"");
    add_action(page);
    add(page, "\">\n");
    if (write_wanted(page, product) != 0) {
        lp_page_unavailable(page->service, page->request);
        return;
    }
    add(page, "<label for=\"code\">");
    add_html(page, word->label);
    add(page, "</label>\n<input id=\"code\" name=\"code\" type=\"text\" "
              "required maxlength=\"128\" autocomplete=\"off\" "
              "autocapitalize=\"characters\" spellcheck=\"false\" ");
    add(page, wrong == NULL ? "aria-describedby=\"hint\""
                            : "aria-invalid=\"true\" "
                              "aria-describedby=\"wrong hint\"");
    add(page, ">\n<p id=\"hint\" class=\"soft\">");
    add_html(page, word->hint);
    add(page, "</p>\n<button type=\"submit\">");
    add_html(page, word->send);
    add(page, "</button>\n</form>\n<p><a href=\"/\">");
    add_html(page, word->books);
    add(page, "</a></p>\n");
    send(page, http);
}

/* The answer to a form has no address: its link to the other language leads to
   the form. */
static void
name_form(page_t *page, const char *product)
{
    lp_text_t href = lp_text_in(page->form, sizeof(page->form));

    lp_text_add(&href, lp_span("/code?"));
    if (lp_product_valid(lp_span_of(product))) {
        lp_text_add(&href, lp_span("product="));
        lp_text_add(&href, lp_span_of(product));
        lp_text_add(&href, lp_span("&"));
    }
    page->look.other = lp_text_span(&href);
}

/* The form's own URL, so that whoever has to sign in before it is taken comes
   back to this product. What it ends with is for one more parameter. */
static void
add_action(page_t *page)
{
    lp_span_t url = page->look.other;

    url.len--;
    lp_text_html(&page->body, url);
}

/* A product that does not exist is not named: the page says nothing that comes
   from its URL. -1: Redis failed. */
static int
write_wanted(page_t *page, const char *product)
{
    lp_span_t id = lp_span_of(product);
    lp_text_t before = page->body;
    int       known;

    if (!lp_product_valid(id)) {
        return 0;
    }
    add(page, "<p>");
    add_html(page, words[page->language].wanted);
    add(page, "<strong>");
    known = write_name(page, id);
    if (known != 1) {
        page->body = before;
        return known;
    }
    add(page, "</strong></p>\n<input type=\"hidden\" name=\"product\" "
              "value=\"");
    lp_text_html(&page->body, id);
    add(page, "\">\n");
    return 0;
}

/* The product's name, or its id. 1; 0: there is no such product; -1. */
static int
write_name(page_t *page, lp_span_t product)
{
    lp_store_t       *store = page->service->store;
    const redisReply *reply;
    char              text[LP_KEY_MAX];
    lp_span_t         key = {text, lp_key_product(text, product)}, name;

    lp_store_add(store, LP_WORDS(lp_span("EXISTS"), key));
    lp_store_add(store, LP_WORDS(lp_span("HGET"), key, lp_span("name")));
    if (lp_store_run(store) != LP_STORE_OK) {
        return -1;
    }
    reply = lp_store_reply(store, 0);
    name = lp_store_text(lp_store_reply(store, 1));
    lp_text_html(&page->body, name.len > 0 ? name : product);
    return reply->integer == 1;
}

static void
take_form(page_t *page)
{
    lp_span_t none = {NULL, 0};
    form_t    form;
    char      code[LP_CODE_TEXT_MAX];
    size_t    len;

    memset(&form, 0, sizeof(form));
    if (!comes_from_here(page) || read_form(page, &form) != 0) {
        if (!page->request->answered) {
            lp_answer_problem(page->request, &page->look,
                              LP_PROBLEM_BAD_FORM, 0, none);
        }
        return;
    }
    len = lp_code_canonical(code, lp_span_of(form.code));
    if (len == 0) {
        show_form(page, 400, form.product, words[page->language].no_code);
        return;
    }
    redeem(page, &form, (lp_span_t) {code, len});
}

/* Parameters such as charset may follow the type. */
static int
comes_from_here(const page_t *page)
{
    const lp_request_t *request = page->request;
    size_t              len = sizeof(FORM_TYPE) - 1;

    return request->type.len >= len
           && strncasecmp(request->type.data, FORM_TYPE, len) == 0
           && (request->type.len == len || request->type.data[len] == ';'
               || request->type.data[len] == ' ')
           && (request->origin.len == 0
               || lp_span_equal(request->origin, page->service->site));
}

static int
take_pair(form_t *form, lp_span_t pair)
{
    const char *equals = memchr(pair.data, '=', pair.len);
    lp_span_t   name = pair, value;
    char       *dst;

    if (equals == NULL) {
        return 0;
    }
    name.len = (size_t) (equals - pair.data);
    value = (lp_span_t) {equals + 1, pair.len - name.len - 1};
    dst = lp_span_equal(name, lp_span("code"))      ? form->code
          : lp_span_equal(name, lp_span("product")) ? form->product
                                                    : NULL;
    if (dst == NULL) {
        return 0;
    }
    return dst[0] == '\0' ? lp_request_decode(dst, VALUE_MAX, value) : -1;
}

/* -1: no form of ours; it may have been answered. */
static int
read_form(page_t *page, form_t *form)
{
    lp_span_t   rest, pair;
    const char *end;
    char        bytes[FORM_MAX];
    size_t      len;
    int         rc = 0;

    if (lp_request_body(page->request, bytes, sizeof(bytes), &len) != 0) {
        return -1;
    }
    rest = (lp_span_t) {bytes, len};
    while (rest.len > 0 && rc == 0) {
        end = memchr(rest.data, '&', rest.len);
        pair = rest;
        pair.len = end == NULL ? rest.len : (size_t) (end - rest.data);
        rest.data += pair.len + (end != NULL);
        rest.len -= pair.len + (end != NULL);
        rc = take_pair(form, pair);
    }
    explicit_bzero(bytes, len);
    return rc;
}

static void
redeem(page_t *page, const form_t *form, lp_span_t code)
{
    lp_codes_result_t result;
    lp_redeemed_t     redeemed;
    lp_click_by_t     by;
    char              school[LP_FIELD_MAX];

    memset(&redeemed, 0, sizeof(redeemed));
    if (lp_click_by(page->service, page->request, school, &by)
        != LP_STORE_OK) {
        lp_page_unavailable(page->service, page->request);
        return;
    }
    page->look.school = by.school;
    page->look.other = lp_span("/code?");
    result = lp_code_redeem(page->service, &by, code, &redeemed);
    if (result == LP_CODES_OK) {
        show_done(page, &redeemed);
    } else {
        show_refusal(page, form, result, &redeemed);
    }
}

static void
show_done(page_t *page, const lp_redeemed_t *redeemed)
{
    const words_t *word = &words[page->language];
    lp_span_t      product = lp_field(&redeemed->product);

    add(page, "<p role=\"status\">");
    add_html(page, word->done);
    add(page, "</p>\n<p>");
    add_html(page, word->until);
    lp_page_date(&page->body, redeemed->until, page->language);
    add(page, ".</p>\n<p><a class=\"button\" href=\"" CLICKS);
    lp_text_html(&page->body, product);
    add(page, "\">");
    add_html(page, word->open);
    if (write_name(page, product) == -1) {
        lp_text_html(&page->body, product); /* the licence is there anyway */
    }
    add(page, "</a>\n<a class=\"button plain\" href=\"/\">");
    add_html(page, word->books);
    add(page, "</a></p>\n");
    send(page, 200);
}

/* "Wait 12 minutes." in whole minutes, or hours, rounded up. */
static void
show_too_often(page_t *page, const form_t *form, int64_t seconds)
{
    const words_t *word = &words[page->language];
    int            hours = seconds > 2 * HOUR;
    int64_t        n = (seconds + MINUTE - 1) / MINUTE;
    char           text[256], header[24];

    if (hours) {
        n = (seconds + HOUR - 1) / HOUR;
    }
    snprintf(text, sizeof(text), "%s%" PRId64 "%s", word->wait, n,
             hours ? word->hours : n == 1 ? word->minute : word->minutes);
    snprintf(header, sizeof(header), "%" PRId64, seconds);
    lp_answer_header(page->request, "Retry-After", lp_span_of(header));
    show_form(page, 429, form->product, text);
}

static void
show_refusal(page_t *page, const form_t *form, lp_codes_result_t result,
             const lp_redeemed_t *redeemed)
{
    const char *text = (size_t) result <= LP_CODES_CONFLICT
                           ? words[page->language].refusals[result] : NULL;

    if (result == LP_CODES_TOKEN) {
        lp_page_sign_in(page->request, "/code", form->product);
    } else if (result == LP_CODES_TOO_OFTEN) {
        show_too_often(page, form, redeemed->retry_after);
    } else if (text == NULL) {
        lp_page_unavailable(page->service, page->request);
    } else {
        show_form(page, 400, form->product, text);
    }
}
