/*
 * leerpoort explain: what a support code stands for, for the helpdesk to whom
 * a pupil has read it out. The code itself says what went wrong and in which
 * minute, and mostly why. The log, where there is one, says for which school
 * and book, and why a token was refused whose signature proved nothing: whoever
 * forges tokens reads codes too. Neither says who it was.
 *
 * Codes of the same minute and the same trouble differ in eight random bits:
 * in a bad minute several lines may have the same code. All are shown, up to
 * some. What stands in a log is escaped: paths and products are what strangers
 * sent.
 */

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/day.h"
#include "../core/jose_error.h"
#include "../core/launch_fault.h"
#include "../core/support_code.h"
#include "commands.h"
#include "say.h"
#include "service.h"

#define LINE_MAX_BYTES 65536 /* of a line of the log; longer ones are none */
#define LINES_MAX      16    /* that are shown */
#define SHOWN_MAX      64    /* bytes of a value of the log */
#define WHEN_MAX       48

typedef struct {
    lp_support_code_t code;
    char              text[LP_SUPPORT_CODE_LEN + 1];
    json_t           *lines; /* NULL: no log was asked for */
    int               more;  /* lines beyond LINES_MAX */
} explain_t;

/* What is shown of a line: nobody stands in any of these. */
static const char *const members[] = {
    "time", "outcome", "status", "reason", "school", "product", "id"
};

static int read_log(explain_t *explain, const char *path);
static void read_lines(explain_t *explain, FILE *file);
static void read_line(explain_t *explain, const char *line, size_t len);
static unsigned reason_named(const char *name);
static int print_text(const explain_t *explain, int64_t now);
static void print_lines(const explain_t *explain);
static int print_json(const explain_t *explain);
static json_t *seen(const explain_t *explain, lp_language_t language);
static const char *amsterdam(char *dst, int64_t at);

int
lp_command_explain(const lp_args_t *args)
{
    explain_t explain;
    int       rc = LP_YES;

    memset(&explain, 0, sizeof(explain));
    if (lp_support_code_read(&explain.code, lp_span_of(args->operand))
        != 0) {
        lp_say("that is no support code: it has ten characters, and one of "
               "them may have been misheard");
        return LP_NO;
    }
    lp_support_code_write(explain.text, &explain.code);

    if (args->value[LP_OPT_LOG] != NULL) {
        explain.lines = json_array();
        rc = read_log(&explain, args->value[LP_OPT_LOG]);
    }
    if (rc == LP_YES) {
        rc = args->value[LP_OPT_JSON] != NULL
                 ? print_json(&explain)
                 : print_text(&explain, lp_service_now());
    }
    json_decref(explain.lines);
    return rc;
}

static int
read_log(explain_t *explain, const char *path)
{
    FILE *file;
    int   failed;

    if (strcmp(path, "-") == 0) {
        read_lines(explain, stdin);
        return LP_YES;
    }
    file = fopen(path, "re");
    if (file == NULL) {
        lp_say("%s can't be read", path);
        return LP_NO;
    }
    read_lines(explain, file);
    failed = ferror(file);
    fclose(file);
    if (failed) {
        lp_say("%s can't be read to its end", path);
    }
    return failed ? LP_NO : LP_YES;
}

/* A log may be of any length; one line of it is in memory. */
static void
read_lines(explain_t *explain, FILE *file)
{
    char  *line = malloc(LINE_MAX_BYTES);
    size_t len;
    int    begun = 0; /* the line before was longer than the room */

    while (line != NULL && fgets(line, LINE_MAX_BYTES, file) != NULL) {
        len = strlen(line);
        if (!begun && strstr(line, explain->text) != NULL) {
            read_line(explain, line, len);
        }
        begun = len == 0 || line[len - 1] != '\n';
    }
    free(line);
}

static void
read_line(explain_t *explain, const char *line, size_t len)
{
    json_t     *read = json_loadb(line, len, 0, NULL), *shown, *value;
    const char *code = json_string_value(json_object_get(read, "code"));
    size_t      i;

    if (code == NULL || strcmp(code, explain->text) != 0) {
        json_decref(read);
        return;
    }
    if (json_array_size(explain->lines) == LINES_MAX) {
        explain->more = 1;
        json_decref(read);
        return;
    }
    shown = json_object();
    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        value = json_object_get(read, members[i]);
        if (json_is_string(value) || json_is_integer(value)) {
            json_object_set(shown, members[i], value);
        }
    }
    if (explain->code.reason == LP_JOSE_OK) {
        explain->code.reason = reason_named(
            json_string_value(json_object_get(shown, "reason")));
    }
    json_array_append_new(explain->lines, shown);
    json_decref(read);
}

/* Of a token that the edge refused; NULL and what is no name: none. */
static unsigned
reason_named(const char *name)
{
    unsigned reason;

    for (reason = LP_JOSE_OK + 1; name != NULL && reason < LP_JOSE_ERRORS;
         reason++) {
        if (strcmp(name, lp_jose_error_name((lp_jose_error_t) reason)) == 0) {
            return reason;
        }
    }
    return LP_JOSE_OK;
}

/* Of a token, or of a launch. */
static const char *
reason_name(unsigned reason)
{
    return lp_lti_fault_exists(reason)
               ? lp_lti_fault_name((lp_lti_fault_t) reason)
               : lp_jose_error_name((lp_jose_error_t) reason);
}

static const char *
reason_text(unsigned reason)
{
    return lp_lti_fault_exists(reason)
               ? lp_lti_fault_text((lp_lti_fault_t) reason)
               : lp_jose_error_text((lp_jose_error_t) reason);
}

static int
print_text(const explain_t *explain, int64_t now)
{
    const lp_support_code_t *code = &explain->code;
    char                     local[WHEN_MAX], utc[LP_WHEN_MAX];

    printf("code     %s\n", explain->text);
    printf("when     %s in Amsterdam, %s\n", amsterdam(local, code->at),
           lp_when(utc, code->at, now));
    printf("what     %s, status %u\n", lp_problem_name(code->problem),
           lp_problem_status(code->problem));
    printf("seen     \"%s\", \"%s\"\n",
           lp_problem_text(code->problem, LP_DUTCH)->title,
           lp_problem_text(code->problem, LP_ENGLISH)->title);
    if (code->reason != LP_JOSE_OK) {
        printf("why      %s: %s\n", reason_name(code->reason),
               reason_text(code->reason));
    }
    printf("look at  %s\n", lp_problem_advice(code->problem));
    if (explain->lines != NULL) {
        print_lines(explain);
    }
    return LP_YES;
}

static void
print_lines(const explain_t *explain)
{
    const json_t *line, *value;
    const char   *text;
    char          shown[LP_ESCAPED_MAX];
    size_t        i, m;

    if (json_array_size(explain->lines) == 0) {
        printf("line     none in the log has this code\n");
    }
    json_array_foreach(explain->lines, i, line) {
        printf("line    ");
        for (m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
            value = json_object_get(line, members[m]);
            text = json_string_value(value);
            if (text != NULL && *text != '\0') {
                printf(" %s %s", members[m],
                       lp_escape(shown, lp_span_of(text), SHOWN_MAX));
            } else if (json_is_integer(value)) {
                printf(" %s %" JSON_INTEGER_FORMAT, members[m],
                       json_integer_value(value));
            }
        }
        putchar('\n');
    }
    if (explain->more) {
        printf("line     and more\n");
    }
}

static int
print_json(const explain_t *explain)
{
    const lp_support_code_t *code = &explain->code;
    unsigned                 reason = code->reason;
    char                     local[WHEN_MAX];
    json_t                  *answer;
    int                      known = reason != LP_JOSE_OK;

    answer = json_pack(
        "{s:s, s:I, s:s, s:s, s:i, s:s?, s:s?, s:s, s:o, s:o, s:O?, s:b}",
        "code", explain->text, "at", (json_int_t) code->at, "amsterdam",
        amsterdam(local, code->at), "problem", lp_problem_name(code->problem),
        "status", (int) lp_problem_status(code->problem), "reason",
        known ? reason_name(reason) : NULL, "sentence",
        known ? reason_text(reason) : NULL, "advice",
        lp_problem_advice(code->problem), "nl", seen(explain, LP_DUTCH), "en",
        seen(explain, LP_ENGLISH), "lines", explain->lines, "more",
        explain->more);
    if (answer == NULL) {
        lp_say("memory ran out");
        return LP_NO;
    }
    json_dumpf(answer, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(answer);
    return LP_YES;
}

/* What the person read, in one of the languages. */
static json_t *
seen(const explain_t *explain, lp_language_t language)
{
    const lp_problem_text_t *text;

    text = lp_problem_text(explain->code.problem, language);

    return json_pack("{s:s, s:s, s:s, s:s?}", "title", text->title, "what",
                     text->what, "todo", text->todo, "ask", text->ask);
}

/* "2026-11-22 23:09": codes know no seconds. */
static const char *
amsterdam(char *dst, int64_t at)
{
    int64_t  local = at + lp_day_ahead(at);
    uint32_t day = lp_day_amsterdam(at, NULL);

    snprintf(dst, WHEN_MAX, "%04u-%02u-%02u %02d:%02d", day / 10000,
             day / 100 % 100, day % 100, (int) (local % 86400 / 3600),
             (int) (local % 3600 / 60));
    return dst;
}
