/*
 * Where something waits: messages in the journal, in the outbox and among the
 * dead letters, clicks in usage:. Who erases goes through all of them in the
 * same way, whomever it is about: once to see what is there, once to change it.
 */

#include "erasure.h"

#include "../core/keys.h"
#include "record.h"

int
lp_waiting_walk(lp_store_t *store, const lp_names_t *letters,
                lp_entry_visit_t letter, lp_entry_visit_t clicks, void *owner)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, 0};
    uint32_t  i;

    for (i = 0; i < LP_SHARDS; i++) {
        key.len = lp_key_journal(name, i);
        if (lp_stream_walk(store, key, letter, owner) != 0) {
            return -1;
        }
        key.len = lp_key_usage(name, i);
        if (lp_stream_walk(store, key, clicks, owner) != 0) {
            return -1;
        }
    }
    for (i = 0; i < letters->n; i++) {
        if (lp_stream_walk(store, lp_name(letters, i), letter, owner) != 0) {
            return -1;
        }
    }
    return 0;
}

int
lp_waiting_rebuild(lp_store_t *store, const lp_names_t *letters,
                   const lp_waiting_change_t *change)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, 0};
    uint32_t  i;

    for (i = 0; i < LP_SHARDS; i++) {
        key.len = lp_key_journal(name, i);
        if (lp_stream_rebuild(store, key, change->letter, change->owner,
                              change->n_letters) != 0) {
            return -1;
        }
        key.len = lp_key_usage(name, i);
        if (lp_stream_rebuild(store, key, change->clicks, change->owner,
                              change->n_clicks) != 0) {
            return -1;
        }
    }
    for (i = 0; i < letters->n; i++) {
        if (lp_stream_rebuild(store, lp_name(letters, i), change->letter,
                              change->owner, change->n_letters) != 0) {
            return -1;
        }
    }
    return 0;
}

int
lp_waiting_lines(const redisReply *fields, lp_span_t lines, lp_span_t *words)
{
    size_t i;

    for (i = 0; i + 1 < fields->elements && i + 2 <= LP_ENTRY_WORDS; i += 2) {
        words[i] = lp_store_text(fields->element[i]);
        words[i + 1] = lp_span_equal(words[i], lp_span("b"))
                           ? lines
                           : lp_store_text(fields->element[i + 1]);
    }
    return (int) i;
}
