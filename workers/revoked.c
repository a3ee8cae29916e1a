/*
 * The same hashes, and the same answer, as at the edge
 * (ngx_http_leerpoort_rights.c): those of the person at the school and as a
 * private customer, under each id; one time that can't be read refuses all.
 */

#include "revoked.h"

#include "../core/keys.h"
#include "number.h"

#define HASHES (2 * LP_TOKEN_USERS)
#define FIELD  lp_span("!")

static unsigned name_hashes(char names[][LP_KEY_MAX], lp_span_t *keys,
                            const lp_click_by_t *by);

unsigned
lp_revoked_ask(lp_store_t *store, const lp_click_by_t *by)
{
    char      names[HASHES][LP_KEY_MAX];
    lp_span_t words[1 + HASHES];
    unsigned  i, n;

    words[0] = lp_span("WATCH");
    n = name_hashes(names, words + 1, by);
    lp_store_add(store, (lp_words_t) {words, 1 + n});

    for (i = 0; i < n; i++) {
        lp_store_add(store, LP_WORDS(lp_span("HGET"), words[1 + i], FIELD));
    }

    return 1 + n;
}

int
lp_revoked_read(const lp_store_t *store, const lp_click_by_t *by, unsigned at)
{
    lp_span_t text;
    int64_t   since;
    unsigned  i, n;

    n = by->n_users * (by->school.len > 0 ? 2 : 1);

    for (i = 0; i < n; i++) {
        text = lp_store_text(lp_store_reply(store, at + 1 + i));
        if (text.data == NULL) {
            continue;
        }

        since = lp_number_read(text);
        if (since < 0 || by->issued < since) {
            return 1;
        }
    }

    return 0;
}

static unsigned
name_hashes(char names[][LP_KEY_MAX], lp_span_t *keys,
            const lp_click_by_t *by)
{
    unsigned i, n = 0;

    for (i = 0; i < by->n_users; i++) {
        if (by->school.len > 0) {
            keys[n].data = names[n];
            keys[n].len = lp_key_user(names[n], by->school, by->users[i]);
            n++;
        }

        keys[n].data = names[n];
        keys[n].len = lp_key_user(names[n], lp_span(""), by->users[i]);
        n++;
    }

    return n;
}
