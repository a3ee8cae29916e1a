/*
 * My books: one page, or for a machine one list, of what the signed-in person
 * may open, and when. At most LP_BOOKS_MAX books: the page says so where there
 * are more.
 */

#include "books.h"

#include <stdio.h>
#include <stdlib.h>

#include "click_by.h"
#include "page_routes.h"

#define CLICKS    "/go/"
#define BOOK_MAX  2048 /* bytes of a row: a name of 200 is 1200 escaped */
#define FRAME_MAX 4096 /* bytes around the rows */
#define DATE_MAX  16   /* room for YYYY-MM-DD */

/* A sentence with a day in it, and one without. */
typedef struct {
    const char *with;
    const char *without;
} state_t;

typedef struct {
    const char *title;
    const char *none;
    const char *none_hint;
    const char *ended;
    const char *more;
    const char *code;
    const char *sign_out;
    state_t     states[LP_OUTCOMES];
} words_t;

static const words_t words[LP_LANGUAGES] = {
    [LP_DUTCH] = {
        "Mijn boeken", "Je hebt hier nog geen boeken.",
        "Heb je een boek besteld? Dan kan het even duren voor het hier staat. "
        "Vraag je docent of de winkel als het wegblijft.",
        "Afgelopen", "Je hebt er meer dan op deze pagina passen.",
        "Vul een activatiecode in", "Uitloggen",
        {[LP_REDIRECT] = {"Open tot en met ", "Open"},
         [LP_ACTIVATE] = {"Gaat open bij je eerste klik, tot en met ",
                          "Gaat open bij je eerste klik"},
         [LP_NOT_YET] = {"Open vanaf ", "Nog niet open"},
         [LP_ENDED] = {"Afgelopen na ", "Afgelopen"},
         [LP_BLOCKED_OUT] = {NULL, "Geblokkeerd: vraag het aan je school"}}},
    [LP_ENGLISH] = {
        "My books", "You have no books here yet.",
        "If you ordered a book, it may take a while until it is here. Ask "
        "your teacher or the shop if it stays away.",
        "Ended", "You have more than this page can show.",
        "Fill in an activation code", "Sign out",
        {[LP_REDIRECT] = {"Open until the end of ", "Open"},
         [LP_ACTIVATE] = {"Opens at your first click, until the end of ",
                          "Opens at your first click"},
         [LP_NOT_YET] = {"Opens from ", "Not open yet"},
         [LP_ENDED] = {"Ended after ", "Ended"},
         [LP_BLOCKED_OUT] = {NULL, "Blocked: ask your school"}}}};

/* The right in Edu-V's terms, as far as it has them. */
static const char *const statuses[LP_OUTCOMES] = {
    [LP_REDIRECT] = "licensed", [LP_ACTIVATE] = "entitled",
    [LP_NOT_YET] = "entitled",  [LP_ENDED] = "expired",
    [LP_BLOCKED_OUT] = "blocked",
};

static void answer_list(lp_request_t *request, const lp_books_t *books);
static int add_entry(json_t *list, const lp_book_t *book);
static void answer_page(lp_service_t *service, lp_request_t *request,
                        const lp_click_by_t *by, const lp_books_t *books);
static void write_body(lp_text_t *out, const lp_books_t *books,
                       lp_language_t language, lp_span_t codes);
static unsigned write_books(lp_text_t *out, const lp_books_t *books,
                            lp_language_t language, int ended);
static void write_book(lp_text_t *out, const lp_book_t *book,
                       lp_language_t language);
static void write_state(lp_text_t *out, const lp_book_t *book,
                        lp_language_t language);
static void write_links(lp_text_t *out, lp_language_t language,
                        lp_span_t codes);

void
lp_route_books(lp_service_t *service, lp_request_t *request)
{
    lp_books_t    books;
    lp_click_by_t by;
    char          school[LP_FIELD_MAX];

    if (lp_click_by(service, request, school, &by) != LP_STORE_OK) {
        lp_page_unavailable(service, request);
        return;
    }
    if (lp_books_read(&books, service->store, &by) != LP_STORE_OK) {
        lp_page_unavailable(service, request);
    } else if (books.revoked) {
        lp_page_sign_in(request, "/", "");
    } else if (lp_page_wants_json(request->accept)) {
        answer_list(request, &books);
    } else {
        answer_page(service, request, &by, &books);
    }
    lp_books_free(&books);
}

static void
answer_list(lp_request_t *request, const lp_books_t *books)
{
    json_t  *list = json_array();
    unsigned i;

    for (i = 0; i < books->n; i++) {
        if (add_entry(list, &books->list[i]) != 0) {
            json_decref(list);
            lp_answer_unavailable(request);
            return;
        }
    }
    lp_answer_json(request, 200, list);
}

static void
add_day(json_t *entry, const char *name, uint32_t day)
{
    char date[DATE_MAX];

    if (day != 0) {
        snprintf(date, sizeof(date), "%04u-%02u-%02u", day / 10000 % 10000,
                 day / 100 % 100, day % 100);
        json_object_set_new(entry, name, json_string(date));
    }
}

/* A name that is not UTF-8, which no command of ours stores, is left out. */
static int
add_entry(json_t *list, const lp_book_t *book)
{
    char    url[sizeof(CLICKS) + sizeof(book->product)];
    json_t *entry;

    entry = json_pack("{s:s, s:s, s:s}", "productId", book->product,
                      "entitlementStatus", statuses[book->outcome], "outcome",
                      lp_outcome_name(book->outcome));
    if (entry == NULL) {
        return -1;
    }
    if (book->name.len > 0) {
        (void) json_object_set_new(
            entry, "name", json_stringn(book->name.data, book->name.len));
    }
    add_day(entry, "startDate", book->from);
    add_day(entry, book->outcome == LP_ACTIVATE ? "activationUntilDate"
                                                : "expirationDate",
            book->until);
    if (book->opens) {
        snprintf(url, sizeof(url), CLICKS "%s", book->product);
        json_object_set_new(entry, "url", json_string(url));
    }
    return json_array_append_new(list, entry);
}

static void
answer_page(lp_service_t *service, lp_request_t *request,
            const lp_click_by_t *by, const lp_books_t *books)
{
    lp_page_look_t look = lp_page_look(service, by->school);
    lp_language_t  language = lp_request_language(request);
    size_t         size = FRAME_MAX + (size_t) books->n * BOOK_MAX;
    char          *bytes = malloc(size);
    lp_text_t      body = lp_text_in(bytes, size);

    if (bytes == NULL) {
        lp_page_unavailable(service, request);
        return;
    }
    write_body(&body, books, language,
               look.houses == NULL ? lp_span("/code")
                                   : lp_houses_codes(look.houses));
    if (body.full) {
        lp_page_unavailable(service, request);
    } else {
        lp_answer_page(request, 200, &look, lp_span_of(words[language].title),
                       lp_text_span(&body));
    }
    free(bytes);
}

static void
add(lp_text_t *out, const char *text)
{
    lp_text_add(out, lp_span_of(text));
}

static void
write_body(lp_text_t *out, const lp_books_t *books, lp_language_t language,
           lp_span_t codes)
{
    const words_t *word = &words[language];
    lp_text_t      before;

    if (books->n == 0) {
        lp_text_paragraph(out, word->none);
        lp_text_paragraph(out, word->none_hint);
    }
    (void) write_books(out, books, language, 0);
    before = *out;
    add(out, "<h2>");
    add(out, word->ended);
    add(out, "</h2>\n");
    if (write_books(out, books, language, 1) == 0) {
        *out = before; /* the heading is not needed */
    }
    if (books->more) {
        lp_text_paragraph(out, word->more);
    }
    write_links(out, language, codes);
}

/* Those that have ended, or the others; returns how many. */
static unsigned
write_books(lp_text_t *out, const lp_books_t *books, lp_language_t language,
            int ended)
{
    unsigned i, n = 0;

    for (i = 0; i < books->n; i++) {
        if ((books->list[i].outcome == LP_ENDED) != ended) {
            continue;
        }
        add(out, n++ == 0 ? "<ul class=\"list\">\n" : "");
        write_book(out, &books->list[i], language);
    }
    add(out, n > 0 ? "</ul>\n" : "");
    return n;
}

static void
write_book(lp_text_t *out, const lp_book_t *book, lp_language_t language)
{
    lp_span_t product = lp_book_product(book);
    lp_span_t name = book->name.len > 0 ? book->name : product;

    add(out, "<li>");
    if (book->opens) {
        add(out, "<a href=\"" CLICKS);
        lp_text_html(out, product);
        add(out, "\">");
        lp_text_html(out, name);
        add(out, "</a>");
    } else {
        add(out, "<strong>");
        lp_text_html(out, name);
        add(out, "</strong>");
    }
    add(out, "<br>\n<span class=\"soft\">");
    write_state(out, book, language);
    add(out, "</span></li>\n");
}

static void
write_state(lp_text_t *out, const lp_book_t *book, lp_language_t language)
{
    const state_t *state = &words[language].states[book->outcome];
    uint32_t       day = book->outcome == LP_NOT_YET ? book->from
                                                     : book->until;

    if (day == 0 || state->with == NULL) {
        add(out, state->without);
        return;
    }
    add(out, state->with);
    lp_page_date(out, day, language);
}

static void
write_links(lp_text_t *out, lp_language_t language, lp_span_t codes)
{
    const words_t *word = &words[language];

    add(out, "<p>");
    if (codes.len > 0) {
        add(out, "<a class=\"button plain\" href=\"");
        lp_text_html(out, codes);
        add(out, "\">");
        add(out, word->code);
        add(out, "</a>\n");
    }
    add(out, "<a class=\"button plain\" href=\"/sso/logout\">");
    add(out, word->sign_out);
    add(out, "</a></p>\n");
}
