/*
 * Rights as "right show" writes them: a row for each, in order of products.
 * What stands in Redis may be anybody's: it is escaped.
 */

#include "right_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "../core/entitlement.h"
#include "say.h"

#define DAY_MAX 16 /* room for YYYY-MM-DD */

static int
compare_rows(const void *a, const void *b)
{
    const lp_right_row_t *x = a, *y = b;
    size_t       n = x->field.len < y->field.len ? x->field.len : y->field.len;
    int          d = memcmp(x->field.data, y->field.data, n);

    if (d == 0) {
        d = (x->field.len > y->field.len) - (x->field.len < y->field.len);
    }
    return d != 0 ? d : x->follows - y->follows;
}

static const char *
day_text(char *dst, uint32_t day)
{
    if (day == 0) {
        return "-";
    }
    snprintf(dst, DAY_MAX, "%04u-%02u-%02u", day / 10000 % 10000,
             day / 100 % 100, day % 100);
    return dst;
}

static void
print_row(const lp_right_row_t *row)
{
    char product[LP_ESCAPED_MAX], from[DAY_MAX], until[DAY_MAX];
    char uuid[LP_UUID_LEN + 1];

    lp_escape(product, row->field, 64);
    if (!row->readable) {
        printf("%-24s unreadable: counts as no right%s\n", product,
               row->follows ? "  follows" : "");
        return;
    }
    printf("%-24s %c     %-10s  %-10s  %s", product,
           (char) row->right.state, day_text(from, row->right.from),
           day_text(until, row->right.until),
           lp_entitlement_uuid(uuid, row->right.entitlement));
    if (row->counted && row->quantity == 0) {
        printf("  %" PRIu64, row->used);
    } else if (row->counted) {
        printf("  %" PRIu64 "/%" PRIu64, row->used, row->quantity);
    }
    printf("%s\n", row->follows ? "  follows" : "");
}

static json_t *
day_json(uint32_t day)
{
    char text[DAY_MAX];

    return day == 0 ? json_null() : json_string(day_text(text, day));
}

static json_t *
mark_json(json_t *json, const lp_right_row_t *row)
{
    if (row->follows) {
        json_object_set_new(json, "follows", json_true());
    }
    return json;
}

static json_t *
row_json(const lp_right_row_t *row)
{
    char    product[LP_ESCAPED_MAX], uuid[LP_UUID_LEN + 1];
    json_t *json;

    lp_escape(product, row->field, 64);
    if (!row->readable) {
        json = json_pack("{s:s, s:b}", "product", product, "unreadable", 1);
        return mark_json(json, row);
    }
    json = json_pack("{s:s, s:s%, s:o, s:o, s:s}", "product", product, "state",
                     (const char[]) {(char) row->right.state, '\0'}, (size_t) 1,
                     "from", day_json(row->right.from), "until",
                     day_json(row->right.until), "entitlement",
                     lp_entitlement_uuid(uuid, row->right.entitlement));
    if (row->counted) {
        json_object_set_new(json, "used", json_integer((json_int_t) row->used));
        json_object_set_new(json, "quantity",
                            row->quantity == 0
                                ? json_null()
                                : json_integer((json_int_t) row->quantity));
    }
    return mark_json(json, row);
}

/*
 * The Unix time of a revocation, read as the edge reads it: digits alone. -1:
 * it is none, and then the edge refuses every token.
 */
static int
read_time(lp_span_t text, int64_t *at)
{
    size_t i;
    int    digit;

    *at = 0;
    for (i = 0; i < text.len; i++) {
        digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || *at > (INT64_MAX - digit) / 10) {
            return -1;
        }
        *at = *at * 10 + digit;
    }
    return text.len == 0 ? -1 : 0;
}

void
lp_right_rows_print(const lp_right_row_t *rows, size_t n, lp_span_t revoked,
                    int open)
{
    int64_t at;
    size_t  i;

    if (n > 0) {
        printf("%-24s %-5s %-10s  %-10s  %-*s%s\n", "product", "state", "from",
               "until", open ? LP_UUID_LEN + 2 : 0, "entitlement",
               open ? "used" : "");
    }
    for (i = 0; i < n; i++) {
        print_row(&rows[i]);
    }
    if (revoked.data != NULL && read_time(revoked, &at) == 0) {
        printf("tokens issued before %" PRId64 " are refused\n", at);
    } else if (revoked.data != NULL) {
        printf("ALL tokens of this person are refused: the time of the "
               "revocation can't be read.\n"
               "Repair it with \"leerpoort right revoke\" (tokens from before "
               "now stay refused)\n"
               "or \"leerpoort right drop --tokens\" (takes the revocation "
               "back).\n");
    }
}

void
lp_right_rows_json(const lp_right_row_t *rows, size_t n, lp_span_t revoked)
{
    json_t *list = json_array(), *answer;
    int64_t at = 0;
    int     readable = revoked.data != NULL && read_time(revoked, &at) == 0;
    size_t  i;

    for (i = 0; i < n; i++) {
        json_array_append_new(list, row_json(&rows[i]));
    }
    answer = json_pack("{s:o, s:o}", "rights", list, "tokens_before",
                       readable ? json_integer(at) : json_null());
    if (revoked.data != NULL && !readable) {
        json_object_set_new(answer, "tokens_unreadable", json_true());
    }
    json_dumpf(answer, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(answer);
}

size_t
lp_right_rows_read(const redisReply *reply, const lp_args_t *args,
                   lp_right_row_t *rows, lp_span_t *revoked)
{
    const char *only = args->value[LP_OPT_PRODUCT];
    int         open = args->value[LP_OPT_OPEN] != NULL;
    lp_span_t   field, value;
    size_t      i, n = 0;
    int         follows;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        field = lp_redis_text(reply->element[i]);
        value = lp_redis_text(reply->element[i + 1]);
        if (field.data == NULL || value.data == NULL) {
            continue;
        }
        if (!open && lp_span_equal(field, LP_TOKENS_BEFORE)) {
            *revoked = value;
            continue;
        }
        follows = field.len > 1 && field.data[field.len - 1] == '+';
        field.len -= (size_t) follows;
        if (only != NULL && !lp_span_equal(field, lp_span_of(only))) {
            continue;
        }
        rows[n].field = field;
        rows[n].follows = follows;
        rows[n].readable = lp_right_parse(&rows[n].right, value) == 0;
        n++;
    }
    qsort(rows, n, sizeof(lp_right_row_t), compare_rows);
    return n;
}
