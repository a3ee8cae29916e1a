/*
 * A Deep Linking request as a sealed document.
 */

#include "lti_pick.h"

#include "../core/json.h"
#include "../workers/say.h"
#include "once.h"

static int read_pick(lp_pick_t *pick, const json_t *document);

/* Absent where the span is. */
static int
put(json_t *document, const char *name, lp_span_t text)
{
    return text.data == NULL
               ? 0
               : json_object_set_new(document, name,
                                     json_stringn(text.data, text.len));
}

lp_store_status_t
lp_pick_store(lp_sso_t *sso, const lp_pick_t *pick, char *secret)
{
    lp_store_status_t status = LP_STORE_REFUSED;
    json_t           *document;

    if (sso->ring == NULL
        || lp_key_ring_signer(sso->ring, lp_service_now()) == NULL) {
        lp_say("nobody can pick books at %.*s: no key ring (--keys) signs "
               "what goes back", (int) pick->platform.len,
               pick->platform.data);
        return LP_STORE_REFUSED;
    }
    document = json_object();
    if (document != NULL && put(document, "platform", pick->platform) == 0
        && put(document, "deployment", pick->deployment) == 0
        && put(document, "return", pick->return_url) == 0
        && put(document, "data", pick->data) == 0
        && put(document, "locale", pick->locale) == 0
        && json_object_set_new(document, "multiple",
                               json_boolean(pick->multiple)) == 0) {
        status = lp_once_put(sso, LP_ONCE_PICK, document, secret);
    }
    json_decref(document);
    return status;
}

int
lp_pick_load(lp_sso_t *sso, lp_span_t secret, int take, lp_pick_t *pick)
{
    json_t *document;
    int     found;

    memset(pick, 0, sizeof(*pick));
    found = lp_once_get(sso, LP_ONCE_PICK, secret, take, &document);
    if (found <= 0) {
        return found;
    }
    pick->memory = document;
    if (read_pick(pick, document) != 0) {
        lp_pick_close(pick);
        return 0;
    }
    return 1;
}

static int
read_pick(lp_pick_t *pick, const json_t *document)
{
    pick->platform = lp_json_member(document, "platform");
    pick->deployment = lp_json_member(document, "deployment");
    pick->return_url = lp_json_member(document, "return");
    pick->data = lp_json_member(document, "data");
    pick->locale = lp_json_member(document, "locale");
    pick->multiple = json_is_true(json_object_get(document, "multiple"));
    return pick->platform.len > 0 && pick->return_url.len > 0 ? 0 : -1;
}

void
lp_pick_close(lp_pick_t *pick)
{
    json_decref(pick->memory);
    memset(pick, 0, sizeof(*pick));
}
