/*
 * Why a token or a key was refused: one value for each reason, a short name
 * for machines and a sentence for people. The sentences hold no part of the
 * token. The numbers are part of support codes that people wrote down: new ones
 * go before LP_JOSE_ERRORS, at the end.
 */

#ifndef LP_JOSE_ERROR_H
#define LP_JOSE_ERROR_H

typedef enum {
    LP_JOSE_OK = 0,

    /* the JWS layer */
    LP_JOSE_EMPTY,          /* no bytes */
    LP_JOSE_TOO_LONG,       /* more than LP_TOKEN_MAX bytes */
    LP_JOSE_NOT_COMPACT,    /* not three parts: JWE, JSON serialisation ... */
    LP_JOSE_BASE64,         /* a part is not strict base64url */
    LP_JOSE_HEADER_JSON,    /* the header is not a JSON object */
    LP_JOSE_HEADER_MEMBER,  /* a header member twice, or of a wrong type */
    LP_JOSE_CRIT,           /* crit or b64 */
    LP_JOSE_EMBEDDED_KEY,   /* jwk, jku, x5u, x5c */
    LP_JOSE_ENCRYPTED,      /* enc or zip: JWE members in a JWS */
    LP_JOSE_ALG_MISSING,
    LP_JOSE_ALG_UNKNOWN,    /* "none" among them */
    LP_JOSE_ALG_REFUSED,    /* known, but not for this issuer */
    LP_JOSE_KEY_UNKNOWN,    /* no key with this kid */
    LP_JOSE_KEY_AMBIGUOUS,  /* no kid, and several keys fit */
    LP_JOSE_KEY_ALG,        /* the key is bound to another algorithm */
    LP_JOSE_SIGNATURE,

    /* the claims; from aud on, of a token that its issuer has signed */
    LP_JOSE_TYPE,           /* typ or cty: not an access or id token */
    LP_JOSE_CLAIMS_JSON,    /* the payload is not a JSON object */
    LP_JOSE_CLAIM_TWICE,    /* a duplicate member */
    LP_JOSE_ISS_MISSING,
    LP_JOSE_ISS_TYPE,
    LP_JOSE_ISS_WRONG,
    LP_JOSE_AUD_MISSING,
    LP_JOSE_AUD_TYPE,
    LP_JOSE_AUD_WRONG,
    LP_JOSE_EXP_MISSING,
    LP_JOSE_EXP_TYPE,
    LP_JOSE_EXP_ABSURD,
    LP_JOSE_EXPIRED,
    LP_JOSE_NBF_TYPE,
    LP_JOSE_NBF_ABSURD,
    LP_JOSE_NOT_BEFORE,     /* nbf lies ahead */
    LP_JOSE_IAT_MISSING,    /* asked for by max_age */
    LP_JOSE_IAT_TYPE,
    LP_JOSE_IAT_ABSURD,
    LP_JOSE_IAT_AHEAD,
    LP_JOSE_TOO_OLD,        /* iat + max_age has passed */
    LP_JOSE_USER_MISSING,
    LP_JOSE_USER_TYPE,      /* a user claim that is not a usable string */
    LP_JOSE_SCHOOL_TYPE,    /* likewise the school */

    LP_JOSE_MEMORY,         /* malloc or OpenSSL ran out of memory */
    LP_JOSE_ERRORS
} lp_jose_error_t;

/* "exp-missing"; never NULL. */
const char *lp_jose_error_name(lp_jose_error_t error);

/* A full sentence in English, for an operator: what is wrong, what to do. */
const char *lp_jose_error_text(lp_jose_error_t error);

#endif
