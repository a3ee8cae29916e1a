/*
 * The form of a teacher who picks, and a line of chapters. What is taken is a
 * click that the edge would read in the same way, each once, and not more than
 * a page has room for.
 */

#include "../../core/keys.h"
#include "../../sso/pick_form.h"
#include "../../workers/products.h"
#include "must.h"

static void check_item(const lp_pick_form_t *form, unsigned i);
static void check_chapter(lp_span_t line);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t      text = {(const char *) bytes, len};
    lp_pick_form_t form;
    unsigned       i;

    if (lp_pick_form_read(&form, text) == 0) {
        must(form.secret.len > 0);
        must(form.query.len <= LP_PICK_QUERY_MAX);
        must(form.n <= LP_PICK_ITEMS_MAX);
        must(form.act <= LP_PICK_CANCEL);
        for (i = 0; i < form.n; i++) {
            check_item(&form, i);
        }
    }
    lp_pick_form_free(&form);
    check_chapter(text);
    return 0;
}

static void
check_item(const lp_pick_form_t *form, unsigned i)
{
    const lp_click_t *item = &form->items[i];
    lp_click_t        read;
    char              text[64 + 1 + LP_PATH_MAX];
    size_t            len = item->product.len;
    unsigned          k;

    must(lp_product_valid(item->product) && item->path.len <= LP_PATH_MAX);
    memcpy(text, item->product.data, len);
    if (item->path.len > 0) {
        text[len++] = '/';
        memcpy(text + len, item->path.data, item->path.len);
        len += item->path.len;
    }
    must(lp_click_parse(&read, (lp_span_t) {text, len}) == 0);
    must(lp_span_equal(read.product, item->product));
    must(lp_span_equal(read.path, item->path));
    for (k = 0; k < i; k++) {
        must(!lp_span_equal(form->items[k].product, item->product)
             || !lp_span_equal(form->items[k].path, item->path));
    }
}

static void
check_chapter(lp_span_t line)
{
    lp_span_t path, title;

    if (lp_chapter_read(lp_span("book"), line, &path, &title) == 0) {
        must(path.len > 0 && path.len <= LP_PATH_MAX);
        must(path.data == line.data && title.len > 0);
        must(memchr(path.data, ' ', path.len) == NULL);
        must(memchr(title.data, '\n', title.len) == NULL);
    }
}
