/*
 * The indexes of the catalogue. A name that is not told leaves the one that is
 * there (HSETNX), so that a change of a link alone needs no look at the name.
 */

#include "products.h"

#include "../core/click.h"
#include "../core/product.h"
#include "product_field.h"

#define CLICK_MAX (LP_PATH_MAX + LP_KEY_MAX)

size_t
lp_key_parts(char *dst, lp_span_t set)
{
    return lp_key_of(dst, "parts", set);
}

size_t
lp_key_chapters(char *dst, lp_span_t product)
{
    return lp_key_of(dst, "chapters", product);
}

int
lp_products_to_store(void *to, lp_words_t words)
{
    lp_store_add(to, words);
    return 0;
}

int
lp_products_note(lp_products_send_t send, void *to, lp_span_t product,
                 lp_span_t name, lp_span_t in)
{
    lp_product_t of = {.in = in};
    lp_span_t    sets[LP_SETS_MAX], key;
    char         text[LP_KEY_MAX];
    unsigned     i, n;
    int          rc;

    rc = send(to, LP_WORDS(name.data == NULL ? lp_span("HSETNX")
                                             : lp_span("HSET"),
                           lp_span(LP_PRODUCTS_KEY), product,
                           name.len == 0 ? lp_span("") : name));
    n = lp_product_sets(&of, sets);
    for (i = 0; i < n && rc == 0; i++) {
        key = (lp_span_t) {text, lp_key_parts(text, sets[i])};
        rc = send(to, LP_WORDS(lp_span("SADD"), key, product));
    }
    return rc;
}

int
lp_products_forget(lp_products_send_t send, void *to, lp_span_t product)
{
    char      text[LP_KEY_MAX];
    lp_span_t key = {text, lp_key_chapters(text, product)};
    int       rc;

    rc = send(to, LP_WORDS(lp_span("HDEL"), lp_span(LP_PRODUCTS_KEY),
                           product));
    return rc == 0 ? send(to, LP_WORDS(lp_span("DEL"), key)) : rc;
}

int
lp_chapter_read(lp_span_t product, lp_span_t line, lp_span_t *path,
                lp_span_t *title)
{
    const char *blank = memchr(line.data, ' ', line.len);
    char        text[CLICK_MAX];
    lp_click_t  click;

    *path = line;
    if (blank != NULL) {
        path->len = (size_t) (blank - line.data);
    }
    *title = *path;
    if (blank != NULL && path->len + 1 < line.len) {
        title->data = blank + 1;
        title->len = line.len - path->len - 1;
    }
    if (path->len == 0 || path->len > LP_PATH_MAX
        || memchr(path->data, '?', path->len) != NULL
        || !lp_one_line(*title, LP_CHAPTER_TITLE_MAX + LP_PATH_MAX)
        || (title->data != path->data
            && title->len > LP_CHAPTER_TITLE_MAX)) {
        return -1;
    }
    memcpy(text, product.data, product.len);
    text[product.len] = '/';
    memcpy(text + product.len + 1, path->data, path->len);
    if (lp_click_parse(&click, (lp_span_t) {text, product.len + 1
                                                      + path->len}) != 0) {
        return -1;
    }
    return lp_span_equal(click.product, product)
                   && lp_span_equal(click.path, *path)
               ? 0 : -1;
}
