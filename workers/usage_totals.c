/*
 * From records to Edu-V's words. An open right of a school is ours, not
 * Edu-V's; as it counts for pupils alone, it is told as what it is for them.
 */

#include "usage_totals.h"

#include <stdio.h>

#include "../core/entitlement.h"

#define DATE_MAX 16 /* "2026-09-01" */

static int add_usage(json_t *answer, const lp_record_t *record);
static int add_licence(json_t *answer, const lp_record_t *record);
static const char *date_of(char *dst, uint32_t day);

int
lp_usage_expired(const lp_record_t *record, uint32_t today)
{
    switch (record->status) {
    case LP_STATUS_ENTITLED:
        return record->until != 0 && record->until < today;
    case LP_STATUS_LICENSED:
        return record->expires != 0 && record->expires < today;
    default:
        return 0;
    }
}

void
lp_usage_total(lp_usage_totals_t *totals, const lp_record_t *record,
               uint32_t today)
{
    if (lp_usage_expired(record, today)) {
        totals->expired++;
        return;
    }

    switch (record->status) {
    case LP_STATUS_ENTITLED:
        totals->entitled++;
        break;
    case LP_STATUS_LICENSED:
        totals->licensed++;
        break;
    case LP_STATUS_CANCELLED:
        totals->cancelled++;
        break;
    case LP_STATUS_BLOCKED:
        totals->blocked++;
        break;
    default:
        break;
    }
}

json_t *
lp_usage_json(const lp_record_t *record, const char *entitlement)
{
    lp_type_t type = record->type == LP_TYPE_OPEN ? LP_TYPE_SCHOOL_STUDENT
                                                  : record->type;
    lp_span_t product = lp_field(&record->product);
    lp_span_t school = lp_field(&record->school);
    json_t   *answer;
    char      uuid[LP_UUID_LEN + 1];
    int       failed = 0;

    answer = json_pack("{s:s, s:s%, s:s, s:s}", "entitlementId",
                       lp_entitlement_uuid(uuid, entitlement), "productId",
                       product.data, product.len, "entitlementType",
                       lp_type_name(type), "entitlementStatus",
                       lp_status_name(record->status));
    if (answer == NULL) {
        return NULL;
    }

    if (school.len > 0) {
        failed |= json_object_set_new(
            answer, "school",
            json_pack("{s:s%}", "organisationMasterIdentifier", school.data,
                      school.len));
    }

    failed |= add_usage(answer, record);
    failed |= add_licence(answer, record);

    if (failed) {
        json_decref(answer);
        return NULL;
    }

    return answer;
}

static int
add_usage(json_t *answer, const lp_record_t *record)
{
    char first[DATE_MAX], last[DATE_MAX];

    if (record->first == 0) {
        return 0;
    }

    return json_object_set_new(
        answer, "usage",
        json_pack("{s:s, s:s, s:I}", "firstUsed",
                  date_of(first, record->first), "lastUsed",
                  date_of(last, record->last != 0 ? record->last
                                                  : record->first),
                  "frequencyOfUsage", (json_int_t) record->count));
}

/* Blocked is the licence too: nobody gets in. */
static int
add_licence(json_t *answer, const lp_record_t *record)
{
    json_t *licence;
    char    date[DATE_MAX];

    if (record->licensed == 0) {
        return 0;
    }

    licence = json_pack("{s:s}", "status",
                        record->status == LP_STATUS_BLOCKED ? "blocked"
                                                            : "activated");
    if (record->expires != 0) {
        json_object_set_new(licence, "expirationDate",
                            json_string(date_of(date, record->expires)));
    }

    return json_object_set_new(answer, "license", licence);
}

static const char *
date_of(char *dst, uint32_t day)
{
    snprintf(dst, DATE_MAX, "%04u-%02u-%02u", day / 10000 % 10000,
             day / 100 % 100, day % 100);

    return dst;
}
