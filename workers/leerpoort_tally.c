/*
 * leerpoort-tally: counts what the edges have put into the usage streams
 * (tally.c says how). One is enough for a country; a second one, on another
 * machine or with another --name, takes over when the first is gone.
 *
 * It ends on SIGTERM or SIGINT, with the batch in hand counted. While Redis is
 * away it waits; nothing is lost by that, or by killing it.
 */

#include <string.h>
#include <unistd.h>

#include "command_line.h"
#include "say.h"
#include "serving.h"
#include "store_args.h"
#include "tally.h"

#define TIMEOUT_DEFAULT 5000 /* ms; it blocks for 500 */
#define TIMEOUT_MIN     1000
#define TIMEOUT_MAX     60000
#define NAME_MAX_LEN    64

static const lp_take_t takes[] = {
    {LP_OPT_REDIS, LP_MAY},         {LP_OPT_USER, LP_MAY},
    {LP_OPT_PASSWORD_FILE, LP_MAY}, {LP_OPT_CONSUMER, LP_MAY},
    {LP_OPT_TALLY_TIMEOUT, LP_MAY}, {LP_OPT_ONCE, LP_MAY},
    {LP_OPT_END, LP_MAY},
};

static int run(const lp_args_t *args);

static const lp_command_t program = {
    "-tally", NULL, NULL,
    "Counts clicks: from the usage streams to totals, each click once.",
    "Several may run side by side, each with a --name of its own.",
    takes, run, NULL,
};

/* Two connections: tally.c says why. */
static int
open_stores(lp_tally_t *tally, const lp_args_t *args)
{
    int64_t timeout = TIMEOUT_DEFAULT;
    int     rc;

    rc = lp_args_number(args, LP_OPT_TALLY_TIMEOUT, TIMEOUT_MAX, &timeout);
    if (rc == LP_YES && timeout < TIMEOUT_MIN) {
        rc = lp_args_refuse(args, "--timeout is at least %d", TIMEOUT_MIN);
    }
    if (rc == LP_YES) {
        rc = lp_store_of_args(&tally->reader, args, (int) timeout);
    }
    if (rc == LP_YES) {
        rc = lp_store_of_args(&tally->writer, args, (int) timeout);
    }
    return rc;
}

/* --name, else the machine's. */
static int
read_name(lp_tally_t *tally, const lp_args_t *args)
{
    static char host[NAME_MAX_LEN + 1];

    tally->name = args->value[LP_OPT_CONSUMER];
    if (tally->name == NULL) {
        if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') {
            return lp_args_refuse(args, "this machine has no name: give a "
                                        "--name");
        }
        tally->name = host;
    }
    if (tally->name[0] == '\0' || strlen(tally->name) > NAME_MAX_LEN) {
        return lp_args_refuse(args, "--name has 1 to %d characters",
                              NAME_MAX_LEN);
    }
    return LP_YES;
}

static int
run(const lp_args_t *args)
{
    lp_tally_t tally;
    int        rc;

    lp_serving_guard();
    memset(&tally, 0, sizeof(tally));
    tally.once = args->value[LP_OPT_ONCE] != NULL;
    rc = read_name(&tally, args);
    if (rc == LP_YES) {
        rc = open_stores(&tally, args);
    }
    if (rc == LP_YES) {
        rc = lp_tally_run(&tally);
    }
    lp_batch_free(&tally.batch);
    lp_store_destroy(tally.writer);
    lp_store_destroy(tally.reader);
    return rc;
}

int
main(int argc, char **argv)
{
    return lp_args_run(&program, argc - 1, argv + 1);
}
