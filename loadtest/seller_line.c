/*
 * Written by hand: a country is 29 million lines, and all that stands in them
 * was made by population.c from characters that need no escape.
 */

#include "seller_line.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "../core/entitlement.h"

#define ACCEPTED 2 /* Edu-V's status */
#define DATE_MAX 16

static const char *write_date(char *dst, uint32_t day);
static size_t write_user(char *dst, size_t size, const lp_sale_t *sale);

size_t
lp_sale_write(char *dst, size_t size, const lp_sale_t *sale)
{
    char uuid[LP_UUID_LEN + 1], from[DATE_MAX], until[DATE_MAX];
    char end[DATE_MAX + 16], user[LP_PERSON_MAX + 80], day[DATE_MAX];
    int  n;

    end[0] = '\0';
    if (sale->end != 0) {
        snprintf(end, sizeof(end), ",\"endDate\":\"%s\"",
                 write_date(day, sale->end));
    }
    if (write_user(user, sizeof(user), sale) == 0) {
        return 0;
    }

    n = snprintf(
        dst, size,
        "{\"entitlementReferenceId\":\"%s\",\"entitlement\":{"
        "\"entitlementId\":\"%s\",\"entitlementType\":\"%s\","
        "\"entitlementStatus\":\"%s\",\"productId\":\"%.*s\","
        "\"deliveryOrderId\":\"%.*s\",\"startDate\":\"%s\","
        "\"activationUntilDate\":\"%s\"%s,"
        "\"school\":{\"organisationMasterIdentifier\":\"%.*s\"}%s}}\n",
        sale->reference, lp_entitlement_uuid(uuid, sale->entitlement),
        sale->type, sale->status, (int) sale->product.len, sale->product.data,
        (int) sale->school.len, sale->school.data,
        write_date(from, sale->from), write_date(until, sale->until), end,
        (int) sale->school.len, sale->school.data, user);

    return n < 0 || (size_t) n >= size ? 0 : (size_t) n;
}

uint64_t
lp_sale_answers(lp_span_t body, lp_sale_refused_t refused, void *owner)
{
    const char *p = body.data, *end = body.data + body.len, *line_end;
    const char *why;
    json_t     *line;
    uint64_t    accepted = 0;
    int         status;

    while (p < end) {
        line_end = memchr(p, '\n', (size_t) (end - p));
        line_end = line_end == NULL ? end : line_end;
        line = json_loadb(p, (size_t) (line_end - p), 0, NULL);
        status = (int) json_integer_value(json_object_get(line, "status"));
        why = json_string_value(json_object_get(line, "statusMessage"));

        if (status == ACCEPTED) {
            accepted++;
        } else {
            refused(owner,
                    (uint64_t) json_integer_value(
                        json_object_get(line, "line")),
                    status, why == NULL ? "no answer of the API" : why);
        }
        json_decref(line);
        p = line_end + 1;
    }

    return accepted;
}

int
lp_sale_accepted(lp_span_t body)
{
    json_t *answer = json_loadb(body.data == NULL ? "" : body.data, body.len,
                                0, NULL);
    int     status;

    status = (int) json_integer_value(json_object_get(answer, "status"));
    json_decref(answer);

    return status == ACCEPTED;
}

/* "2026-08-01" */
static const char *
write_date(char *dst, uint32_t day)
{
    snprintf(dst, DATE_MAX, "%04u-%02u-%02u", day / 10000 % 10000,
             day / 100 % 100, day % 100);

    return dst;
}

/* A pupil has an ECK iD, an employee ids of other types; an open right has how
   many may use it. */
static size_t
write_user(char *dst, size_t size, const lp_sale_t *sale)
{
    int n;

    if (sale->person_type == NULL) {
        n = snprintf(dst, size, ",\"quantity\":%" PRIu64,
                     sale->quantity);
    } else if (strcmp(sale->person_type, "ECK") == 0) {
        n = snprintf(dst, size,
                     ",\"user\":{\"userMasterIdentifier\":\"%s\"}",
                     sale->person);
    } else {
        n = snprintf(dst, size,
                     ",\"user\":{\"userIds\":[{\"userIdType\":\"%s\","
                     "\"userId\":\"%s\"}]}",
                     sale->person_type, sale->person);
    }

    return n < 0 || (size_t) n >= size ? 0 : (size_t) n;
}
