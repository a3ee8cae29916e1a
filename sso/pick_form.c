/*
 * Members of the form: pick (the secret), q, do, item ("<product>" or
 * "<product>/<path>", any number), and path.<product>: a part of the product,
 * as people type it, in place of the whole. What people type is brought into
 * the form of a path as far as that is safe: blanks are percent-encoded, and a
 * slash in front is left out. A whole address is none.
 */

#include "pick_form.h"

#include <stdlib.h>

#include "../core/chars.h"
#include "../core/keys.h"
#include "../workers/service.h"

#define PATH_PREFIX "path."
#define TYPED_MAX   2048 /* bytes of a path while it is encoded */

typedef struct {
    lp_pick_form_t *form;
    char           *free; /* in form->memory */
    char           *end;
    lp_span_t       products[LP_PICK_ITEMS_MAX]; /* with a path by hand */
    lp_span_t       paths[LP_PICK_ITEMS_MAX];
    unsigned        n_typed;
} reader_t;

static int take_pair(reader_t *reader, lp_span_t pair);
static int decode(reader_t *reader, lp_span_t text, lp_span_t *value);
static int is_utf8(lp_span_t text);
static int take_value(reader_t *reader, lp_span_t name, lp_span_t value);
static int take_act(lp_pick_form_t *form, lp_span_t value);
static int take_item(lp_pick_form_t *form, lp_span_t value);
static void add_item(lp_pick_form_t *form, const lp_click_t *item);
static int take_typed(reader_t *reader, lp_span_t product, lp_span_t path);
static int apply_typed(reader_t *reader);
static int type_path(reader_t *reader, lp_span_t product, lp_span_t typed,
                     lp_click_t *item);
static int is_address(lp_span_t typed);

int
lp_pick_form_read(lp_pick_form_t *form, lp_span_t body)
{
    static reader_t reader;
    const char     *end;
    lp_span_t       pair;

    memset(form, 0, sizeof(*form));
    memset(&reader, 0, sizeof(reader));
    reader.form = form;
    /* decoded texts with their NULs, and paths that are encoded anew */
    form->memory = malloc(2 * body.len + LP_PICK_ITEMS_MAX * TYPED_MAX + 2);
    if (form->memory == NULL) {
        return -1;
    }
    reader.free = form->memory;
    reader.end = form->memory + 2 * body.len + LP_PICK_ITEMS_MAX * TYPED_MAX
                 + 2;
    while (body.len > 0) {
        end = memchr(body.data, '&', body.len);
        pair = body;
        pair.len = end == NULL ? body.len : (size_t) (end - body.data);
        body.data += pair.len + (end != NULL);
        body.len -= pair.len + (end != NULL);
        if (pair.len > 0 && take_pair(&reader, pair) != 0) {
            return -1;
        }
    }
    return form->secret.len == 0 ? -1 : apply_typed(&reader);
}

void
lp_pick_form_free(lp_pick_form_t *form)
{
    free(form->memory);
    form->memory = NULL;
}

static int
take_pair(reader_t *reader, lp_span_t pair)
{
    const char *equals = memchr(pair.data, '=', pair.len);
    lp_span_t   name = pair, value = {"", 0};

    if (equals != NULL) {
        name.len = (size_t) (equals - pair.data);
        value = (lp_span_t) {equals + 1, pair.len - name.len - 1};
    }
    if (decode(reader, name, &name) != 0
        || decode(reader, value, &value) != 0) {
        return -1;
    }
    return take_value(reader, name, value);
}

static int
decode(reader_t *reader, lp_span_t text, lp_span_t *value)
{
    if (lp_request_decode(reader->free, text.len + 1, text) != 0) {
        return -1;
    }
    *value = lp_span_of(reader->free);
    reader->free += value->len + 1;
    return is_utf8(*value) ? 0 : -1;
}

/* Browsers send nothing else from a page in UTF-8. */
static int
is_utf8(lp_span_t text)
{
    json_t *value = json_stringn(text.data, text.len);

    json_decref(value);
    return value != NULL;
}

static int
take_value(reader_t *reader, lp_span_t name, lp_span_t value)
{
    lp_pick_form_t *form = reader->form;
    size_t          prefix = sizeof(PATH_PREFIX) - 1;

    if (lp_span_equal(name, lp_span("pick"))) {
        if (form->secret.len > 0) {
            return -1;
        }
        form->secret = value;
    } else if (lp_span_equal(name, lp_span("q"))) {
        form->query = value;
        while (form->query.len > LP_PICK_QUERY_MAX
               || (form->query.len < value.len
                   && ((unsigned char) value.data[form->query.len] & 0xc0)
                          == 0x80)) {
            form->query.len--; /* to the beginning of a character */
        }
    } else if (lp_span_equal(name, lp_span("do"))) {
        return take_act(form, value);
    } else if (lp_span_equal(name, lp_span("item"))) {
        return take_item(form, value);
    } else if (name.len > prefix
               && memcmp(name.data, PATH_PREFIX, prefix) == 0) {
        name.data += prefix;
        name.len -= prefix;
        return take_typed(reader, name, value);
    }
    return 0;
}

static int
take_act(lp_pick_form_t *form, lp_span_t value)
{
    static const char *const names[] = {"search", "put", "cancel"};
    unsigned                 i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (lp_span_equal(value, lp_span_of(names[i]))) {
            form->act = (lp_pick_do_t) i;
            return 0;
        }
    }
    return -1;
}

/* A product and a path as a click has them; "?product=" is none of ours. */
static int
take_item(lp_pick_form_t *form, lp_span_t value)
{
    lp_click_t item;

    if (value.len == 0 || memchr(value.data, '?', value.len) != NULL
        || lp_click_parse(&item, value) != 0) {
        return -1;
    }
    add_item(form, &item);
    return 0;
}

static void
add_item(lp_pick_form_t *form, const lp_click_t *item)
{
    unsigned i;

    for (i = 0; i < form->n; i++) {
        if (lp_span_equal(form->items[i].product, item->product)
            && lp_span_equal(form->items[i].path, item->path)) {
            return;
        }
    }
    if (form->n == LP_PICK_ITEMS_MAX) {
        form->too_many = 1;
        return;
    }
    form->items[form->n++] = *item;
}

static int
take_typed(reader_t *reader, lp_span_t product, lp_span_t path)
{
    while (path.len > 0 && (path.data[0] == ' ' || path.data[0] == '/')) {
        path.data++;
        path.len--;
    }
    while (path.len > 0 && path.data[path.len - 1] == ' ') {
        path.len--;
    }
    if (!lp_product_valid(product)) {
        return -1;
    }
    if (path.len == 0) {
        return 0;
    }
    if (reader->n_typed == LP_PICK_ITEMS_MAX) {
        reader->form->too_many = 1;
        return 0;
    }
    reader->products[reader->n_typed] = product;
    reader->paths[reader->n_typed++] = path;
    return 0;
}

/* A path takes the place of the whole product, where that was chosen; where it
   was not, the path alone says nothing. */
static int
apply_typed(reader_t *reader)
{
    lp_pick_form_t *form = reader->form;
    lp_click_t      item;
    unsigned        i, k;

    for (i = 0; i < reader->n_typed; i++) {
        for (k = 0; k < form->n; k++) {
            if (form->items[k].path.len == 0
                && lp_span_equal(form->items[k].product,
                                 reader->products[i])) {
                break;
            }
        }
        if (k == form->n) {
            continue;
        }
        if (type_path(reader, reader->products[i], reader->paths[i], &item)
            != 0) {
            form->bad_path = reader->paths[i];
            continue;
        }
        form->items[k] = form->items[--form->n];
        add_item(form, &item);
    }
    return 0;
}

static int
type_path(reader_t *reader, lp_span_t product, lp_span_t typed,
          lp_click_t *item)
{
    static const char hex[] = "0123456789ABCDEF";
    char             *text = reader->free, *p = text;
    unsigned char     c;
    size_t            i;

    if (typed.len > LP_PATH_MAX || is_address(typed)
        || (size_t) (reader->end - text)
               < product.len + 1 + 3 * typed.len + 1) {
        return -1;
    }
    memcpy(p, product.data, product.len);
    p += product.len;
    *p++ = '/';
    for (i = 0; i < typed.len; i++) {
        c = (unsigned char) typed.data[i];
        if (c == '/' || c == '%' || lp_char_is(c, LP_CHAR_PCHAR)) {
            *p++ = (char) c;
            continue;
        }
        *p++ = '%';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }
    reader->free = p;
    return lp_click_parse(item, (lp_span_t) {text, (size_t) (p - text)});
}

/* The browser's address bar is where people find a page's "path". */
static int
is_address(lp_span_t typed)
{
    size_t i;

    for (i = 0; i + 3 <= typed.len; i++) {
        if (memcmp(typed.data + i, "://", 3) == 0) {
            return 1;
        }
    }
    return 0;
}
