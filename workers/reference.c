/*
 * Ids that come out the same every time, because they are hashes. References:
 * how a repeated message is known, and how its confirmation is the same one
 * again; sellers choose them of any length, and a record keeps 22 characters of
 * a hash of each of the last few. Licences of open rights: a user has one of
 * each, however often the click is repeated.
 */

#include "record.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "../core/base64url.h"
#include "../core/entitlement.h"

#define HASH_SIZE 32
#define ID_BYTES  16
#define VERSION   0x80 /* of a uuid: 8, whose bits are ours (RFC 9562) */
#define VARIANT   0x80

static int hash(unsigned char *dst, const lp_span_t *parts, unsigned n);

int
lp_ref_id(char *dst, lp_span_t reference)
{
    unsigned char digest[HASH_SIZE];

    if (hash(digest, &reference, 1) != 0) {
        return -1;
    }

    lp_base64url_encode(dst, digest, ID_BYTES);

    return 0;
}

int
lp_receive_id(char *dst, lp_span_t reference, lp_span_t entitlement)
{
    unsigned char digest[HASH_SIZE];
    char          id[LP_ENTITLEMENT_LEN];
    lp_span_t     parts[4];

    parts[0] = lp_span("receive|");
    parts[1] = entitlement;
    parts[2] = lp_span("|");
    parts[3] = reference;

    if (hash(digest, parts, 4) != 0) {
        return -1;
    }

    digest[6] = (digest[6] & 0x0f) | VERSION;
    digest[8] = (digest[8] & 0x3f) | VARIANT;
    lp_base64url_encode(id, digest, ID_BYTES);
    lp_entitlement_uuid(dst, id);

    return 0;
}

int
lp_licence_id(char *dst, const char *open, lp_span_t user)
{
    unsigned char digest[HASH_SIZE];
    lp_span_t     parts[4];

    parts[0] = lp_span("licence|");
    parts[1] = (lp_span_t) {open, LP_ENTITLEMENT_LEN};
    parts[2] = lp_span("|");
    parts[3] = user;

    if (hash(digest, parts, 4) != 0) {
        return -1;
    }

    digest[6] = (digest[6] & 0x0f) | VERSION;
    digest[8] = (digest[8] & 0x3f) | VARIANT;
    lp_base64url_encode(dst, digest, ID_BYTES);

    return 0;
}

const lp_ref_t *
lp_record_ref(const lp_record_t *record, const char *id)
{
    unsigned i;

    for (i = 0; i < LP_RECORD_REFS; i++) {
        if (record->refs[i].at != 0
            && memcmp(record->refs[i].id, id, LP_ENTITLEMENT_LEN) == 0) {
            return &record->refs[i];
        }
    }

    return NULL;
}

/* A free place is older than any. */
void
lp_record_remember(lp_record_t *record, const char *id, int64_t at,
                   lp_status_t status)
{
    lp_ref_t *place;
    unsigned  i;

    place = &record->refs[0];

    for (i = 0; i < LP_RECORD_REFS; i++) {
        if (record->refs[i].at != 0
            && memcmp(record->refs[i].id, id, LP_ENTITLEMENT_LEN) == 0) {
            place = &record->refs[i];
            break;
        }

        if (record->refs[i].at < place->at) {
            place = &record->refs[i];
        }
    }

    memcpy(place->id, id, LP_ENTITLEMENT_LEN);
    place->at = at;
    place->status = status;
}

static int
hash(unsigned char *dst, const lp_span_t *parts, unsigned n)
{
    EVP_MD_CTX *ctx;
    unsigned    i;
    int         ok;

    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    for (i = 0; ok && i < n; i++) {
        ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    }

    ok = ok && EVP_DigestFinal_ex(ctx, dst, NULL) == 1;
    EVP_MD_CTX_free(ctx);

    if (!ok) {
        ERR_clear_error();
    }

    return ok ? 0 : -1;
}
