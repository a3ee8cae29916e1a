/*
 * A reader of nginx's configuration language that knows words, quotes, comments
 * and blocks, and nothing of what directives mean but for the few below:
 *
 * access_log and log_format: $request and its kin hold the query, where some
 * portals put tokens; headers and cookies hold tokens as such. nginx logs in
 * the format "combined" where nothing else is said, and that has $request.
 *
 * return, rewrite and add_header Location: $uri is decoded, so that %0d%0a in a
 * click would split the header; what comes from a header or an argument
 * is the client's wish where to go.
 */

#include "nginx_lint.h"

#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "input.h"
#include "say.h"

#define CONF_MAX    (1024 * 1024)
#define WORDS_MAX   64
#define DEPTH_MAX   8
#define SENTENCE_MAX 256
#define PATH_LEN_MAX 4096

typedef struct {
    lp_nginx_lint_pt found;
    void            *data;
    char             folder[PATH_LEN_MAX + 1]; /* ends with a slash */
    int              logs; /* an access_log was seen */
    unsigned         depth;
} lint_t;

/* One file on its way. */
typedef struct {
    const char *path;
    const char *p;
    const char *end;
    unsigned    line;
} source_t;

typedef struct {
    lp_span_t words[WORDS_MAX];
    unsigned  n;
    unsigned  line; /* of the first word */
    char      end;  /* ';', '{', '}', or 0 at the end of the file */
} directive_t;

/* A name that ends with "_" stands for all that begin with it. */
static const char *const secret_variables[] = {
    "request",       "request_uri",        "args",        "query_string",
    "arg_",          "http_authorization", "http_cookie", "cookie_",
    "leerpoort_user", "request_body",
};

static const char *const client_variables[] = {
    "uri", "document_uri", "arg_", "args", "query_string", "cookie_", "http_",
};

#define N_SECRET (sizeof(secret_variables) / sizeof(secret_variables[0]))
#define N_CLIENT (sizeof(client_variables) / sizeof(client_variables[0]))

static int lint_file(lint_t *lint, const char *path);

/* Reading */

static void
skip_blank(source_t *source)
{
    while (source->p < source->end) {
        if (*source->p == '#') {
            while (source->p < source->end && *source->p != '\n') {
                source->p++;
            }
        } else if (*source->p == '\n') {
            source->line++;
            source->p++;
        } else if (strchr(" \t\r", *source->p) != NULL) {
            source->p++;
        } else {
            return;
        }
    }
}

static lp_span_t
read_quoted(source_t *source)
{
    const char quote = *source->p++;
    lp_span_t  word = {source->p, 0};

    while (source->p < source->end && *source->p != quote) {
        source->line += *source->p == '\n';
        source->p += *source->p == '\\' && source->p + 1 < source->end ? 2 : 1;
    }
    word.len = (size_t) (source->p - word.data);
    if (source->p < source->end) {
        source->p++;
    }
    return word;
}

/* "${name}" is part of a word; a brace else ends it. */
static lp_span_t
read_plain(source_t *source)
{
    lp_span_t word = {source->p, 0};
    int       in_variable = 0;

    while (source->p < source->end
           && strchr(" \t\r\n;", *source->p) == NULL) {
        if (*source->p == '{' && source->p > word.data
            && source->p[-1] == '$') {
            in_variable = 1;
        } else if (*source->p == '{' || (*source->p == '}' && !in_variable)) {
            break;
        } else if (*source->p == '}') {
            in_variable = 0;
        }
        source->p += *source->p == '\\' && source->p + 1 < source->end ? 2 : 1;
    }
    word.len = (size_t) (source->p - word.data);
    return word;
}

/* Returns 0 where the file ends. Words beyond WORDS_MAX are passed over. */
static int
read_directive(source_t *source, directive_t *directive)
{
    lp_span_t word;

    directive->n = 0;
    skip_blank(source);
    directive->line = source->line;
    while (source->p < source->end) {
        directive->end = *source->p;
        if (strchr(";{}", directive->end) != NULL) {
            source->p++;
            return 1;
        }
        word = directive->end == '"' || directive->end == '\''
                   ? read_quoted(source)
                   : read_plain(source);
        if (directive->n < WORDS_MAX) {
            directive->words[directive->n++] = word;
        }
        skip_blank(source);
    }
    return 0;
}

/* Looking */

static int
is_word(const directive_t *directive, unsigned i, const char *text)
{
    return i < directive->n
           && lp_span_equal(directive->words[i], lp_span_of(text));
}

static int
name_matches(lp_span_t name, const char *pattern)
{
    size_t len = strlen(pattern);

    if (pattern[len - 1] == '_') {
        return name.len > len && memcmp(name.data, pattern, len) == 0;
    }
    return name.len == len && memcmp(name.data, pattern, len) == 0;
}

/* The name after the "$" at text.data, which may stand in braces. */
static lp_span_t
variable_at(lp_span_t text)
{
    lp_span_t name = {text.data + 1, 0};
    size_t    i = 1;
    char      c;

    if (text.len > 1 && text.data[1] == '{') {
        name.data++;
        i++;
    }
    for (; i < text.len; i++) {
        c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_')) {
            break;
        }
        name.len++;
    }
    return name;
}

/* The first of the patterns that a variable in the words has; NULL: none. */
static const char *
find_variable(const directive_t *directive, unsigned from,
              const char *const *patterns, size_t n)
{
    lp_span_t word, name;
    unsigned  w;
    size_t    i, j;

    for (w = from; w < directive->n; w++) {
        word = directive->words[w];
        for (i = 0; i < word.len; i++) {
            if (word.data[i] != '$') {
                continue;
            }
            name = variable_at((lp_span_t) {word.data + i, word.len - i});
            for (j = 0; j < n; j++) {
                if (name_matches(name, patterns[j])) {
                    return patterns[j];
                }
            }
        }
    }
    return NULL;
}

static void
lint_log(lint_t *lint, const source_t *source, const directive_t *directive)
{
    char        sentence[SENTENCE_MAX];
    const char *name;

    if (is_word(directive, 0, "access_log")) {
        lint->logs = 1;
        if (directive->n == 2 ? !is_word(directive, 1, "off")
                              : is_word(directive, 2, "combined")) {
            lint->found(lint->data, source->path, directive->line,
                        "access_log in the format combined writes queries, "
                        "which may hold tokens; give a log_format without "
                        "$request");
        }
        return;
    }
    name = find_variable(directive, 2, secret_variables, N_SECRET);
    if (is_word(directive, 0, "log_format") && name != NULL) {
        snprintf(sentence, sizeof(sentence),
                 "log_format writes $%s, which may hold a token or a person; "
                 "leave it out", name);
        lint->found(lint->data, source->path, directive->line, sentence);
    }
}

/* Its third word, and what follows, becomes a Location. */
static int
makes_location(const directive_t *directive)
{
    if (is_word(directive, 0, "return")) {
        return directive->n > 2 && directive->words[1].len == 3
               && directive->words[1].data[0] == '3';
    }
    if (is_word(directive, 0, "rewrite")) {
        return is_word(directive, 3, "redirect")
               || is_word(directive, 3, "permanent");
    }
    return is_word(directive, 0, "add_header")
           && is_word(directive, 1, "Location");
}

static void
lint_location(lint_t *lint, const source_t *source,
              const directive_t *directive)
{
    char        sentence[SENTENCE_MAX];
    const char *name = NULL;

    if (makes_location(directive)) {
        name = find_variable(directive, 2, client_variables, N_CLIENT);
    }
    if (name != NULL) {
        snprintf(sentence, sizeof(sentence),
                 "a Location is made from $%s, which the client chooses; use "
                 "$request_uri or a fixed address", name);
        lint->found(lint->data, source->path, directive->line, sentence);
    }
}

static void
lint_include(lint_t *lint, const directive_t *directive)
{
    lp_span_t name = directive->words[1];
    char      pattern[PATH_LEN_MAX];
    glob_t    files;
    size_t    i;
    int       len, absolute;

    absolute = name.len > 0 && name.data[0] == '/';
    len = snprintf(pattern, sizeof(pattern), "%s%.*s",
                   absolute ? "" : lint->folder, (int) name.len, name.data);
    if (len >= (int) sizeof(pattern) || lint->depth == DEPTH_MAX
        || glob(pattern, 0, NULL, &files) != 0) {
        return;
    }
    for (i = 0; i < files.gl_pathc; i++) {
        lint_file(lint, files.gl_pathv[i]);
    }
    globfree(&files);
}

static int
lint_file(lint_t *lint, const char *path)
{
    directive_t directive;
    lp_input_t  text;
    source_t    source;

    if (lp_input_file(&text, path, CONF_MAX) != 0) {
        return -1;
    }
    lint->depth++;
    source = (source_t) {path, text.bytes, text.bytes + text.len, 1};
    while (read_directive(&source, &directive)) {
        if (is_word(&directive, 0, "include") && directive.n == 2) {
            lint_include(lint, &directive);
        }
        lint_log(lint, &source, &directive);
        lint_location(lint, &source, &directive);
    }
    lint->depth--;
    lp_input_free(&text);
    return 0;
}

int
lp_nginx_lint(const char *path, lp_nginx_lint_pt found, void *data)
{
    lint_t lint = {found, data, "", 0, 0};
    char   copy[PATH_LEN_MAX];

    if (strlen(path) >= sizeof(copy)) {
        lp_say("the path of the configuration is too long");
        return -1;
    }
    memcpy(copy, path, strlen(path) + 1);
    snprintf(lint.folder, sizeof(lint.folder), "%s/", dirname(copy));
    if (lint_file(&lint, path) != 0) {
        return -1;
    }
    if (!lint.logs) {
        found(data, path, 0,
              "there is no access_log, so that nginx writes the format "
              "combined with its queries; give one, or access_log off");
    }
    return 0;
}
