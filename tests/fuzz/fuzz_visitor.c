/*
 * What a browser says of who reads a page. The input is lines: the query, then
 * the headers Accept-Language, Accept and Cookie. Nothing is read beyond them,
 * a choice in the query counts before all, and the switch to the other language
 * adds nothing that could leave the page.
 */

#include "../../core/cookie.h"
#include "../../core/page.h"
#include "must.h"

static lp_span_t line_cut(lp_span_t *rest);
static void check_switch(lp_span_t query);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t     rest, query, languages, accept, cookies, cookie, none;
    lp_language_t language;
    char         *copy = malloc(len > 0 ? len : 1);

    /* in memory of exactly its length */
    must(copy != NULL);
    memcpy(copy, bytes, len);
    rest = (lp_span_t) {copy, len};
    none = (lp_span_t) {NULL, 0};
    query = line_cut(&rest);
    languages = line_cut(&rest);
    accept = line_cut(&rest);
    cookies = line_cut(&rest);

    cookie = lp_cookie_find(cookies, lp_span(LP_LANGUAGE_COOKIE));
    must(inside(cookie, cookies));
    must(memchr(cookie.len > 0 ? cookie.data : "", ';', cookie.len) == NULL);

    language = lp_language_choose(none, cookie, languages);
    must(language == LP_DUTCH || language == LP_ENGLISH);
    must(lp_language_find(cookie) == -1
         || lp_language_find(cookie) == (int) language);
    must(lp_language_choose(lp_span("en"), cookie, languages) == LP_ENGLISH);
    must(lp_language_choose(lp_span("nl"), cookie, languages) == LP_DUTCH);

    (void) lp_page_wants_json(accept);
    check_switch(query);
    free(copy);

    return 0;
}


static void
check_switch(lp_span_t query)
{
    char      bytes[256], again[256];
    lp_text_t href = lp_text_in(bytes, sizeof(bytes));
    lp_text_t same = lp_text_in(again, sizeof(again));

    lp_page_switch(&href, query, LP_ENGLISH);
    if (href.full) {
        return;
    }

    must(href.len <= query.len + 1 + 8 && bytes[0] == '?');
    must(memcmp(bytes + href.len - 7, "lang=en", 7) == 0);

    /* a second time it stays as it is */
    lp_page_switch(&same, (lp_span_t) {bytes + 1, href.len - 1}, LP_ENGLISH);
    must(lp_span_equal(lp_text_span(&href), lp_text_span(&same)));
}


static lp_span_t
line_cut(lp_span_t *rest)
{
    lp_span_t   line = *rest;
    const char *end;

    end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    line.len = end == NULL ? rest->len : (size_t) (end - rest->data);
    rest->data += line.len + (end != NULL);
    rest->len -= line.len + (end != NULL);

    return line;
}
