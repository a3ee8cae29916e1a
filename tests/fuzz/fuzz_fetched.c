/*
 * What leerpoort-keys fetches: the first byte says what the rest is. What may
 * be written is taken by the same judge again; of metadata nothing leads
 * elsewhere than by https, of keys nothing is written that is secret.
 */

#include "../../core/json.h"
#include "../../core/jwks.h"
#include "../../sso/fetch_check.h"
#include "must.h"

#define ISSUER lp_span("https://op.example/a")

static void check_metadata(lp_span_t text);
static void check_keys(lp_span_t text);
static void check_members(const char *written);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t text;

    if (len == 0) {
        return 0;
    }

    text = (lp_span_t) {(const char *) bytes + 1, len - 1};

    if (bytes[0] == 'd') {
        check_metadata(text);
    } else {
        check_keys(text);
    }

    return 0;
}


static void
check_metadata(lp_span_t text)
{
    char        uri[LP_FETCH_URL_MAX + 1], again[LP_FETCH_URL_MAX + 1];
    const char *why = NULL;
    char       *written, *twice;

    written = lp_discovery_check(text, ISSUER, uri, &why);

    if (written == NULL) {
        must_be_reason(why, 256);
        return;
    }

    must(memchr(uri, '\0', sizeof(uri)) != NULL);
    must(uri[0] == '\0' || strncmp(uri, "https://", 8) == 0);

    /* it is indented, and may be longer than one that comes from a network */
    if (strlen(written) <= LP_DISCOVERY_MAX) {
        twice = lp_discovery_check(lp_span_of(written), ISSUER, again, &why);
        must(twice != NULL && strcmp(twice, written) == 0);
        must(strcmp(uri, again) == 0);
        free(twice);
    }

    free(written);
}


static void
check_keys(lp_span_t text)
{
    lp_key_count_t count, again;
    const char    *why = NULL;
    char          *written, *twice;

    written = lp_keys_check(text, &count, &why);

    if (written == NULL) {
        must_be_reason(why, 256);
        return;
    }

    must(count.keys > 0 && count.keys + count.left_out <= LP_JWKS_KEYS_MAX);
    must((count.left_out > 0) == (count.first != NULL));
    check_members(written);

    /* OpenSSL's look at a modulus is a matter of luck where it is not a product
       of two primes: it may be taken the one time and not the other */
    twice = lp_keys_check(lp_span_of(written), &again, &why);
    must((twice != NULL && again.left_out == 0)
         || strstr(written, "\"RSA\"") != NULL);

    if (twice != NULL) {
        must(again.keys + again.left_out == count.keys);
        must(again.left_out > 0 || strcmp(twice, written) == 0);
    }

    free(twice);
    free(written);
}


/* No private part, and no shared secret. */
static void
check_members(const char *written)
{
    static const char *const secret[] = {"d",  "p",  "q", "dp",
                                         "dq", "qi", "k"};
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    const json_t     *set, *key;
    size_t            i, j;

    set = lp_json_read(lp_span_of(written), &memory, &error);
    must(set != NULL);

    json_array_foreach(json_object_get(set, "keys"), i, key) {
        for (j = 0; j < sizeof(secret) / sizeof(secret[0]); j++) {
            must(json_object_get(key, secret[j]) == NULL);
        }
    }

    lp_json_release(memory);
}
