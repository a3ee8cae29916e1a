/*
 * The command line: which options there are, which command takes which, and
 * the help that is written from the same tables.
 */

#ifndef LP_COMMAND_LINE_H
#define LP_COMMAND_LINE_H

#include <stdint.h>

#include "../core/alg.h"

typedef enum {
    LP_OPT_END = 0,
    LP_OPT_JWKS,
    LP_OPT_ISS,
    LP_OPT_AUD,
    LP_OPT_ALGS,
    LP_OPT_NOW,
    LP_OPT_LEEWAY,
    LP_OPT_MAX_AGE,
    LP_OPT_KEY,
    LP_OPT_KEYS,
    LP_OPT_SIGN_ALG,
    LP_OPT_NEW_ALG,
    LP_OPT_KID,
    LP_OPT_TYP,
    LP_OPT_SET_ISS,
    LP_OPT_SET_AUD,
    LP_OPT_EXPIRES_IN,
    LP_OPT_MINT_NOW,
    LP_OPT_BATCH,
    LP_OPT_PEPPER,
    LP_OPT_ID_TYPE,
    LP_OPT_HOLDER_PEPPER,
    LP_OPT_HOLDER_TYPE,
    LP_OPT_SCHOOL,
    LP_OPT_OPEN,
    LP_OPT_PRODUCT,
    LP_OPT_STATE,
    LP_OPT_FROM,
    LP_OPT_UNTIL,
    LP_OPT_ENTITLEMENT,
    LP_OPT_QUANTITY,
    LP_OPT_AT,
    LP_OPT_TOKENS,
    LP_OPT_ALL,
    LP_OPT_URL,
    LP_OPT_DEEP,
    LP_OPT_FREE,
    LP_OPT_IN,
    LP_OPT_NAME,
    LP_OPT_LICENCE,
    LP_OPT_TICKET,
    LP_OPT_ALIAS_TYPE,
    LP_OPT_ALIAS_ID,
    LP_OPT_ALIAS_SCHOOL,
    LP_OPT_SCHOOL_NAME,
    LP_OPT_PARTY,
    LP_OPT_CONFIRM,
    LP_OPT_ERRORS,
    LP_OPT_FROM_LINE,
    LP_OPT_REDIS,
    LP_OPT_USER,
    LP_OPT_PASSWORD_FILE,
    LP_OPT_NGINX_CONF,
    LP_OPT_NGINX,
    LP_OPT_JSON,
    LP_OPT_SEAL,
    LP_OPT_PARTIES,
    LP_OPT_KEY_FOLDER,
    LP_OPT_RING_ALG,
    LP_OPT_OVERLAP,
    LP_OPT_OVER_QUANTITY,
    LP_OPT_LAST_DAY,
    LP_OPT_REPLICAS,
    LP_OPT_UNSAFE_REDIS,
    LP_OPT_REQUESTS,
    LP_OPT_TIMEOUT,
    LP_OPT_RETRY,
    LP_OPT_ONCE,
    LP_OPT_CA,
    LP_OPT_LOCK,
    LP_OPT_PATIENCE,
    LP_OPT_DEAD,
    LP_OPT_DRY_RUN,
    LP_OPT_CONSUMER,
    LP_OPT_TALLY_TIMEOUT,
    LP_OPT_WEEK,
    LP_OPT_REPORT_SCHOOL,
    LP_OPT_FORMAT,
    LP_OPT_HIDE,
    LP_OPT_RUNNING,
    LP_OPT_CONSENT_SCHOOL,
    LP_OPT_CONSENT_SCOPE,
    LP_OPT_WITHDRAW,
    LP_OPT_YES,
    LP_OPT_FORCE,
    LP_OPT_REWRITE,
    LP_OPT_LOG,
    LP_OPTS /* a program's own follow (lp_command_t.own) */
} lp_opt_t;

#define LP_OPTS_OWN 48
#define LP_OPTS_MAX (LP_OPTS + LP_OPTS_OWN)

typedef struct {
    const char *name;
    const char *value; /* NULL: a flag */
    const char *text;
} lp_option_t;

typedef enum {
    LP_MAY = 0, /* the option may be given, once */
    LP_MUST,
    LP_MAY_REPEAT,
    LP_MUST_REPEAT
} lp_need_t;

/* An option that a command takes. One command repeats one option at most. */
typedef struct {
    unsigned  option; /* lp_opt_t, or one of the program's own */
    lp_need_t need;
} lp_take_t;

typedef struct lp_args_s lp_args_t;

typedef struct {
    const char      *name;    /* "token verify"; "-worker": the program
                                 leerpoort-worker, which has no commands */
    const char      *operand; /* "ID", "A B", "OUT RUN..." of one or more;
                                 NULL: it takes none */
    const char      *input;   /* what standard input holds; NULL: nothing */
    const char      *summary; /* one line */
    const char      *text;    /* more about it, for --help; lines */
    const lp_take_t *takes;   /* ends with LP_OPT_END */
    int (*run)(const lp_args_t *args);
    const lp_option_t *own; /* the program's own options: own[i] is
                               LP_OPTS + i; NULL: none */
} lp_command_t;

#define LP_REPEATED_MAX 8
#define LP_OPERANDS_MAX 64

struct lp_args_s {
    const lp_command_t *command;
    const char         *operand; /* the first */
    const char         *operands[LP_OPERANDS_MAX];
    unsigned            n_operands;
    const char         *value[LP_OPTS_MAX]; /* NULL: not given; a flag: "" */
    const char         *repeated[LP_REPEATED_MAX];
    unsigned            n_repeated;
};

/*
 * Reads what follows the command's name and runs it, or writes its help to
 * standard output. Returns an exit code.
 */
int lp_args_run(const lp_command_t *command, int argc, char **argv);

/*
 * A usage error that only the command itself can see: says the reason and
 * where the help is. Returns LP_USAGE.
 */
int lp_args_refuse(const lp_args_t *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The value of a numeric option: a whole number from 0 to max. Where it is not
 * given, *number is left as it is. Returns LP_YES or LP_USAGE.
 */
int lp_args_number(const lp_args_t *args, unsigned option, int64_t max,
                   int64_t *number);

/*
 * A list of algorithms, "RS256,ES256", each one of allowed or HS256. Where the
 * option is not given, *algs becomes allowed. Returns LP_YES or LP_USAGE.
 */
int lp_args_algs(const lp_args_t *args, lp_opt_t option,
                 const lp_algs_t *allowed, lp_algs_t *algs);

#endif
