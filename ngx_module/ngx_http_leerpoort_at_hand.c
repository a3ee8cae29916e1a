/*
 * Tokens at hand: what the tokens say that this worker met last, in its own
 * memory.
 *
 * To find a token in the zone takes its SHA-256, and then a chain and a record
 * that lie anywhere: 1 us and more for each of 120,000 pupils, twice what the
 * module does besides. Here it takes a mark (core/token_mark.h) and one stretch
 * of memory. Where that is follows from the token's last bytes, so that it is
 * on its way before it is needed. Tokens themselves are not kept.
 *
 * A token has one of a few neighbouring places; where all are taken, it takes
 * that of another one, which is then found in the zone. Whether what is found
 * still counts is for the caller to judge, here as there.
 */

#include "ngx_http_leerpoort.h"

#include <openssl/rand.h>

#include "token_mark.h"

#define NGX_HTTP_LEERPOORT_SHARE      8  /* of the zone's size: one in ... */
#define NGX_HTTP_LEERPOORT_SIZE_MAX   (128 * 1024 * 1024)
#define NGX_HTTP_LEERPOORT_PLACES     4  /* that a token may have */
#define NGX_HTTP_LEERPOORT_CACHELINE  64

typedef struct {
    lp_token_mark_t                mark;
    ngx_http_leerpoort_identity_t  identity; /* until 0: nobody's */
} ngx_http_leerpoort_at_hand_t;

static ngx_http_leerpoort_at_hand_t *ngx_http_leerpoort_places(
    lp_span_t token);
static void ngx_http_leerpoort_hold(size_t zone);

/* Made when the first token comes; list NULL: not made. */
static struct {
    ngx_http_leerpoort_at_hand_t  *list;
    uint64_t                       n;   /* places where one may begin */
    lp_token_mark_key_t            key;
} ngx_http_leerpoort_hand;


/* A hint that a token will be looked for. */
void
ngx_http_leerpoort_at_hand_expect(lp_span_t token)
{
    size_t                         i;
    ngx_http_leerpoort_at_hand_t  *place;

    place = ngx_http_leerpoort_places(token);
    if (place == NULL) {
        return;
    }

    for (i = 0; i < sizeof(*place); i += NGX_HTTP_LEERPOORT_CACHELINE) {
        __builtin_prefetch((const char *) place + i);
    }
}


/* What a token said when it was verified; NGX_DECLINED: it is not at hand. */
ngx_int_t
ngx_http_leerpoort_at_hand_find(ngx_http_leerpoort_identity_t *identity,
    lp_span_t token)
{
    ngx_uint_t                     i;
    lp_token_mark_t                mark;
    ngx_http_leerpoort_at_hand_t  *place;

    place = ngx_http_leerpoort_places(token);
    if (place == NULL) {
        return NGX_DECLINED;
    }

    lp_token_mark(&mark, &ngx_http_leerpoort_hand.key, token);

    for (i = 0; i < NGX_HTTP_LEERPOORT_PLACES; i++) {
        if (lp_token_mark_equal(&place[i].mark, &mark)) {
            *identity = place[i].identity;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * Keeps what a verified token says, in the place where it was, in a free one or
 * in that of another token. zone: the size of the zone.
 */
void
ngx_http_leerpoort_at_hand_keep(lp_span_t token,
    const ngx_http_leerpoort_identity_t *identity, size_t zone)
{
    ngx_uint_t                     i;
    lp_token_mark_t                mark;
    ngx_http_leerpoort_at_hand_t  *place;

    if (ngx_http_leerpoort_hand.list == NULL) {
        ngx_http_leerpoort_hold(zone);
    }

    place = ngx_http_leerpoort_places(token);
    if (place == NULL) {
        return;
    }

    lp_token_mark(&mark, &ngx_http_leerpoort_hand.key, token);

    for (i = 0; i < NGX_HTTP_LEERPOORT_PLACES; i++) {
        if (place[i].identity.until == 0
            || lp_token_mark_equal(&place[i].mark, &mark))
        {
            break;
        }
    }

    if (i == NGX_HTTP_LEERPOORT_PLACES) {
        i = mark.words[0] % NGX_HTTP_LEERPOORT_PLACES;
    }

    place[i].mark = mark;
    place[i].identity = *identity;
}


/* The first of the places that a token may have; NULL: it has none. */
static ngx_http_leerpoort_at_hand_t *
ngx_http_leerpoort_places(lp_span_t token)
{
    uint64_t  end;

    if (ngx_http_leerpoort_hand.list == NULL
        || token.len < sizeof(end) || token.len > LP_TOKEN_MARK_TEXT)
    {
        return NULL;
    }

    /* the signature's last bytes are as good as random */
    ngx_memcpy(&end, token.data + token.len - sizeof(end), sizeof(end));
    end = end * 0x9e3779b97f4a7c15ULL >> 32;

    return &ngx_http_leerpoort_hand.list[end * ngx_http_leerpoort_hand.n
                                         >> 32];
}


/*
 * Without memory or random bytes nothing is at hand. Huge pages, where the
 * system has them, spare a click the search for the page (0.1 us).
 */
static void
ngx_http_leerpoort_hold(size_t zone)
{
    void    *list;
    size_t   n, size;

    n = ngx_min(zone / NGX_HTTP_LEERPOORT_SHARE, NGX_HTTP_LEERPOORT_SIZE_MAX)
        / sizeof(ngx_http_leerpoort_at_hand_t);
    size = (n + NGX_HTTP_LEERPOORT_PLACES)
           * sizeof(ngx_http_leerpoort_at_hand_t);

    if (RAND_bytes((u_char *) &ngx_http_leerpoort_hand.key,
                   sizeof(ngx_http_leerpoort_hand.key))
        != 1)
    {
        return;
    }

    list = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS,
                -1, 0);
    if (list == MAP_FAILED) {
        return;
    }

#ifdef MADV_HUGEPAGE
    (void) madvise(list, size, MADV_HUGEPAGE);
#endif

    ngx_http_leerpoort_hand.list = list;
    ngx_http_leerpoort_hand.n = n;
}
