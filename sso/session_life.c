/*
 * Lifetimes, all counted from the session's last token. The session ends
 * "lifetime" after the sign-in at the latest, and no token outlives it. Where
 * it slides, Redis lets it expire "idle" after the end of its last token: what
 * happens while a token lives is not seen here, so that counting from its
 * beginning would end a session in use. Both cookies, the token's and that of
 * the session (session.c), live as long as the browser: who closes it on a
 * school's computer has gone, and whoever opens it next is somebody else. A
 * token that has run out and is still sent is, to the edge, none.
 */

#include "session_life.h"

#define COOKIE 4000 /* bytes of a token: browsers keep 4096 with its name */

static int64_t
token_ends(const lp_session_t *session, const lp_sites_t *sites)
{
    int64_t ends = session->used + sites->token_life;

    return ends < session->until ? ends : session->until;
}

int64_t
lp_session_left(const lp_session_t *session, const lp_sites_t *sites)
{
    int64_t ends = session->until, left;

    if (sites->idle > 0
        && session->used + sites->token_life + sites->idle < ends) {
        ends = session->used + sites->token_life + sites->idle;
    }
    left = ends - lp_service_now();
    return left > 0 ? left : 1;
}

size_t
lp_session_make_token(const lp_session_t *session, lp_sso_t *sso,
                      const lp_who_t *who, char *dst)
{
    int64_t life = token_ends(session, lp_sites(sso->providers))
                   - session->used;
    size_t  len = lp_session_token(sso, who, life, session->used, dst);

    return len <= COOKIE ? len : 0;
}

void
lp_session_put_token(lp_visit_t *visit, lp_span_t token)
{
    lp_set_cookie_t cookie = {"leerpoort", token, -1, "Lax",
                              lp_sso_is_secure(visit->sso), 0};

    (void) lp_answer_cookie(&visit->request, &cookie);
}

void
lp_session_hide_former(lp_visit_t *visit)
{
    (void) lp_answer_header(&visit->request, "Clear-Site-Data",
                            lp_span("\"cache\""));
}
