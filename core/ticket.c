/*
 * Launch tickets. The claims are written by hand: no value in them has a
 * character that JSON would escape, and jansson would take longer than the
 * rest but for the signature.
 *
 * Single use is the publisher's to see to, by jti, which is 128 random bits: it
 * has to remember one no longer than until exp.
 */

#include "ticket.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <unistd.h>

#include "base64url.h"
#include "entitlement.h"

#define LABEL       "leerpoort ticket"
#define JTI_BYTES   16
#define JTIS        32 /* that are drawn at once */
#define CLAIMS_MAX  (2 * LP_TICKET_TEXT_MAX + 1024)
#define SUBJECT_MAX (LP_TICKET_TEXT_MAX + 1 + LP_USER_KEY_LEN)

typedef struct {
    char   bytes[CLAIMS_MAX];
    size_t len;
} text_t;

static void put_span(text_t *text, const char *before, lp_span_t value);
static int put_claims(text_t *text, lp_pepper_t *pepper,
                      const lp_ticket_t *ticket);
static int draw(char *jti);

int
lp_ticket_text_valid(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f
            || text.data[i] == '"' || text.data[i] == '\\') {
            return 0;
        }
    }
    return text.len > 0 && text.len <= LP_TICKET_TEXT_MAX;
}

int
lp_ticket_pseudonym(char *dst, lp_pepper_t *pepper, lp_span_t audience,
                    lp_span_t user)
{
    char   id[SUBJECT_MAX];
    size_t n = audience.len;

    if (n > LP_TICKET_TEXT_MAX || user.len != LP_USER_KEY_LEN) {
        return -1;
    }
    memcpy(id, audience.data, n);
    id[n++] = '|';
    memcpy(id + n, user.data, user.len);
    return lp_user_key(dst, pepper, lp_span(LABEL),
                       (lp_span_t) {id, n + user.len});
}

size_t
lp_ticket_write(char *dst, lp_signer_t *signer, lp_pepper_t *pepper,
                const lp_ticket_t *ticket)
{
    text_t claims;

    claims.len = 0;
    if (!lp_ticket_text_valid(ticket->issuer)
        || !lp_ticket_text_valid(ticket->audience)
        || put_claims(&claims, pepper, ticket) != 0) {
        return 0;
    }
    return lp_signer_write(signer, dst, LP_TICKET_MAX,
                           (lp_span_t) {claims.bytes, claims.len});
}

static int
put_claims(text_t *text, lp_pepper_t *pepper, const lp_ticket_t *ticket)
{
    char jti[LP_BASE64URL_ENCODED(JTI_BYTES)], subject[LP_USER_KEY_LEN];
    char uuid[LP_UUID_LEN + 1], times[64];
    int  n;

    if (draw(jti) != 0
        || lp_ticket_pseudonym(subject, pepper, ticket->audience, ticket->user)
               != 0) {
        return -1;
    }
    n = snprintf(times, sizeof(times),
                 "\",\"iat\":%" PRId64 ",\"exp\":%" PRId64, ticket->now,
                 ticket->now + ticket->life);
    if (n < 0 || (size_t) n >= sizeof(times)) {
        return -1;
    }
    put_span(text, "{\"iss\":\"", ticket->issuer);
    put_span(text, "\",\"aud\":\"", ticket->audience);
    put_span(text, times, lp_span(""));
    put_span(text, ",\"jti\":\"", (lp_span_t) {jti, sizeof(jti)});
    put_span(text, "\",\"sub\":\"", (lp_span_t) {subject, sizeof(subject)});
    put_span(text, "\",\"productId\":\"", ticket->product);
    if (ticket->school.len > 0) {
        put_span(text, "\",\"organisationMasterIdentifier\":\"",
                 ticket->school);
    }
    if (ticket->entitlement.len == LP_ENTITLEMENT_LEN) {
        lp_entitlement_uuid(uuid, ticket->entitlement.data);
        put_span(text, "\",\"entitlementId\":\"",
                 (lp_span_t) {uuid, LP_UUID_LEN});
    }
    put_span(text, "\",\"role\":\"",
             ticket->employee ? lp_span("employee") : lp_span("student"));
    put_span(text, "\"}", lp_span(""));
    return text->len <= CLAIMS_MAX ? 0 : -1;
}

/*
 * 128 random bits, in base64url. Asking OpenSSL for a few bytes takes 0.9 us,
 * for many hardly more. What is in store is this process' own: a child that was
 * forked with it draws anew.
 */
static int
draw(char *jti)
{
    static struct {
        unsigned char bytes[JTIS][JTI_BYTES];
        unsigned      left;
        pid_t         owner;
    } store;

    if (store.left == 0 || store.owner != getpid()) {
        if (RAND_bytes(&store.bytes[0][0], sizeof(store.bytes)) != 1) {
            return -1;
        }
        store.left = JTIS;
        store.owner = getpid();
    }
    lp_base64url_encode(jti, store.bytes[--store.left], JTI_BYTES);
    return 0;
}

/* Beyond the end, only the length grows. */
static void
put_span(text_t *text, const char *before, lp_span_t value)
{
    size_t n = strlen(before);

    if (text->len + n + value.len <= CLAIMS_MAX) {
        memcpy(text->bytes + text->len, before, n);
        memcpy(text->bytes + text->len + n, value.data, value.len);
    }
    text->len += n + value.len;
}

int
lp_ticket_append(char *location, size_t *len, size_t cap, lp_span_t parameter,
                 lp_span_t ticket)
{
    const char *hash = memchr(location, '#', *len);
    size_t      at, n = parameter.len + 1 + ticket.len;
    char       *p, before = '\0';

    at = hash == NULL ? *len : (size_t) (hash - location);
    if (memchr(location, '?', at) == NULL) {
        before = '?';
    } else if (location[at - 1] != '?' && location[at - 1] != '&') {
        before = '&';
    }
    n += before != '\0';
    if (*len > cap || n > cap - *len) {
        return -1;
    }
    p = location + at;
    memmove(p + n, p, *len - at);
    if (before != '\0') {
        *p++ = before;
    }
    memcpy(p, parameter.data, parameter.len);
    p += parameter.len;
    *p++ = '=';
    memcpy(p, ticket.data, ticket.len);
    *len += n;
    return 0;
}
