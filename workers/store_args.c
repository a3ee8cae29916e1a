/*
 * Commands that need transactions or pipelines use the daemons' store; this
 * gives it the options and the sentences of the command.
 */

#include "store_args.h"

#include <stdlib.h>

#include "input.h"
#include "redis_link.h"
#include "say.h"

#define DEFAULT_ADDRESS "unix:/run/redis/redis-server.sock"
#define PASSWORD_MAX    512

static int
is_address(const char *address)
{
    const char *colon = strrchr(address, ':');

    return strncmp(address, "unix:/", 6) == 0
           || (colon != NULL && colon != address && colon[1] >= '0'
               && colon[1] <= '9');
}

/*
 * The store reads the file itself, for each connection, and could say no more
 * than that Redis is away.
 */
int
lp_store_password_usable(const char *path)
{
    lp_input_t file;
    size_t     len;

    if (path == NULL) {
        return LP_YES;
    }
    if (lp_input_file(&file, path, PASSWORD_MAX - 1) != 0) {
        return LP_NO;
    }
    lp_input_warn_open(path, "password file");
    len = lp_input_span(&file).len;
    lp_input_free(&file);
    if (len == 0) {
        lp_say("%s holds no password", path);
        return LP_NO;
    }
    return LP_YES;
}

int
lp_store_of_args(lp_store_t **store, const lp_args_t *args, int timeout_ms)
{
    lp_store_options_t options = {args->value[LP_OPT_REDIS],
                                  args->value[LP_OPT_USER],
                                  args->value[LP_OPT_PASSWORD_FILE],
                                  timeout_ms, 0};

    *store = NULL;
    if (options.address == NULL) {
        options.address = getenv("LEERPOORT_REDIS");
    }
    if (options.address == NULL || options.address[0] == '\0') {
        options.address = DEFAULT_ADDRESS;
    }
    if (!is_address(options.address)) {
        return lp_args_refuse(args, "the address of Redis is unix:/path or "
                                    "host:port");
    }
    if (options.user != NULL && options.password_file == NULL) {
        return lp_args_refuse(args, "--user needs --password-file");
    }
    if (lp_store_password_usable(options.password_file) != LP_YES) {
        return LP_NO;
    }
    *store = lp_store_create(&options);
    if (*store == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    return LP_YES;
}

int
lp_store_say(const lp_store_t *store)
{
    const char *word = lp_store_error(store);

    if (word[0] != '\0') {
        lp_say("Redis says %s: %s", word, lp_redis_error_text(word));
    } else {
        lp_say("Redis can't be reached or does not answer; is it running, and "
               "is the address right?");
    }
    return LP_NO;
}
