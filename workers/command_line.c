/*
 * Options are long, each has one meaning in one command, and none holds a
 * secret: an argument can be read by everybody on the machine. The tables
 * below make the parser and the help alike, so that neither can know an
 * option that the other does not.
 */

#include "command_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "say.h"

#define LINE_MAX_COLUMNS 78
#define TEXT_COLUMN      28

static const lp_option_t options[LP_OPTS] = {
    [LP_OPT_JWKS] = {"jwks", "FILE", "the issuer's public keys, a JWKS"},
    [LP_OPT_ISS] = {"iss", "ISSUER", "the issuer that the token must name"},
    [LP_OPT_AUD] = {"aud", "AUDIENCE", "an audience of ours; may be repeated"},
    [LP_OPT_ALGS] = {"alg", "A,B", "the algorithms that are allowed"},
    [LP_OPT_NOW] = {"now", "UNIX", "check as if this were the time"},
    [LP_OPT_LEEWAY] = {"leeway", "SECONDS", "by which clocks may differ (0)"},
    [LP_OPT_MAX_AGE] = {"max-age", "SECONDS", "refuse tokens older than this"},
    [LP_OPT_KEY] = {"key", "FILE", "the private key: JWK or PEM"},
    [LP_OPT_KEYS] = {"key", "FILE", "a key: JWK or PEM; may be repeated"},
    [LP_OPT_SIGN_ALG] = {"alg", "ALG", "default: the key's own"},
    [LP_OPT_NEW_ALG] = {"alg", "ALG", "the algorithm that the key is for"},
    [LP_OPT_KID] = {"kid", "KID", "the key's name; empty for none"},
    [LP_OPT_TYP] = {"typ", "TYP", "the header's typ (JWT); empty for none"},
    [LP_OPT_SET_ISS] = {"iss", "ISSUER", "set the claim iss"},
    [LP_OPT_SET_AUD] = {"aud", "AUDIENCE",
                        "set the claim aud; may be repeated"},
    [LP_OPT_EXPIRES_IN] = {"expires-in", "SECONDS",
                           "set iat to now and exp so much later"},
    [LP_OPT_MINT_NOW] = {"now", "UNIX", "mint as if this were the time"},
    [LP_OPT_BATCH] = {"batch", NULL, "a claims object a line, a token a line"},
    [LP_OPT_PEPPER] = {"pepper", "FILE", "the HMAC key, its bytes as they are"},
    [LP_OPT_ID_TYPE] = {"type", "TYPE", "the id's type: ECK, NEPPI, BPI ..."},
    [LP_OPT_HOLDER_PEPPER] = {"pepper", "FILE", "the HMAC key of user keys"},
    [LP_OPT_HOLDER_TYPE] = {"type", "TYPE",
                            "the id's type; KEY: it is a user key"},
    [LP_OPT_SCHOOL] = {"school", "SCHOOL", "absent: the private customer"},
    [LP_OPT_OPEN] = {"open", NULL, "the school's open rights, no person's"},
    [LP_OPT_PRODUCT] = {"product", "PRODUCT", "the product or set"},
    [LP_OPT_STATE] = {"state", "STATE",
                      "E entitled, L licensed, B blocked, O open"},
    [LP_OPT_FROM] = {"from", "DAY", "YYYY-MM-DD, the first day; - for none"},
    [LP_OPT_UNTIL] = {"until", "DAY", "YYYY-MM-DD, the last day; - for none"},
    [LP_OPT_ENTITLEMENT] = {"entitlement", "UUID",
                            "the entitlement, or its 22 characters"},
    [LP_OPT_QUANTITY] = {"quantity", "N",
                         "with --open: licences that it gives; 0: no limit"},
    [LP_OPT_AT] = {"at", "UNIX", "refuse tokens issued before this (now)"},
    [LP_OPT_TOKENS] = {"tokens", NULL, "take a revocation of tokens back"},
    [LP_OPT_ALL] = {"all", NULL, "everything that is held here"},
    [LP_OPT_URL] = {"url", "URL", "where a click without a path leads"},
    [LP_OPT_DEEP] = {"deep", "TEMPLATE", "the same for a path: has {path}"},
    [LP_OPT_FREE] = {"free", "0|1", "1: open material, no right needed"},
    [LP_OPT_IN] = {"in", "SETS", "sets that contain it: a,b"},
    [LP_OPT_NAME] = {"name", "NAME", "what people call it"},
    [LP_OPT_LICENCE] = {"licence", "PERIOD",
                        "schoolyear, month, quarter, year, date:YYYYMMDD"},
    [LP_OPT_TICKET] = {"ticket", "AUDIENCE", "links carry a launch ticket"},
    [LP_OPT_ALIAS_TYPE] = {"type", "TYPE",
                           "OIE_CODE, BP_ID, DD_ID, AS_ID or V_ID"},
    [LP_OPT_ALIAS_ID] = {"id", "ID", "the school's id of that type"},
    [LP_OPT_ALIAS_SCHOOL] = {"school", "SCHOOL", "its master identifier"},
    [LP_OPT_SCHOOL_NAME] = {"name", "NAME", "what people call the school"},
    [LP_OPT_PARTY] = {"party", "OIN", "the seller whose they are"},
    [LP_OPT_CONFIRM] = {"confirm", NULL, "send the seller confirmations"},
    [LP_OPT_ERRORS] = {"errors", "FILE", "writes a line for each refusal"},
    [LP_OPT_FROM_LINE] = {"from", "LINE", "pass over the lines before it (1)"},
    [LP_OPT_REDIS] = {"redis", "ADDRESS", "unix:/path or host:port"},
    [LP_OPT_USER] = {"user", "NAME", "the Redis user"},
    [LP_OPT_PASSWORD_FILE] = {"password-file", "FILE", "its password"},
    [LP_OPT_NGINX_CONF] = {"nginx-conf", "FILE", "test and read this too"},
    [LP_OPT_NGINX] = {"nginx", "PROGRAM", "the nginx that tests it (nginx)"},
    [LP_OPT_JSON] = {"json", NULL, "answer in JSON"},
    [LP_OPT_SEAL] = {"seal", "FILE", "the key that seals ids of persons"},
    [LP_OPT_PARTIES] = {"parties", "FILE", "the other parties: parties.json"},
    [LP_OPT_KEY_FOLDER] = {"keys", "FOLDER", "the key ring of our own tokens"},
    [LP_OPT_RING_ALG] = {"alg", "ALG",
                         "what the key is for (as the last one's; RS256)"},
    [LP_OPT_OVERLAP] = {"overlap", "SECONDS",
                        "published for so long before it signs (600)"},
    [LP_OPT_OVER_QUANTITY] = {"over-quantity", "allow|refuse",
                              "open rights beyond what was bought (allow)"},
    [LP_OPT_LAST_DAY] = {"until", "included|excluded",
                         "whether activationUntilDate counts (included)"},
    [LP_OPT_REPLICAS] = {"replicas", "N",
                         "replicas that must have a write (0)"},
    [LP_OPT_UNSAFE_REDIS] = {"unsafe-redis", NULL,
                             "run although Redis may lose what it was told"},
    [LP_OPT_REQUESTS] = {"requests", "N",
                         "end after so many, to be started anew (100000)"},
    [LP_OPT_TIMEOUT] = {"timeout", "MS", "for each answer of Redis (1000)"},
    [LP_OPT_RETRY] = {"retry", "SECONDS,...",
                      "pauses after failures (60,300,3600,86400)"},
    [LP_OPT_ONCE] = {"once", NULL, "do what can be done now, then end"},
    [LP_OPT_CA] = {"ca", "FILE", "whom to trust instead of the system's CAs"},
    [LP_OPT_LOCK] = {"lock", "SECONDS",
                     "until another may take over from a dead one (10)"},
    [LP_OPT_PATIENCE] = {"patience", "SECONDS",
                         "for each answer of a party (30)"},
    [LP_OPT_DEAD] = {"dead", NULL, "put its dead letters back as well"},
    [LP_OPT_DRY_RUN] = {"dry-run", NULL,
                        "say what would change, write nothing"},
    [LP_OPT_CONSUMER] = {"name", "NAME",
                         "what one of this name left is done (the host's)"},
    [LP_OPT_TALLY_TIMEOUT] = {"timeout", "MS",
                              "for each answer of Redis (5000)"},
    [LP_OPT_WEEK] = {"week", "WEEK", "2026-W36; the last one that is over"},
    [LP_OPT_REPORT_SCHOOL] = {"school", "SCHOOL", "this school's rows alone"},
    [LP_OPT_FORMAT] = {"format", "csv|json", "how it is written (csv)"},
    [LP_OPT_HIDE] = {"hide", "N",
                     "hide figures of fewer readers: 5 or more (10)"},
    [LP_OPT_RUNNING] = {"running", NULL, "a week that is not over: coarse"},
    [LP_OPT_CONSENT_SCHOOL] = {"school", "SCHOOL", "its master identifier"},
    [LP_OPT_CONSENT_SCOPE] = {"scope", "SCOPE",
                              "what it consents to: usage.dashboard"},
    [LP_OPT_WITHDRAW] = {"withdraw", NULL, "it consents no more"},
    [LP_OPT_YES] = {"yes", NULL, "do it without asking"},
    [LP_OPT_FORCE] = {"force", NULL, "also where messages or clicks wait"},
    [LP_OPT_REWRITE] = {"rewrite", NULL,
                        "rewrite Redis' append-only file, and wait"},
    [LP_OPT_LOG] = {"log", "FILE", "nginx's log, lines of JSON; - for input"},
};

static const lp_option_t *
about(const lp_command_t *command, unsigned option)
{
    return option < LP_OPTS ? &options[option]
                            : &command->own[option - LP_OPTS];
}

static const lp_take_t *
find_take(const lp_command_t *command, const char *name, size_t len)
{
    const lp_take_t *take;
    const char      *own;

    for (take = command->takes; take->option != LP_OPT_END; take++) {
        own = about(command, take->option)->name;
        if (strlen(own) == len && memcmp(own, name, len) == 0) {
            return take;
        }
    }
    return NULL;
}

static int
may_repeat(const lp_take_t *take)
{
    return take->need == LP_MAY_REPEAT || take->need == LP_MUST_REPEAT;
}

/* Puts a value into its place; a repeated one into the list as well. */
static int
keep(lp_args_t *args, const lp_take_t *take, const char *value)
{
    const char *name = about(args->command, take->option)->name;

    if (args->value[take->option] != NULL && !may_repeat(take)) {
        return lp_args_refuse(args, "--%s is given twice", name);
    }
    if (args->value[take->option] == NULL) {
        args->value[take->option] = value;
    }
    if (!may_repeat(take)) {
        return LP_YES;
    }
    if (args->n_repeated == LP_REPEATED_MAX) {
        return lp_args_refuse(args, "--%s is given more than %d times", name,
                              LP_REPEATED_MAX);
    }
    args->repeated[args->n_repeated++] = value;
    return LP_YES;
}

/* Reads "--name value" or "--name=value" at argv[0]; *used is 1 or 2. */
static int
read_option(lp_args_t *args, int argc, char **argv, int *used)
{
    const lp_take_t *take;
    const char      *name = argv[0] + 2, *equals = strchr(name, '=');
    size_t           len = equals ? (size_t) (equals - name) : strlen(name);
    char             shown[LP_ESCAPED_MAX];

    *used = 1;
    take = find_take(args->command, name, len);
    if (take == NULL) {
        return lp_args_refuse(
            args, "there is no option --%s",
            lp_escape(shown, (lp_span_t) {name, len}, 32));
    }
    if (about(args->command, take->option)->value == NULL) {
        return equals == NULL
                   ? keep(args, take, "")
                   : lp_args_refuse(args, "--%s takes no value",
                                    about(args->command, take->option)->name);
    }
    if (equals != NULL) {
        return keep(args, take, equals + 1);
    }
    if (argc < 2) {
        return lp_args_refuse(args, "--%s needs a value",
                              about(args->command, take->option)->name);
    }
    *used = 2;
    return keep(args, take, argv[1]);
}

/* How many operands may be given; *least: how many must. */
static unsigned
operands_of(const lp_command_t *command, unsigned *least)
{
    const char *p = command->operand;

    *least = p != NULL;
    for (; p != NULL && *p != '\0'; p++) {
        *least += *p == ' ';
    }
    return p != NULL && p[-1] == '.' ? LP_OPERANDS_MAX : *least;
}

static int
check_needed(lp_args_t *args)
{
    const lp_take_t   *take;
    const lp_option_t *option;
    unsigned           least;

    for (take = args->command->takes; take->option != LP_OPT_END; take++) {
        option = about(args->command, take->option);
        if ((take->need == LP_MUST || take->need == LP_MUST_REPEAT)
            && args->value[take->option] == NULL) {
            return lp_args_refuse(args, "--%s %s is missing", option->name,
                                  option->value);
        }
    }
    operands_of(args->command, &least);
    if (args->n_operands < least) {
        return lp_args_refuse(args, "%s is missing", args->command->operand);
    }
    return LP_YES;
}

/* LP_YES, LP_USAGE after saying why; -1 where --help was asked for. */
static int
read_args(lp_args_t *args, const lp_command_t *command, int argc, char **argv)
{
    int      i, used, rc;
    unsigned least;

    memset(args, 0, sizeof(*args));
    args->command = command;
    for (i = 0; i < argc; i += used) {
        used = 1;
        if (strcmp(argv[i], "--help") == 0) {
            return -1;
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            rc = read_option(args, argc - i, argv + i, &used);
            if (rc != LP_YES) {
                return rc;
            }
        } else if (args->n_operands < operands_of(command, &least)) {
            args->operands[args->n_operands++] = argv[i];
            args->operand = args->operands[0];
        } else {
            return lp_args_refuse(args, "there is an argument too many");
        }
    }
    return check_needed(args);
}

/* Writes a word of the usage line, on a new line where this one is full. */
static void
put_word(size_t *column, const char *word)
{
    size_t len = strlen(word);

    if (*column + 1 + len > LINE_MAX_COLUMNS) {
        fputs("\n     ", stdout);
        *column = 5;
    }
    printf(" %s", word);
    *column += 1 + len;
}

/* What stands between "leerpoort" and a command's name: a program's own name
   goes on with a hyphen. */
static const char *
joint(const lp_command_t *command)
{
    return command->name[0] == '-' ? "" : " ";
}

static void
put_usage(const lp_command_t *command)
{
    const lp_take_t *take;
    const lp_option_t *option;
    size_t           column;
    char             word[80];
    int              must;

    column = (size_t) printf("usage: leerpoort%s%s", joint(command),
                             command->name);
    if (command->operand != NULL) {
        put_word(&column, command->operand);
    }
    for (take = command->takes; take->option != LP_OPT_END; take++) {
        option = about(command, take->option);
        must = take->need == LP_MUST || take->need == LP_MUST_REPEAT;
        snprintf(word, sizeof(word), "%s--%s%s%s%s", must ? "" : "[",
                 option->name, option->value ? " " : "",
                 option->value ? option->value : "", must ? "" : "]");
        put_word(&column, word);
    }
    if (command->input != NULL) {
        snprintf(word, sizeof(word), "< %s", command->input);
        put_word(&column, word);
    }
    fputc('\n', stdout);
}

static void
put_help(const lp_command_t *command)
{
    const lp_take_t *take;
    const lp_option_t *option;
    int              width;

    put_usage(command);
    printf("\n%s\n", command->summary);
    if (command->text != NULL) {
        printf("%s\n", command->text);
    }
    fputc('\n', stdout);
    for (take = command->takes; take->option != LP_OPT_END; take++) {
        option = about(command, take->option);
        width = printf("  --%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        printf("%*s%s\n", width < TEXT_COLUMN - 1 ? TEXT_COLUMN - width : 2, "",
               option->text);
    }
    printf("  --help%*sthis text\n", TEXT_COLUMN - 8, "");
}

int
lp_args_refuse(const lp_args_t *args, const char *format, ...)
{
    va_list list;

    fputs("leerpoort: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "; see leerpoort%s%s --help\n", joint(args->command),
            args->command->name);
    return LP_USAGE;
}

int
lp_args_number(const lp_args_t *args, unsigned option, int64_t max,
               int64_t *number)
{
    const char *text = args->value[option], *p;
    int64_t     n = 0;

    if (text == NULL) {
        return LP_YES;
    }
    for (p = text; *p >= '0' && *p <= '9' && n <= max; p++) {
        n = n * 10 + (*p - '0');
    }
    if (p == text || *p != '\0' || n > max) {
        return lp_args_refuse(args, "--%s takes a whole number up to %" PRId64,
                              about(args->command, option)->name, max);
    }
    *number = n;
    return LP_YES;
}

int
lp_args_algs(const lp_args_t *args, lp_opt_t option, const lp_algs_t *allowed,
             lp_algs_t *algs)
{
    const char *text = args->value[option];
    lp_alg_t    alg;
    size_t      len;

    *algs = *allowed;
    if (text == NULL) {
        return LP_YES;
    }
    algs->n = 0;
    for (;;) {
        len = strcspn(text, ",");
        alg = lp_alg_find((lp_span_t) {text, len});
        if ((alg != LP_ALG_HS256 && !lp_algs_has(allowed, alg))
            || lp_algs_add(algs, alg) != 0) {
            return lp_args_refuse(args,
                                  "--%s takes names of algorithms, each once: "
                                  "RS256,ES256",
                                  options[option].name);
        }
        if (text[len] == '\0') {
            return LP_YES;
        }
        text += len + 1;
    }
}

int
lp_args_run(const lp_command_t *command, int argc, char **argv)
{
    lp_args_t args;
    int       rc;

    rc = read_args(&args, command, argc, argv);
    if (rc == -1) {
        put_help(command);
        return LP_YES;
    }
    return rc == LP_YES ? command->run(&args) : rc;
}
