/*
 * Products: from the fields of a Redis hash to the target that a click takes.
 * Nothing is copied; the spans are those of the hash.
 */

#include "product.h"

#include "keys.h"

static lp_span_t *field_of(lp_product_t *product, lp_span_t name);

void
lp_product_field(lp_product_t *product, lp_span_t name, lp_span_t value)
{
    lp_span_t *field;

    if (lp_span_equal(name, lp_span("free"))) {
        product->free = lp_span_equal(value, lp_span("1"));
        return;
    }

    field = field_of(product, name);

    if (field != NULL) {
        *field = value;
    }
}

unsigned
lp_product_sets(const lp_product_t *product, lp_span_t *sets)
{
    const char *p, *end, *comma;
    lp_span_t   set;
    unsigned    n;

    if (product->in.len == 0) {
        return 0;
    }

    p = product->in.data;
    end = p + product->in.len;
    n = 0;

    while (p < end && n < LP_SETS_MAX) {
        comma = memchr(p, ',', (size_t) (end - p));
        if (comma == NULL) {
            comma = end;
        }

        set = (lp_span_t) {p, (size_t) (comma - p)};
        if (lp_product_valid(set)) {
            sets[n++] = set;
        }

        p = comma + (comma < end);
    }

    return n;
}

lp_target_t
lp_location(char *dst, size_t *len, const lp_product_t *product,
            lp_span_t path, const lp_hosts_t *hosts)
{
    return lp_target_fill(dst, len,
                          path.len > 0 ? product->deep : product->url, path,
                          hosts);
}

static lp_span_t *
field_of(lp_product_t *product, lp_span_t name)
{
    if (lp_span_equal(name, lp_span("url"))) {
        return &product->url;
    }

    if (lp_span_equal(name, lp_span("deep"))) {
        return &product->deep;
    }

    if (lp_span_equal(name, lp_span("in"))) {
        return &product->in;
    }

    if (lp_span_equal(name, lp_span("name"))) {
        return &product->name;
    }

    if (lp_span_equal(name, lp_span("licence"))) {
        return &product->licence;
    }

    if (lp_span_equal(name, lp_span("ticket"))) {
        return &product->ticket;
    }

    return NULL;
}
