/*
 * The claims of a token. Signature first: what follows then speaks of a token
 * that the issuer really made, and its error may be shown to the operator
 * as the issuer's. The claims are read once, by lp_token_open(); no string is
 * copied.
 */

#include "token.h"

#include "json.h"
#include "keys.h"
#include "text.h"

/* exp, nbf and iat as the token has them. */
typedef struct {
    int64_t exp;
    int64_t nbf; /* 0: none */
    int64_t iat; /* likewise */
    int     has_iat;
} times_t;

/* What may be wrong with one of them. */
typedef struct {
    lp_jose_error_t type;
    lp_jose_error_t absurd;
} time_errors_t;

static int type_allowed(const lp_jws_t *jws);
static int equal_text(lp_span_t text, const char *lower);
static lp_jose_error_t check_issuer(const json_t *claims,
                                    const lp_issuer_t *issuer);
static lp_jose_error_t check_audience(const json_t *claims,
                                      const lp_issuer_t *issuer);
static int audience_matches(const json_t *aud, const lp_issuer_t *issuer);
static lp_jose_error_t read_times(times_t *times, const json_t *claims,
                                  int fractions);
static lp_jose_error_t read_time(int64_t *time, const json_t *claim,
                                 int fractions, time_errors_t errors);
static lp_jose_error_t check_times(const times_t *times,
                                   const lp_issuer_t *issuer, int64_t now);
static int has_ended(const json_t *claims, const lp_issuer_t *issuer,
                     int64_t now);
static int64_t later(int64_t time, int64_t seconds);
static lp_jose_error_t read_users(lp_token_t *token, const json_t *claims,
                                  const lp_issuer_t *issuer);
static int known_user(const lp_token_t *token, const lp_id_t *id);
static lp_jose_error_t read_school(lp_token_t *token, const json_t *claims,
                                   const lp_issuer_t *issuer);
static int is_employee(const lp_token_t *token, const json_t *claims,
                       const lp_issuer_t *issuer);
static int has_value(const json_t *claim, lp_span_t value);
static int lacks_eck(const lp_token_t *token, const lp_issuer_t *issuer);
static int read_id(lp_id_t *id, const json_t *claims, const lp_claim_t *claim,
                   size_t max);

lp_jose_error_t
lp_token_open(lp_token_t *token, lp_span_t text)
{
    json_t           *iss;
    lp_jose_error_t   error;
    lp_json_error_t   why;
    lp_json_memory_t *memory;

    token->claims = NULL;
    token->memory = NULL;
    token->iss = (lp_span_t) {NULL, 0};
    token->iat = 0;
    token->exp = 0;
    token->n_users = 0;
    token->employee = 0;
    memset(&token->school, 0, sizeof(lp_id_t));

    error = lp_jws_parse(&token->jws, text);
    if (error != LP_JOSE_OK) {
        return error;
    }

    token->claims = lp_json_read(token->jws.payload, &memory, &why);
    if (token->claims == NULL) {
        return why == LP_JSON_MEMORY  ? LP_JOSE_MEMORY
               : why == LP_JSON_TWICE ? LP_JOSE_CLAIM_TWICE
                                      : LP_JOSE_CLAIMS_JSON;
    }

    token->memory = memory;

    iss = json_object_get(token->claims, "iss");
    if (json_is_string(iss)) {
        token->iss = lp_json_text(iss);
    }

    return LP_JOSE_OK;
}


lp_jose_error_t
lp_token_check(lp_token_t *token, const lp_issuer_t *issuer, int64_t now)
{
    times_t          times;
    const json_t    *claims;
    lp_jose_error_t  error;

    claims = token->claims;
    error = lp_jws_verify(&token->jws, issuer->keys, &issuer->algs);

    if (error == LP_JOSE_KEY_UNKNOWN && has_ended(claims, issuer, now)) {
        return LP_JOSE_EXPIRED;
    }

    if (error == LP_JOSE_OK && !type_allowed(&token->jws)) {
        error = LP_JOSE_TYPE;
    }

    if (error == LP_JOSE_OK) {
        error = check_issuer(claims, issuer);
    }

    if (error == LP_JOSE_OK) {
        error = check_audience(claims, issuer);
    }

    if (error == LP_JOSE_OK) {
        error = read_times(&times, claims, issuer->fractions);
    }

    if (error == LP_JOSE_OK) {
        error = check_times(&times, issuer, now);
    }

    if (error == LP_JOSE_OK) {
        token->exp = times.exp;
        token->iat = times.iat;
        error = read_users(token, claims, issuer);
    }

    if (error == LP_JOSE_OK) {
        error = read_school(token, claims, issuer);
    }

    if (error == LP_JOSE_OK) {
        token->employee = is_employee(token, claims, issuer);
    }

    return error;
}


/* RFC 7519 sections 5.1 and 5.2, RFC 9068 section 2.1. */
static int
type_allowed(const lp_jws_t *jws)
{
    size_t           len;
    lp_span_t        typ, head;
    static const char prefix[] = "application/";

    if (jws->cty.data != NULL) {
        return 0;
    }

    typ = jws->typ;
    if (typ.data == NULL) {
        return 1;
    }

    len = sizeof(prefix) - 1;
    head.data = typ.data;
    head.len = len;

    if (typ.len > len && equal_text(head, prefix)) {
        typ.data += len;
        typ.len -= len;
    }

    return equal_text(typ, "jwt") || equal_text(typ, "at+jwt");
}


/* Whatever the case of ASCII letters in text; lower has none in upper case. */
static int
equal_text(lp_span_t text, const char *lower)
{
    char   c;
    size_t i;

    if (text.len != strlen(lower)) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (c >= 'A' && c <= 'Z') {
            c = (char) (c - 'A' + 'a');
        }

        if (c != lower[i]) {
            return 0;
        }
    }

    return 1;
}


static lp_jose_error_t
check_issuer(const json_t *claims, const lp_issuer_t *issuer)
{
    json_t *iss;

    iss = json_object_get(claims, "iss");
    if (iss == NULL) {
        return LP_JOSE_ISS_MISSING;
    }

    if (!json_is_string(iss)) {
        return LP_JOSE_ISS_TYPE;
    }

    return lp_span_equal(lp_json_text(iss), issuer->iss) ? LP_JOSE_OK
                                                      : LP_JOSE_ISS_WRONG;
}


/* A string or an array of strings; one that is ours suffices. */
static lp_jose_error_t
check_audience(const json_t *claims, const lp_issuer_t *issuer)
{
    int           ours;
    size_t        i;
    const json_t *aud, *one;

    aud = json_object_get(claims, "aud");
    if (aud == NULL) {
        return LP_JOSE_AUD_MISSING;
    }

    if (json_is_string(aud)) {
        return audience_matches(aud, issuer) ? LP_JOSE_OK : LP_JOSE_AUD_WRONG;
    }

    if (!json_is_array(aud)) {
        return LP_JOSE_AUD_TYPE;
    }

    if (json_array_size(aud) == 0) {
        return LP_JOSE_AUD_MISSING;
    }

    ours = 0;

    for (i = 0; i < json_array_size(aud); i++) {

        one = json_array_get(aud, i);
        if (!json_is_string(one)) {
            return LP_JOSE_AUD_TYPE;
        }

        ours |= audience_matches(one, issuer);
    }

    return ours ? LP_JOSE_OK : LP_JOSE_AUD_WRONG;
}


static int
audience_matches(const json_t *aud, const lp_issuer_t *issuer)
{
    unsigned i;

    for (i = 0; i < issuer->n_audiences; i++) {
        if (lp_span_equal(lp_json_text(aud), issuer->audiences[i])) {
            return 1;
        }
    }

    return 0;
}


static lp_jose_error_t
read_times(times_t *times, const json_t *claims, int fractions)
{
    json_t          *exp, *iat;
    lp_jose_error_t  error;

    exp = json_object_get(claims, "exp");
    if (exp == NULL) {
        return LP_JOSE_EXP_MISSING;
    }

    iat = json_object_get(claims, "iat");
    times->has_iat = iat != NULL;

    error = read_time(&times->exp, exp, fractions,
                      (time_errors_t) {LP_JOSE_EXP_TYPE, LP_JOSE_EXP_ABSURD});

    if (error == LP_JOSE_OK) {
        error = read_time(&times->nbf, json_object_get(claims, "nbf"),
                          fractions,
                          (time_errors_t) {LP_JOSE_NBF_TYPE,
                                           LP_JOSE_NBF_ABSURD});
    }

    if (error == LP_JOSE_OK) {
        error = read_time(&times->iat, iat, fractions,
                          (time_errors_t) {LP_JOSE_IAT_TYPE,
                                           LP_JOSE_IAT_ABSURD});
    }

    return error;
}


/* An absent time is 0, which lies before every other. */
static lp_jose_error_t
read_time(int64_t *time, const json_t *claim, int fractions,
          time_errors_t errors)
{
    double number;

    *time = 0;

    if (claim == NULL) {
        return LP_JOSE_OK;
    }

    if (fractions && json_is_real(claim)) {
        number = json_real_value(claim);
        if (number < 0 || number > (double) LP_TIME_MAX) {
            return errors.absurd; /* not every number fits into an integer */
        }

        *time = (int64_t) number;
        return LP_JOSE_OK;
    }

    if (!json_is_integer(claim)) {
        return errors.type;
    }

    *time = json_integer_value(claim);

    return *time < 0 || *time > LP_TIME_MAX ? errors.absurd : LP_JOSE_OK;
}


static lp_jose_error_t
check_times(const times_t *times, const lp_issuer_t *issuer, int64_t now)
{
    if (now >= later(times->exp, issuer->leeway)) {
        return LP_JOSE_EXPIRED;
    }

    if (times->exp < times->iat || times->exp < times->nbf) {
        return LP_JOSE_EXP_ABSURD;
    }

    if (times->nbf > later(now, issuer->leeway)) {
        return LP_JOSE_NOT_BEFORE;
    }

    if (times->iat > later(now, issuer->leeway)) {
        return LP_JOSE_IAT_AHEAD;
    }

    if (issuer->max_age <= 0) {
        return LP_JOSE_OK;
    }

    if (!times->has_iat) {
        return LP_JOSE_IAT_MISSING;
    }

    if (now >= later(later(times->iat, issuer->max_age), issuer->leeway)) {
        return LP_JOSE_TOO_OLD;
    }

    return LP_JOSE_OK;
}


/*
 * Nobody vouches for these claims, and nobody has to: whatever made such a
 * token, it is of no use. Browsers keep theirs longer than keys are kept, and
 * who comes back is to get another, not to read that theirs is wrong.
 */
static int
has_ended(const json_t *claims, const lp_issuer_t *issuer, int64_t now)
{
    times_t times;

    return read_times(&times, claims, issuer->fractions) == LP_JOSE_OK
           && check_times(&times, issuer, now) == LP_JOSE_EXPIRED;
}


/* time + seconds, or the last moment that there is. */
static int64_t
later(int64_t time, int64_t seconds)
{
    if (seconds <= 0) {
        return time;
    }

    return time > INT64_MAX - seconds ? INT64_MAX : time + seconds;
}


static lp_jose_error_t
read_users(lp_token_t *token, const json_t *claims, const lp_issuer_t *issuer)
{
    lp_id_t  id;
    unsigned i;

    token->n_users = 0;

    for (i = 0; i < issuer->n_users && token->n_users < LP_TOKEN_USERS; i++) {

        if (read_id(&id, claims, &issuer->users[i], LP_USER_ID_MAX) != 0) {
            token->n_users = 0;
            return LP_JOSE_USER_TYPE;
        }

        if (id.id.data != NULL && !known_user(token, &id)) {
            token->users[token->n_users++] = id;
        }
    }

    if (issuer->n_users > 0 && token->n_users == 0) {
        return LP_JOSE_USER_MISSING;
    }

    return LP_JOSE_OK;
}


static int
known_user(const lp_token_t *token, const lp_id_t *id)
{
    unsigned i;

    for (i = 0; i < token->n_users; i++) {
        if (lp_span_equal(token->users[i].id_type, id->id_type)
            && lp_span_equal(token->users[i].id, id->id))
        {
            return 1;
        }
    }

    return 0;
}


static lp_jose_error_t
read_school(lp_token_t *token, const json_t *claims, const lp_issuer_t *issuer)
{
    lp_id_t  id;
    unsigned i;

    memset(&token->school, 0, sizeof(lp_id_t));

    for (i = 0; i < issuer->n_schools; i++) {

        if (read_id(&id, claims, &issuer->schools[i], LP_SCHOOL_ID_MAX) != 0) {
            return LP_JOSE_SCHOOL_TYPE;
        }

        if (id.id.data == NULL) {
            continue;
        }

        if (lp_span_equal(id.id_type, lp_span("MASTER"))
            && !lp_school_valid(id.id))
        {
            return LP_JOSE_SCHOOL_TYPE;
        }

        token->school = id;
        break;
    }

    return LP_JOSE_OK;
}


/* A claim that is there decides, also against the ECK iD. */
static int
is_employee(const lp_token_t *token, const json_t *claims,
            const lp_issuer_t *issuer)
{
    int              told;
    unsigned         i;
    const json_t    *claim;
    const lp_mark_t *mark;

    told = 0;

    for (i = 0; i < issuer->n_employees; i++) {

        mark = &issuer->employees[i];
        claim = json_object_getn(claims, mark->claim.data, mark->claim.len);

        if (claim == NULL || json_is_null(claim)) {
            continue;
        }

        if (has_value(claim, mark->value)) {
            return 1;
        }

        told = 1;
    }

    return !told && lacks_eck(token, issuer);
}


static int
has_value(const json_t *claim, lp_span_t value)
{
    size_t        i;
    const json_t *one;

    if (json_is_string(claim)) {
        return lp_span_equal(lp_json_text(claim), value);
    }

    for (i = 0; i < json_array_size(claim); i++) {

        one = json_array_get(claim, i);
        if (json_is_string(one) && lp_span_equal(lp_json_text(one), value)) {
            return 1;
        }
    }

    return 0;
}


/* No ECK iD in a token that might have had one. */
static int
lacks_eck(const lp_token_t *token, const lp_issuer_t *issuer)
{
    int      given;
    unsigned i;

    given = 0;

    for (i = 0; i < issuer->n_users; i++) {
        given |= lp_span_equal(issuer->users[i].id_type, lp_span("ECK"));
    }

    for (i = 0; i < token->n_users; i++) {
        if (lp_span_equal(token->users[i].id_type, lp_span("ECK"))) {
            return 0;
        }
    }

    return given;
}


/* id->id.data becomes NULL where the claim does not count. Returns -1 where it
   is not a usable string. */
static int
read_id(lp_id_t *id, const json_t *claims, const lp_claim_t *claim, size_t max)
{
    const json_t *value;

    memset(id, 0, sizeof(lp_id_t));

    value = json_object_getn(claims, claim->claim.data, claim->claim.len);
    if (value == NULL || json_is_null(value)) {
        return 0;
    }

    if (!json_is_string(value) || json_string_length(value) > max) {
        return -1;
    }

    if (json_string_length(value) == 0) {
        return 0;
    }

    id->id_type = claim->id_type;
    id->id = lp_json_text(value);

    return lp_has_control(id->id) ? -1 : 0;
}



void
lp_token_close(lp_token_t *token)
{
    lp_json_release(token->memory);
    token->memory = NULL;
    token->claims = NULL;
    token->iss = (lp_span_t) {NULL, 0};
    token->n_users = 0;
    token->employee = 0;
    token->school.id = (lp_span_t) {NULL, 0};
}
