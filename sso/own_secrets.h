/*
 * The secrets in files that sso.json names: the session key, and what proves to
 * providers that it is Leerpoort who asks. leerpoort-sso alone reads them, not
 * leerpoort-keys.
 */

#ifndef LP_OWN_SECRETS_H
#define LP_OWN_SECRETS_H

#include "sso.h"

#define LP_CLIENT_SECRET_MAX 512

/* The first line of a file (NULL: there is none), into dst; len 0: it can't be
   read, is empty or too long. */
lp_span_t lp_client_secret_read(char dst[LP_CLIENT_SECRET_MAX + 2],
                                const char *path);

/*
 * Looks at all of them before anybody comes, and says what is wrong with which.
 * Returns 0; -1: no session can be signed, so that nobody could come in. A
 * provider whose secret is missing is not all of them: the others serve.
 */
int lp_own_secrets_look(lp_sso_t *sso);

#endif
