/*
 * The steps that all activations have in common: the record, how long, for
 * whom, the end.
 */

#include "activation.h"

#include "../core/entitlement.h"
#include "../core/licence.h"
#include "say.h"

#define SAID_AGAIN 600 /* seconds */

void
lp_activation_ask(lp_activation_t *a, const char *entitlement, unsigned shard)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_entitlement(name, shard, entitlement)};

    lp_store_add(a->store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(a->store, LP_WORDS(lp_span("HGETALL"), key));
}

/* A right to a set lasts as long as the set says, where it says so. */
void
lp_activation_ask_set(lp_activation_t *a)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_product(name, a->field)};

    if (!lp_span_equal(a->field, a->by->product)) {
        lp_store_add(a->store, LP_WORDS(lp_span("HGET"), key,
                                        lp_span("licence")));
    }
}

uint32_t
lp_activation_until(lp_activation_t *a, const redisReply *set,
                    uint32_t minimum)
{
    lp_span_t length = lp_store_text(set);

    return lp_licence_until(lp_licence_valid(length)
                                ? length : a->held.product.licence,
                            a->by->today, minimum);
}

int
lp_activation_seal(lp_activation_t *a, const lp_record_t *told)
{
    a->sealed_len = 0;

    if (told->party.len == 0 || a->by->person.len == 0) {
        return 0;
    }

    a->sealed_len = lp_seal_close(a->service->seal, a->sealed, "person",
                                  a->by->person);

    return a->sealed_len > 0 ? 0 : -1;
}

lp_outcome_t
lp_activation_commit(lp_activation_t *a, uint32_t expires)
{
    switch (lp_store_commit(a->store)) {
    case LP_STORE_OK:
        return expires < a->by->today ? LP_ENDED : LP_REDIRECT;
    case LP_STORE_CONFLICT:
        return LP_ACTIVATE;
    default:
        return LP_UNAVAILABLE;
    }
}

/* The pupil is told to come back; only an operator can mend it. */
int
lp_activation_read(lp_activation_t *a, lp_record_t *record,
                   const char *entitlement, unsigned shard, unsigned reply)
{
    static int64_t said;
    char           uuid[LP_UUID_LEN + 1];
    int64_t        now;

    if (lp_record_read(record, entitlement, shard,
                       lp_store_reply(a->store, reply)) == 0) {
        return 0;
    }

    now = lp_service_now();
    if (now - said >= SAID_AGAIN) {
        said = now;
        lp_say("the record of entitlement %s can't be read, and is not "
               "activated", lp_entitlement_uuid(uuid, entitlement));
    }

    return -1;
}
