/*
 * A file that was forgotten is to be a line when leerpoort-sso starts, not a
 * page that the first pupil of the day gets. Each is read again when it is
 * needed: that a secret was changed needs no restart.
 */

#include "own_secrets.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "../workers/input.h"
#include "../workers/key_file.h"
#include "../workers/say.h"
#include "session_key.h"

static const char *fault_of(lp_sso_t *sso, const lp_provider_t *provider);
static const char *fault_of_secret(const char *path);
static const char *fault_of_key(lp_sso_t *sso, const char *path);

int
lp_own_secrets_look(lp_sso_t *sso)
{
    const lp_sites_t *sites = lp_sites(sso->providers);
    const char       *fault;
    unsigned          i;

    for (i = 0; i < sites->n; i++) {
        fault = fault_of(sso, &sites->list[i]);
        if (fault != NULL) {
            lp_say("nobody can sign in at the provider %.*s yet: %s",
                   (int) sites->list[i].name.len, sites->list[i].name.data,
                   fault);
        }
    }
    return lp_session_key_signer(sso->session_key, sites->session_key) == NULL
               ? -1
               : 0;
}

/* NULL: none that can be seen from here. */
static const char *
fault_of(lp_sso_t *sso, const lp_provider_t *provider)
{
    switch (provider->auth) {
    case LP_AUTH_NONE:
        return NULL;
    case LP_AUTH_KEY:
        return fault_of_key(sso, provider->key_file);
    default:
        return fault_of_secret(provider->secret_file);
    }
}

static const char *
fault_of_secret(const char *path)
{
    static char why[1024];
    char        text[LP_CLIENT_SECRET_MAX + 2];
    size_t      len = lp_client_secret_read(text, path).len;

    OPENSSL_cleanse(text, sizeof(text));
    if (len == 0) {
        snprintf(why, sizeof(why), "clientSecretFile %s can't be read, is "
                 "empty, or has a first line of more than %d bytes", path,
                 LP_CLIENT_SECRET_MAX);
        return why;
    }
    lp_input_warn_open(path, "client secret");
    return NULL;
}

/* path NULL: the ring's key. What is wrong with a file was said. */
static const char *
fault_of_key(lp_sso_t *sso, const char *path)
{
    lp_private_key_t key;
    int              good;

    if (path == NULL) {
        return sso->ring == NULL ? "private_key_jwt needs keyFile, or --keys"
                                 : NULL;
    }
    good = lp_key_file_load(&key, path, LP_ALG_UNKNOWN, NULL) == 0
           && key.is_private;
    lp_private_key_free(&key);
    if (!good) {
        return "keyFile holds no private key that can be used";
    }
    lp_input_warn_open(path, "key");
    return NULL;
}

lp_span_t
lp_client_secret_read(char dst[LP_CLIENT_SECRET_MAX + 2], const char *path)
{
    FILE  *file = path == NULL ? NULL : fopen(path, "re");
    size_t len, line;

    if (file == NULL) {
        return (lp_span_t) {NULL, 0};
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of it in memory of stdio's */
    len = fread(dst, 1, LP_CLIENT_SECRET_MAX + 2, file);
    fclose(file);
    for (line = 0; line < len && dst[line] != '\n' && dst[line] != '\r';
         line++) { }
    return (lp_span_t) {dst, line <= LP_CLIENT_SECRET_MAX ? line : 0};
}
