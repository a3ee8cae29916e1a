/*
 * Protects the order in which several entitlements of one user count, and what
 * a message makes of the one that is stored.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/chain.h"
#include "../../workers/entitlement_change.h"

#define TODAY 20261001
#define OURS  "00000003000000010000"
#define NOW   1790848800

static const lp_right_t order[] = {
    {LP_LICENSED, 20260901, 0, "a"},
    {LP_LICENSED, 20260901, 20270731, "b"},
    {LP_LICENSED, 20260901, TODAY, "c"},
    {LP_BLOCKED, 20261101, 20271231, "d"}, /* hides what is behind it */
    {LP_BLOCKED, 20260801, TODAY, "e"},
    {LP_ENTITLED, 20260801, TODAY, "f"}, /* the first to end */
    {LP_ENTITLED, TODAY, 20270731, "g"},
    {LP_ENTITLED, 20260801, 20270731, "h"}, /* by the id */
    {LP_ENTITLED, 20260801, 0, "i"},
    {LP_ENTITLED, 20261002, 20270731, "j"}, /* the first to come */
    {LP_ENTITLED, 20270801, 20280731, "k"},
    {LP_BLOCKED, 20260801, 20260930, "l"}, /* the last to have ended */
    {LP_LICENSED, 20250801, 20260731, "m"},
    {LP_ENTITLED, 20240801, 20250731, "n"},
};

#define N_ORDER (sizeof(order) / sizeof(order[0]))

static void
test_rights_stand_in_one_order(void **state)
{
    size_t i, j;
    int    d;

    (void) state;
    for (i = 0; i < N_ORDER; i++) {
        for (j = 0; j < N_ORDER; j++) {
            d = lp_chain_compare(&order[i], &order[j], TODAY);
            assert_int_equal((d > 0) - (d < 0), (i > j) - (i < j));
        }
    }
}

static void
set(lp_value_t *field, const char *text)
{
    assert_int_equal(lp_field_set(field, lp_span_of(text)), 0);
}

static lp_record_t
stored(lp_status_t status, uint32_t licensed)
{
    lp_record_t record = {0};

    record.exists = 1;
    record.type = LP_TYPE_SCHOOL_STUDENT;
    record.status = status;
    record.licensed = licensed;
    record.from = 20260801;
    record.until = 20270731;
    record.n_users = status == LP_STATUS_CANCELLED ? 0 : 1;
    memset(record.users[0], 'u', LP_USER_KEY_LEN);
    memset(record.entitlement, 'e', LP_ENTITLEMENT_LEN);
    set(&record.party, OURS);
    set(&record.product, "book");
    set(&record.school, "S1");
    return record;
}

/* The status that a message of this status leads to; NONE: refused. */
static lp_status_t
after(lp_status_t sent, const lp_record_t *before, int *code)
{
    lp_change_by_t by = {lp_span_of(OURS), "rrrrrrrrrrrrrrrrrrrrr", NOW};
    lp_message_t   message = {0};
    lp_record_t    wanted = stored(LP_STATUS_NONE, 0), record;
    lp_verdict_t   verdict = {0};
    int64_t        at;

    wanted.exists = 0;
    wanted.n_users = 1;
    message.status = sent;
    if (!lp_entitlement_change(&message, &wanted, before, &by, &record, &at,
                               &verdict)) {
        assert_int_equal(verdict.result, LP_REFUSED_STATE);
        *code = verdict.code;
        return LP_STATUS_NONE;
    }
    assert_int_equal(verdict.result, LP_APPLIED);
    assert_int_equal(verdict.status, record.status);
    assert_int_equal(at, NOW);
    assert_non_null(lp_record_ref(&record, by.ref));
    assert_int_equal(record.n_users, record.status != LP_STATUS_CANCELLED);
    return record.status;
}

/* The table at the top of entitlement_change.c, row by row. */
static void
test_a_message_does_what_the_table_says(void **state)
{
    static const struct {
        lp_status_t status;
        uint32_t    licensed;
        lp_status_t leads_to[4]; /* entitled, licensed, blocked, cancelled */
        int         code;        /* of a refusal */
    } rows[] = {
        {LP_STATUS_NONE, 0,
         {LP_STATUS_ENTITLED, LP_STATUS_ENTITLED, LP_STATUS_BLOCKED,
          LP_STATUS_NONE},
         40},
        {LP_STATUS_ENTITLED, 0,
         {LP_STATUS_ENTITLED, LP_STATUS_ENTITLED, LP_STATUS_BLOCKED,
          LP_STATUS_CANCELLED},
         0},
        {LP_STATUS_LICENSED, 20260901,
         {LP_STATUS_LICENSED, LP_STATUS_LICENSED, LP_STATUS_BLOCKED,
          LP_STATUS_NONE},
         42},
        {LP_STATUS_BLOCKED, 0,
         {LP_STATUS_ENTITLED, LP_STATUS_ENTITLED, LP_STATUS_BLOCKED,
          LP_STATUS_CANCELLED},
         0},
        {LP_STATUS_BLOCKED, 20260901,
         {LP_STATUS_LICENSED, LP_STATUS_LICENSED, LP_STATUS_BLOCKED,
          LP_STATUS_NONE},
         42},
        {LP_STATUS_CANCELLED, 0,
         {LP_STATUS_NONE, LP_STATUS_NONE, LP_STATUS_NONE,
          LP_STATUS_CANCELLED},
         99},
    };
    static const lp_status_t sent[4] = {LP_STATUS_ENTITLED, LP_STATUS_LICENSED,
                                        LP_STATUS_BLOCKED,
                                        LP_STATUS_CANCELLED};
    lp_record_t              before;
    size_t                   i, j;
    int                      code;

    (void) state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        before = stored(rows[i].status, rows[i].licensed);
        before.exists = rows[i].status != LP_STATUS_NONE;
        for (j = 0; j < 4; j++) {
            code = rows[i].code;
            assert_int_equal(after(sent[j], &before, &code),
                             rows[i].leads_to[j]);
            assert_int_equal(code, rows[i].code);
        }
    }
}

static void
test_a_right_that_gave_licences_is_not_cancelled(void **state)
{
    lp_record_t before = stored(LP_STATUS_ENTITLED, 0);
    int         code = 0;

    (void) state;
    before.used = 1;
    assert_int_equal(after(LP_STATUS_CANCELLED, &before, &code),
                     LP_STATUS_NONE);
    assert_int_equal(code, LP_CODE_LICENSED);
}

/* An operator's record has no party: the first seller gets it. */
static void
test_a_record_without_a_party_becomes_the_sellers(void **state)
{
    lp_record_t before = stored(LP_STATUS_ENTITLED, 0);
    int         code = 0;

    (void) state;
    before.party.len = 0;
    assert_int_equal(after(LP_STATUS_BLOCKED, &before, &code),
                     LP_STATUS_BLOCKED);
    set(&before.party, "00000003000000020000");
    assert_int_equal(after(LP_STATUS_BLOCKED, &before, &code),
                     LP_STATUS_NONE);
    assert_int_equal(code, LP_CODE_ENTITLEMENT_UNKNOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights_stand_in_one_order),
        cmocka_unit_test(test_a_message_does_what_the_table_says),
        cmocka_unit_test(test_a_right_that_gave_licences_is_not_cancelled),
        cmocka_unit_test(test_a_record_without_a_party_becomes_the_sellers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
