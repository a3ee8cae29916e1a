/*
 * The judge. One error stands above all others: that a browser follows an
 * answer to a place where this pupil must not be. So it is looked for first,
 * whatever else is wrong with the answer, and it knows no tolerance. A browser
 * that is sent to the login instead has lost its way, but has seen nothing of
 * others: that is another outcome.
 */

#include "judge.h"

#include <string.h>

static int followed(const lp_answer_t *answer);
static int as_expected(const lp_expected_t *expected,
                       const lp_answer_t *answer);
static int begins(const lp_answer_t *answer, const char *text, size_t len);


lp_end_t
lp_judge(const lp_expected_t *expected, const lp_answer_t *answer,
         const char *login)
{
    size_t login_len = strlen(login);
    int    location = as_expected(expected, answer);

    if (followed(answer) && !location
        && !(login_len > 0 && answer->outcome == LP_LOGIN
             && begins(answer, login, login_len)))
    {
        return LP_END_WRONG_REDIRECT;
    }

    if (answer->status == 429) {
        return LP_END_LIMITED;
    }
    if (answer->status >= 500) {
        return LP_END_UNAVAILABLE;
    }

    return location && answer->status == expected->status
                   && answer->outcome == expected->outcome
               ? LP_END_RIGHT
               : LP_END_WRONG_OUTCOME;
}


/* Whether a browser goes where the Location says (RFC 9110, section 15.4). */
static int
followed(const lp_answer_t *answer)
{
    return answer->redirects && answer->status >= 300 && answer->status < 400;
}


static int
as_expected(const lp_expected_t *expected, const lp_answer_t *answer)
{
    if (expected->location_len == 0) {
        return !answer->redirects;
    }
    if (!answer->redirects
        || (answer->location_len != expected->location_len
            && expected->outcome != LP_LOGIN))
    {
        return 0;
    }
    return begins(answer, expected->location, expected->location_len);
}


/* len: at most LP_LOCATION_KEPT, of which longer ones have their beginning: a
   login's address, with all that single sign-on hangs on it, may be long. */
static int
begins(const lp_answer_t *answer, const char *text, size_t len)
{
    return answer->location_len >= len
           && memcmp(answer->location, text, len) == 0;
}
