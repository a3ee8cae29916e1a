/*
 * pages.json: what is refused is so with a reason, and what is read makes pages
 * that are whole, small and without a character of markup from the file.
 */

#include "../../core/page.h"
#include "must.h"

/* Tags of the link to help, and of the one to the page for codes. */
#define FOOTER 4
#define CODES  6

static void check_house(const lp_house_t *house);
static void check_page(const lp_houses_t *houses);
static unsigned tags_of(const lp_houses_t *houses);
static unsigned count(lp_span_t text, char c);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char         reason[LP_HOUSE_REASON_MAX];
    lp_houses_t *houses;

    memset(reason, 0xff, sizeof(reason));
    houses = lp_houses_read((lp_span_t) {(const char *) bytes, len}, reason);

    if (houses == NULL) {
        must(memchr(reason, '\0', sizeof(reason)) != NULL);
        must(strlen(reason) > 5);
        return 0;
    }

    check_house(lp_house_of(houses, lp_span("")));
    check_house(lp_house_of(houses, lp_span("S1")));
    check_page(houses);
    lp_houses_free(houses);

    return 0;
}


static void
check_house(const lp_house_t *house)
{
    must(house->name.len > 0);
    must(house->help_text[LP_DUTCH].len > 0);
    must(house->help_text[LP_ENGLISH].len > 0);
    must(house->style.len > 500 && house->style_hash.len == 51);
    must(house->help.len == 0
         || memcmp(house->help.data, "https:", 6) == 0
         || memcmp(house->help.data, "mailto", 6) == 0
         || memcmp(house->help.data, "tel:", 4) == 0);
}


/* As many tags as a page in the built-in style, and those of the links. */
static void
check_page(const lp_houses_t *houses)
{
    static lp_houses_t *built_in;
    char                reason[LP_HOUSE_REASON_MAX];
    lp_span_t           codes = lp_houses_codes(houses);
    unsigned            tags;

    must(codes.len == 0
         || (codes.data[0] == '/'
             && (codes.len == 1
                 || (codes.data[1] != '/' && codes.data[1] != '\\'))));

    if (built_in == NULL) {
        built_in = lp_houses_read((lp_span_t) {NULL, 0}, reason);
        must(built_in != NULL);
    }

    tags = tags_of(built_in);
    tags += lp_house_of(houses, lp_span("S1"))->help.len > 0 ? FOOTER : 0;
    tags += codes.len > 0 ? CODES : 0;
    must(tags_of(houses) == tags);
}


static unsigned
tags_of(const lp_houses_t *houses)
{
    static char       bytes[LP_PAGE_MAX];
    lp_problem_page_t page;
    lp_text_t         html;

    memset(&page, 0, sizeof(page));
    page.problem = lp_problem_of(LP_NO_RIGHT);
    page.house = lp_house_of(houses, lp_span("S1"));
    page.codes = lp_houses_codes(houses);

    html = lp_text_in(bytes, sizeof(bytes));
    lp_page_problem(&html, &page);
    must(!html.full);
    must(count(lp_text_span(&html), '<') + count(page.house->style, '>')
         == count(lp_text_span(&html), '>'));

    return count(lp_text_span(&html), '<');
}


static unsigned
count(lp_span_t text, char c)
{
    unsigned n = 0;
    size_t   i;

    for (i = 0; i < text.len; i++) {
        n += text.data[i] == c;
    }

    return n;
}
