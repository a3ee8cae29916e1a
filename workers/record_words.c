/*
 * The words of a record: Edu-V's names of types and states, the short texts,
 * and the right that follows from a record.
 */

#include "record.h"

/* Edu-V entitlementType; "school-open" is ours. */
static const char *const types[LP_TYPES] = {
    "", "school-student", "school-employee", "school-activationcode",
    "customer-student", "customer-activationcode", "school-open",
};

static const char *const statuses[LP_STATUSES] = {
    "", "entitled", "licensed", "cancelled", "blocked",
};

static lp_state_t state_of(const lp_record_t *record);

const char *
lp_type_name(lp_type_t type)
{
    return types[type];
}

lp_type_t
lp_type_find(lp_span_t name)
{
    unsigned i;

    for (i = 1; i < LP_TYPES; i++) {
        if (lp_span_equal(name, lp_span_of(types[i]))) {
            return (lp_type_t) i;
        }
    }

    return LP_TYPE_NONE;
}

const char *
lp_status_name(lp_status_t status)
{
    return statuses[status];
}

lp_status_t
lp_status_find(lp_span_t name)
{
    unsigned i;

    if (lp_span_equal(name, lp_span("created"))) {
        return LP_STATUS_ENTITLED;
    }

    for (i = 1; i < LP_STATUSES; i++) {
        if (lp_span_equal(name, lp_span_of(statuses[i]))) {
            return (lp_status_t) i;
        }
    }

    return LP_STATUS_NONE;
}

int
lp_field_set(lp_value_t *field, lp_span_t text)
{
    if (text.len > LP_FIELD_MAX) {
        return -1;
    }

    if (text.len > 0) {
        memcpy(field->text, text.data, text.len);
    }

    field->len = (uint8_t) text.len;

    return 0;
}

/*
 * A block lasts as long as what it blocks: afterwards there is nothing left to
 * be blocked, and "ended" is the kinder answer.
 */
int
lp_record_right(const lp_record_t *record, lp_right_t *right)
{
    int licence;

    if (record->status == LP_STATUS_CANCELLED
        || record->status == LP_STATUS_NONE
        || (record->n_users == 0 && record->type != LP_TYPE_OPEN)) {
        return 0;
    }

    licence = record->licensed != 0;

    right->state = state_of(record);
    right->from = licence ? record->licensed : record->from;
    right->until = licence ? record->expires : record->until;
    memcpy(right->entitlement, record->entitlement, LP_ENTITLEMENT_LEN);

    return 1;
}

static lp_state_t
state_of(const lp_record_t *record)
{
    switch (record->status) {
    case LP_STATUS_BLOCKED:
        return LP_BLOCKED;
    case LP_STATUS_LICENSED:
        return LP_LICENSED;
    default:
        return record->type == LP_TYPE_OPEN ? LP_OPEN : LP_ENTITLED;
    }
}
