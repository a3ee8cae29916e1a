/*
 * Codes that parties ask for, and take back. A request may be for ten thousand
 * codes: they are written a few hundred in a transaction, each of which also
 * says how far the request is. The request is watched, so that two workers
 * that have it at once (an impatient sender) never write a code twice: it might
 * have been used in between. The last transaction writes the journal entry;
 * before that nobody can know any of the codes.
 *
 * The keys of one transaction lie in several shards here: a code must be found
 * by itself, without knowing who asked for it.
 */

#include "codes.h"

#include <inttypes.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "../core/chars.h"
#include "pairs.h"

#define ATTEMPTS   20  /* others that were quicker */
#define CHUNK      400 /* codes of one transaction */
#define NUMBER_MAX 24  /* room for a number */
#define GROUP      5   /* characters between hyphens */

/* A request as Redis has it. */
typedef struct {
    char      hash[LP_CODE_HASH_LEN];
    char      key[LP_KEY_MAX];
    lp_span_t name; /* the key */
    unsigned  made;
    char      at[NUMBER_MAX];
} stored_t;

static int is_blank(char c);
static size_t key_write(char *dst, const char *kind, const char *hash);
static lp_codes_result_t look_up(lp_store_t *store,
                                 const lp_codes_request_t *request,
                                 stored_t *stored);
static lp_codes_result_t compare(const redisReply *reply,
                                 const lp_codes_request_t *request,
                                 stored_t *stored);
static int same_number(lp_span_t text, uint64_t number);
static uint64_t read_number(lp_span_t text);
static lp_store_status_t write_chunk(lp_service_t *service,
                                     const lp_codes_request_t *request,
                                     const stored_t *stored);
static int add_code(lp_service_t *service, const lp_codes_request_t *request,
                    const stored_t *stored, unsigned i);
static void add_progress(lp_store_t *store, const lp_codes_request_t *request,
                         const stored_t *stored, unsigned made);
static void add_entry(lp_store_t *store, const lp_codes_request_t *request,
                      const stored_t *stored);
static unsigned shard_of(const char *hash);

size_t
lp_code_canonical(char *dst, lp_span_t text)
{
    size_t i, n = 0;
    char   c;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];
        if (is_blank(c)) {
            continue;
        }
        if (n == LP_CODE_TEXT_MAX
            || !lp_char_is((unsigned char) c, LP_CHAR_ALNUM)) {
            return 0;
        }
        dst[n++] = c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
    }
    return n < LP_CODE_TEXT_MIN ? 0 : n;
}

/* What people and their keyboards put between groups. */
static int
is_blank(char c)
{
    return c == ' ' || c == '-' || c == '\t' || c == '\r' || c == '\n';
}

size_t
lp_code_show(char *dst, lp_span_t canonical)
{
    size_t i, n = 0;

    for (i = 0; i < canonical.len; i++) {
        if (canonical.len == LP_CODE_OURS && i > 0 && i % GROUP == 0) {
            dst[n++] = '-';
        }
        dst[n++] = canonical.data[i];
    }
    return n;
}

int
lp_code_hash(char *dst, lp_pepper_t *pepper, lp_span_t canonical)
{
    return lp_user_key(dst, pepper, lp_span("CODE"), canonical);
}

size_t
lp_key_code(char *dst, const char *hash)
{
    return key_write(dst, "code", hash);
}

size_t
lp_key_codes_request(char *dst, const char *hash)
{
    return key_write(dst, "request", hash);
}

static unsigned
shard_of(const char *hash)
{
    return lp_shard((lp_span_t) {hash, LP_CODE_HASH_LEN});
}

static size_t
key_write(char *dst, const char *kind, const char *hash)
{
    return lp_key_of(dst, kind, (lp_span_t) {hash, LP_CODE_HASH_LEN});
}

int
lp_codes_request_hash(char *dst, lp_span_t party, lp_span_t reference)
{
    char text[LP_CODE_NAME_MAX];
    int  n = snprintf(text, sizeof(text), "%.*s|%.*s", (int) party.len,
                      party.data, (int) reference.len, reference.data);

    if (n < 0 || (size_t) n >= sizeof(text)) {
        return -1;
    }
    return lp_ref_id(dst, (lp_span_t) {text, (size_t) n});
}

size_t
lp_code_name(char *dst, lp_span_t party, lp_span_t reference, unsigned i)
{
    int n = snprintf(dst, LP_CODE_NAME_MAX, "%.*s|%.*s|%u", (int) party.len,
                     party.data, (int) reference.len, reference.data, i);

    return n < 0 || n >= LP_CODE_NAME_MAX ? 0 : (size_t) n;
}

/* make */

lp_codes_result_t
lp_codes_make(lp_service_t *service, const lp_codes_request_t *request)
{
    lp_codes_result_t result;
    lp_store_status_t status;
    stored_t          stored;
    unsigned          conflicts = 0;

    if (lp_codes_request_hash(stored.hash, request->party,
                              lp_field(&request->reference)) != 0) {
        return LP_CODES_FAILED;
    }
    stored.name.data = stored.key;
    stored.name.len = lp_key_codes_request(stored.key, stored.hash);
    while (conflicts < ATTEMPTS) {
        result = look_up(service->store, request, &stored);
        if (result != LP_CODES_OK) {
            lp_store_unwatch(service->store);
            return result;
        }
        status = write_chunk(service, request, &stored);
        if (status == LP_STORE_CONFLICT) {
            conflicts++;
        } else if (status != LP_STORE_OK) {
            return LP_CODES_FAILED;
        } else if (stored.made + CHUNK >= request->quantity) {
            return LP_CODES_OK;
        }
    }
    return LP_CODES_FAILED;
}

/* Watches the request and reads how far it is. */
static lp_codes_result_t
look_up(lp_store_t *store, const lp_codes_request_t *request,
        stored_t *stored)
{
    const redisReply *reply, *exists;
    char              product[LP_KEY_MAX];
    size_t            len;

    len = lp_key_product(product, lp_field(&request->product));
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), stored->name));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), stored->name));
    lp_store_add(store, LP_WORDS(lp_span("EXISTS"),
                                 (lp_span_t) {product, len}));
    if (lp_store_run(store) != LP_STORE_OK) {
        return LP_CODES_FAILED;
    }
    reply = lp_store_reply(store, 1);
    exists = lp_store_reply(store, 2);
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements > 0) {
        return compare(reply, request, stored);
    }
    stored->made = 0;
    snprintf(stored->at, sizeof(stored->at), "%" PRId64, lp_service_now());
    return exists != NULL && exists->type == REDIS_REPLY_INTEGER
                   && exists->integer == 1
               ? LP_CODES_OK
               : LP_CODES_NO_PRODUCT;
}

/* What was asked for under this reference before. */
static lp_codes_result_t
compare(const redisReply *reply, const lp_codes_request_t *request,
        stored_t *stored)
{
    lp_span_t at = lp_pairs_find(reply, "at");

    if (!lp_span_equal(lp_pairs_find(reply, "product"),
                       lp_field(&request->product))
        || !lp_span_equal(lp_pairs_find(reply, "contract"),
                          lp_field(&request->contract))
        || !same_number(lp_pairs_find(reply, "quantity"),
                        request->quantity)) {
        return LP_CODES_OTHER;
    }
    stored->made = (unsigned) read_number(lp_pairs_find(reply, "made"));
    snprintf(stored->at, sizeof(stored->at), "%.*s", (int) at.len, at.data);
    return LP_CODES_OK;
}

static uint64_t
read_number(lp_span_t text)
{
    uint64_t n = 0;
    size_t   i;

    for (i = 0; i < text.len && i < NUMBER_MAX - 6; i++) {
        if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_DIGIT)) {
            return 0;
        }
        n = n * 10 + (uint64_t) (text.data[i] - '0');
    }
    return n;
}

static int
same_number(lp_span_t text, uint64_t number)
{
    return text.len > 0 && read_number(text) == number;
}

/* The next codes, and with the last of them the journal entry. */
static lp_store_status_t
write_chunk(lp_service_t *service, const lp_codes_request_t *request,
            const stored_t *stored)
{
    unsigned i, end = stored->made + CHUNK;

    if (end > request->quantity) {
        end = request->quantity;
    }
    lp_store_begin(service->store);
    for (i = stored->made; i < end; i++) {
        if (add_code(service, request, stored, i) != 0) {
            lp_store_add(service->store, LP_WORDS(lp_span("DISCARD")));
            lp_store_run(service->store);
            return LP_STORE_REFUSED;
        }
    }
    if (stored->made < end) {
        add_progress(service->store, request, stored, end);
    }
    if (end == request->quantity) {
        add_entry(service->store, request, stored);
    }
    return lp_store_commit(service->store);
}

static int
add_code(lp_service_t *service, const lp_codes_request_t *request,
         const stored_t *stored, unsigned i)
{
    char   name[LP_CODE_NAME_MAX], shown[LP_CODE_SHOWN_MAX];
    char   code[LP_CODE_TEXT_MAX], hash[LP_CODE_HASH_LEN], key[LP_KEY_MAX];
    size_t len;
    int    rc = -1;

    len = lp_code_name(name, request->party, lp_field(&request->reference), i);
    if (len > 0
        && lp_seal_code(service->seal, shown, (lp_span_t) {name, len}) == 0) {
        len = lp_code_canonical(
            code, (lp_span_t) {shown, LP_CODE_OURS + LP_CODE_OURS / GROUP - 1});
        rc = lp_code_hash(hash, service->pepper, (lp_span_t) {code, len});
        OPENSSL_cleanse(code, sizeof(code));
        OPENSSL_cleanse(shown, sizeof(shown));
    }
    if (rc != 0) {
        return -1;
    }
    len = lp_key_code(key, hash);
    lp_store_add(service->store,
                 LP_WORDS(lp_span("HSET"), {key, len}, lp_span("state"),
                          lp_span("new"), lp_span("party"), request->party,
                          lp_span("product"), lp_field(&request->product),
                          lp_span("request"),
                          {stored->hash, LP_CODE_HASH_LEN},
                          lp_span("contract"),
                          lp_field(&request->contract)));
    return 0;
}

static void
add_progress(lp_store_t *store, const lp_codes_request_t *request,
             const stored_t *stored, unsigned made)
{
    char quantity[NUMBER_MAX], done[NUMBER_MAX];

    snprintf(quantity, sizeof(quantity), "%u", request->quantity);
    snprintf(done, sizeof(done), "%u", made);
    lp_store_add(store,
                 LP_WORDS(lp_span("HSET"), stored->name, lp_span("party"),
                          request->party, lp_span("ref"),
                          lp_field(&request->reference), lp_span("product"),
                          lp_field(&request->product), lp_span("quantity"),
                          lp_span_of(quantity), lp_span("contract"),
                          lp_field(&request->contract), lp_span("at"),
                          lp_span_of(stored->at), lp_span("made"),
                          lp_span_of(done)));
}

static void
add_entry(lp_store_t *store, const lp_codes_request_t *request,
          const stored_t *stored)
{
    char      key[LP_KEY_MAX], quantity[NUMBER_MAX];
    size_t    len = lp_key_journal(key, shard_of(stored->hash));
    lp_span_t words[18] = {
        lp_span("XADD"), {key, len}, lp_span("*"), lp_span("kind"),
        lp_span("codes"), lp_span("party"), request->party, lp_span("ref"),
        lp_field(&request->reference), lp_span("product"),
        lp_field(&request->product), lp_span("quantity"), {NULL, 0},
        lp_span("at"), lp_span_of(stored->at), lp_span("contract"),
        lp_field(&request->contract)};

    snprintf(quantity, sizeof(quantity), "%u", request->quantity);
    words[12] = lp_span_of(quantity);
    lp_store_add(store,
                 (lp_words_t) {words, request->contract.len > 0 ? 17 : 15});
}

/* revoke */

/* A code that is to be revoked, as Redis has it. */
typedef struct {
    char       hash[LP_CODE_HASH_LEN];
    char       key[LP_KEY_MAX];
    lp_span_t  name; /* the key */
    lp_value_t product;
    char       at[NUMBER_MAX]; /* of the first time; else now */
    int        revoked;
} revoked_t;

static lp_codes_result_t find_code(lp_store_t *store, lp_span_t party,
                                   revoked_t *code);
static lp_store_status_t write_revoked(lp_store_t *store, lp_span_t party,
                                       lp_span_t reference,
                                       const revoked_t *code);

lp_codes_result_t
lp_codes_revoke(lp_service_t *service, lp_span_t party, lp_span_t reference,
                lp_span_t canonical)
{
    lp_codes_result_t result;
    lp_store_status_t status;
    revoked_t         code;
    unsigned          i;

    if (lp_code_hash(code.hash, service->pepper, canonical) != 0) {
        return LP_CODES_FAILED;
    }
    code.name.data = code.key;
    code.name.len = lp_key_code(code.key, code.hash);
    for (i = 0; i < ATTEMPTS; i++) {
        result = find_code(service->store, party, &code);
        if (result != LP_CODES_OK) {
            lp_store_unwatch(service->store);
            return result;
        }
        status = write_revoked(service->store, party, reference, &code);
        if (status != LP_STORE_CONFLICT) {
            return status == LP_STORE_OK ? LP_CODES_OK : LP_CODES_FAILED;
        }
    }
    return LP_CODES_FAILED;
}

/* Watches and reads it; another party's is none. */
static lp_codes_result_t
find_code(lp_store_t *store, lp_span_t party, revoked_t *code)
{
    const redisReply *reply;
    lp_span_t         state, at;

    lp_store_add(store, LP_WORDS(lp_span("WATCH"), code->name));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), code->name));
    if (lp_store_run(store) != LP_STORE_OK) {
        return LP_CODES_FAILED;
    }
    reply = lp_store_reply(store, 1);
    if (!lp_span_equal(lp_pairs_find(reply, "party"), party)
        || lp_field_set(&code->product, lp_pairs_find(reply, "product"))
               != 0) {
        return LP_CODES_UNKNOWN;
    }
    state = lp_pairs_find(reply, "state");
    if (lp_span_equal(state, lp_span("used"))) {
        return LP_CODES_USED;
    }
    at = lp_pairs_find(reply, "revoked");
    code->revoked = lp_span_equal(state, lp_span("revoked")) && at.len > 0;
    if (code->revoked) {
        snprintf(code->at, sizeof(code->at), "%.*s", (int) at.len, at.data);
    } else {
        snprintf(code->at, sizeof(code->at), "%" PRId64, lp_service_now());
    }
    return LP_CODES_OK;
}

static lp_store_status_t
write_revoked(lp_store_t *store, lp_span_t party, lp_span_t reference,
              const revoked_t *code)
{
    char   key[LP_KEY_MAX];
    size_t len = lp_key_journal(key, shard_of(code->hash));

    lp_store_begin(store);
    if (!code->revoked) {
        lp_store_add(store, LP_WORDS(lp_span("HSET"), code->name,
                                     lp_span("state"), lp_span("revoked"),
                                     lp_span("revoked"),
                                     lp_span_of(code->at)));
    }
    lp_store_add(store,
                 LP_WORDS(lp_span("XADD"), {key, len}, lp_span("*"),
                          lp_span("kind"), lp_span("codes-revoked"),
                          lp_span("party"), party, lp_span("ref"), reference,
                          lp_span("product"), lp_field(&code->product),
                          lp_span("at"), lp_span_of(code->at)));
    return lp_store_commit(store);
}
