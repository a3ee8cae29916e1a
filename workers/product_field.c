/*
 * The checks of a product's fields, a function for each.
 */

#include "product_field.h"

#include <stdint.h>

#include <jansson.h>

#include "../core/keys.h"
#include "../core/licence.h"
#include "../core/product.h"
#include "../core/ticket.h"

#define TEXT(number)   TEXT_OF(number)
#define TEXT_OF(number) #number

const char *const lp_product_fields[LP_PRODUCT_FIELDS] = {
    "name", "url", "deep", "free", "in", "licence", "ticket",
};

static const char *wrong_name(lp_span_t value);
static const char *wrong_url(lp_span_t value);
static const char *wrong_deep(lp_span_t value);
static const char *wrong_free(lp_span_t value);
static const char *wrong_sets(lp_span_t value);
static const char *wrong_licence(lp_span_t value);
static const char *wrong_ticket(lp_span_t value);

/* As lp_product_fields. */
static const char *(*const checks[LP_PRODUCT_FIELDS])(lp_span_t value) = {
    wrong_name, wrong_url,     wrong_deep,   wrong_free,
    wrong_sets, wrong_licence, wrong_ticket,
};

const char *
lp_product_field_wrong(const char *field, lp_span_t value)
{
    unsigned i;

    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        if (strcmp(lp_product_fields[i], field) == 0) {
            return checks[i](value);
        }
    }
    return "is no field of a product";
}

int
lp_one_line(lp_span_t text, size_t max)
{
    json_t *value = json_stringn(text.data, text.len); /* NULL: not UTF-8 */
    size_t  i;
    int     ok = value != NULL && text.len <= max;

    json_decref(value);
    for (i = 0; ok && i < text.len; i++) {
        ok = (unsigned char) text.data[i] >= 0x20 && text.data[i] != 0x7f;
    }
    return ok;
}

static const char *
wrong_name(lp_span_t value)
{
    return lp_one_line(value, LP_PRODUCT_NAME_MAX)
               ? NULL
               : "is text in UTF-8 of at most " TEXT(LP_PRODUCT_NAME_MAX)
                 " bytes on one line";
}

static const char *
wrong_target(lp_span_t value, int deep)
{
    lp_hosts_t  any = {NULL, 0};
    lp_target_t target = lp_target_check(value, deep, &any);

    if (target == LP_TARGET_OK) {
        return NULL;
    }
    return deep ? "is no https:// URL (http:// only to this machine) with one"
                  " {path} after the host's slash"
                : "is no https:// URL (http:// only to this machine) of"
                  " printable ASCII, without user name or {path}";
}

static const char *
wrong_url(lp_span_t value)
{
    return wrong_target(value, 0);
}

static const char *
wrong_deep(lp_span_t value)
{
    return wrong_target(value, 1);
}

static const char *
wrong_free(lp_span_t value)
{
    return lp_span_equal(value, lp_span("0"))
                   || lp_span_equal(value, lp_span("1"))
               ? NULL
               : "is 0 or 1";
}

static const char *
wrong_sets(lp_span_t value)
{
    const char *comma;
    lp_span_t   set;
    unsigned    n = 0;

    while (value.data != NULL) {
        comma = memchr(value.data, ',', value.len);
        set.data = value.data;
        set.len = comma == NULL ? value.len : (size_t) (comma - value.data);
        value.len -= comma == NULL ? value.len : set.len + 1;
        value.data = comma == NULL ? NULL : comma + 1;
        if (!lp_product_valid(set) || ++n > LP_SETS_MAX) {
            return "takes up to " TEXT(LP_SETS_MAX) " product ids with commas "
                                                    "between them";
        }
    }
    return NULL;
}

static const char *
wrong_licence(lp_span_t value)
{
    return lp_licence_valid(value)
               ? NULL
               : "is schoolyear, month, quarter, year or date:YYYYMMDD";
}

static const char *
wrong_ticket(lp_span_t value)
{
    return lp_ticket_text_valid(value)
               ? NULL
               : "is 1 to " TEXT(LP_TICKET_TEXT_MAX)
                 " characters of visible ASCII without \" and \\";
}
