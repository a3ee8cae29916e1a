/*
 * The names and sentences of JOSE errors. What to do next is written for the
 * operator who runs `leerpoort token explain`.
 */

#include "jose_error.h"

#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
} errors[LP_JOSE_ERRORS] = {

    [LP_JOSE_OK] = {"ok", "The token is in order; nothing needs to be done."},

    [LP_JOSE_EMPTY] = {"empty",
        "There is no token; check that the portal sends one and that "
        "leerpoort_token names the place where it is."},

    [LP_JOSE_TOO_LONG] = {"too-long",
        "The token is longer than 8192 bytes; ask the issuer to put fewer "
        "claims into it."},

    [LP_JOSE_NOT_COMPACT] = {"not-compact",
        "The token is not three parts with dots between them; ask the issuer "
        "for a signed token in compact form, not for an encrypted one and not "
        "for the JSON form."},

    [LP_JOSE_BASE64] = {"base64",
        "A part of the token is not strict base64url; check that nothing on "
        "the way pads, wraps or re-encodes it."},

    [LP_JOSE_HEADER_JSON] = {"header-json",
        "The token's header is not a JSON object; check that the whole token "
        "arrives and that it is a token at all."},

    [LP_JOSE_HEADER_MEMBER] = {"header-member",
        "A member of the token's header stands there twice, has a wrong type "
        "or is too long; report this to the issuer."},

    [LP_JOSE_CRIT] = {"crit",
        "The token's header has crit or b64, extensions that Leerpoort does "
        "not know; ask the issuer for tokens without them."},

    [LP_JOSE_EMBEDDED_KEY] = {"embedded-key",
        "The token's header brings a key or an address of one (jwk, jku, x5u, "
        "x5c), which is never trusted; ask the issuer to leave it out."},

    [LP_JOSE_ENCRYPTED] = {"encrypted",
        "The token's header speaks of encryption or compression (enc, zip, "
        "epk); ask the issuer for tokens that are signed only."},

    [LP_JOSE_ALG_MISSING] = {"alg-missing",
        "The token's header names no algorithm; report this to the issuer."},

    [LP_JOSE_ALG_UNKNOWN] = {"alg-unknown",
        "The token's algorithm is none or one that Leerpoort does not know; "
        "ask the issuer for one of those in docs/directives.md."},

    [LP_JOSE_ALG_REFUSED] = {"alg-refused",
        "The token's algorithm is not allowed for this issuer; if the issuer "
        "is right, add it to algorithms."},

    [LP_JOSE_KEY_UNKNOWN] = {"key-unknown",
        "No usable key has the token's kid, or none fits its algorithm; check "
        "that the JWKS file is the issuer's present one and see the log for "
        "keys that were left out."},

    [LP_JOSE_KEY_AMBIGUOUS] = {"key-ambiguous",
        "The token names no key and several would fit; ask the issuer to send "
        "a kid."},

    [LP_JOSE_KEY_ALG] = {"key-alg",
        "The token's key is bound to another algorithm than the token's; "
        "compare alg in the JWKS file with what the issuer says it uses."},

    [LP_JOSE_SIGNATURE] = {"signature",
        "The signature is wrong: the token was changed, or signed with another "
        "key; check the JWKS file, and treat it as an attack if that is "
        "right."},

    [LP_JOSE_TYPE] = {"type",
        "The token's typ or cty says that it is no single-sign-on token; check "
        "which token the portal sends."},

    [LP_JOSE_CLAIMS_JSON] = {"claims-json",
        "The token's payload is not a JSON object that can be read; report "
        "this to the issuer."},

    [LP_JOSE_CLAIM_TWICE] = {"claim-twice",
        "A claim stands in the token twice, so that nobody can tell which one "
        "counts; report this to the issuer."},

    [LP_JOSE_ISS_MISSING] = {"iss-missing",
        "The token does not say who issued it; ask the issuer for iss."},

    [LP_JOSE_ISS_TYPE] = {"iss-type",
        "The claim iss is not a string; report this to the issuer."},

    [LP_JOSE_ISS_WRONG] = {"iss-wrong",
        "The token is from another issuer; compare its iss with the one that "
        "is configured, letter by letter."},

    [LP_JOSE_AUD_MISSING] = {"aud-missing",
        "The token does not say for whom it is; ask the issuer for aud."},

    [LP_JOSE_AUD_TYPE] = {"aud-type",
        "The claim aud is neither a string nor a list of strings; report this "
        "to the issuer."},

    [LP_JOSE_AUD_WRONG] = {"aud-wrong",
        "The token is for somebody else; compare its aud with the audiences "
        "that are configured."},

    [LP_JOSE_EXP_MISSING] = {"exp-missing",
        "The token does not say when it expires; ask the issuer for exp."},

    [LP_JOSE_EXP_TYPE] = {"exp-type",
        "The claim exp is not a whole number; report this to the issuer."},

    [LP_JOSE_EXP_ABSURD] = {"exp-absurd",
        "The claim exp is negative, after the year 9999, or before iat or nbf; "
        "check that the issuer counts in seconds."},

    [LP_JOSE_EXPIRED] = {"expired",
        "The token has expired; log in again, and compare the clocks if it is "
        "new."},

    [LP_JOSE_NBF_TYPE] = {"nbf-type",
        "The claim nbf is not a whole number; report this to the issuer."},

    [LP_JOSE_NBF_ABSURD] = {"nbf-absurd",
        "The claim nbf is negative or after the year 9999; check that the "
        "issuer counts in seconds."},

    [LP_JOSE_NOT_BEFORE] = {"not-before",
        "The token is not valid yet; compare the clocks, and set leeway if "
        "they differ by seconds."},

    [LP_JOSE_IAT_MISSING] = {"iat-missing",
        "The token does not say when it was issued, which max_age needs; ask "
        "the issuer for iat or remove max_age."},

    [LP_JOSE_IAT_TYPE] = {"iat-type",
        "The claim iat is not a whole number; report this to the issuer."},

    [LP_JOSE_IAT_ABSURD] = {"iat-absurd",
        "The claim iat is negative or after the year 9999; check that the "
        "issuer counts in seconds."},

    [LP_JOSE_IAT_AHEAD] = {"iat-ahead",
        "The token was issued in the future; compare the clocks, and set "
        "leeway if they differ by seconds."},

    [LP_JOSE_TOO_OLD] = {"too-old",
        "The token was issued longer ago than max_age allows; log in again."},

    [LP_JOSE_USER_MISSING] = {"user-missing",
        "None of the configured user claims is in the token; compare the "
        "issuer's user lines with what the token holds."},

    [LP_JOSE_USER_TYPE] = {"user-type",
        "A user claim is no string, too long or holds control characters; "
        "report this to the issuer."},

    [LP_JOSE_SCHOOL_TYPE] = {"school-type",
        "The school claim is no string, too long or holds characters that no "
        "school id has; report this to the issuer."},

    [LP_JOSE_MEMORY] = {"memory",
        "Memory ran out while the token was checked; look at what else runs "
        "on this machine."},
};

const char *
lp_jose_error_name(lp_jose_error_t error)
{
    return (unsigned) error < LP_JOSE_ERRORS ? errors[error].name : "unknown";
}


const char *
lp_jose_error_text(lp_jose_error_t error)
{
    return (unsigned) error < LP_JOSE_ERRORS
               ? errors[error].text
               : "The error has no description; report this.";
}
