/*
 * The journal: what the relay is to tell other parties, one stream per shard,
 * written in the transaction that makes it true. docs/data-model.md has the
 * fields.
 */

#ifndef LP_JOURNAL_H
#define LP_JOURNAL_H

#include "record.h"

/*
 * kind activation: a licence began. record: what is told about (of an open
 * right or a code: that one, not the licence made from it); day, until: of the
 * licence, YYYYMMDD; person: sealed UserReference, len 0: none; over: the open
 * right's quantity is exceeded. Adds nothing where the record has no party.
 */
void lp_journal_activation(lp_store_t *store, const lp_record_t *record,
                           uint32_t day, uint32_t until, lp_span_t person,
                           int over);

/*
 * kind confirmation: a message was applied, or repeated. reference: as sent;
 * at: Unix time at which the change took effect; status: the new one. Adds
 * nothing where the record has no party.
 */
void lp_journal_confirmation(lp_store_t *store, const lp_record_t *record,
                             lp_span_t reference, int64_t at,
                             lp_status_t status);

#endif
