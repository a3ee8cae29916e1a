/*
 * A reader of nginx's configuration language that knows words, quotes, comments
 * and blocks, and nothing of what directives mean but for the few below:
 *
 * access_log and log_format: $request and its kin hold the query, where some
 * portals put tokens; headers and cookies hold tokens as such, and a Location
 * launch tickets. nginx logs in the format "combined" where nothing else is
 * said, and that has $request.
 *
 * return, rewrite and add_header Location: $uri is decoded, so that %0d%0a in a
 * click would split the header; what comes from a header or an argument
 * is the client's wish where to go. Neither sends who a person is, or a token.
 *
 * large_client_header_buffers, of servers with a leerpoort_click: the header of
 * a long token must fit into one, or nginx answers 400 before Leerpoort sees
 * the click. A server that says nothing has what http says.
 */

#include "nginx_lint.h"

#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "input.h"
#include "say.h"

#define CONF_MAX    (1024 * 1024)
#define WORDS_MAX   64
#define DEPTH_MAX   8
#define SENTENCE_MAX 2048
#define NAMES_MAX    32
#define PATH_LEN_MAX 4096
#define HEADER_MIN   (16 * 1024)
#define SIZE_CAP     (1024 * 1024 * 1024)

/* Where a large_client_header_buffers stands, and how large one is. */
typedef struct {
    char     path[PATH_LEN_MAX];
    unsigned line; /* 0: there is none */
    size_t   size;
} buffers_t;

typedef struct {
    lp_nginx_lint_pt found;
    void            *data;
    char             folder[PATH_LEN_MAX + 1]; /* ends with a slash */
    int              logs; /* an access_log was seen */
    unsigned         depth;
    unsigned         blocks; /* that are open */
    unsigned         server; /* blocks with the open server; 0: none open */
    int              clicks; /* the open server has a leerpoort_click */
    int              relies; /* one with clicks has what http says */
    buffers_t        of_server;
    buffers_t        of_http;
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
    "leerpoort_user", "leerpoort_users", "leerpoort_person",
    "leerpoort_session", "upstream_http_leerpoort_session",
    "sent_http_location", "request_body",
};

/* Of those: what is a token or a user key whenever it is anything. */
static const char *const certain_variables[] = {
    "http_authorization", "http_cookie", "cookie_leerpoort", "leerpoort_user",
    "leerpoort_users", "leerpoort_person", "leerpoort_session",
    "upstream_http_leerpoort_session",
};

/* What an answer must not hold either. */
static const char *const person_variables[] = {
    "leerpoort_user", "leerpoort_users", "leerpoort_person",
    "leerpoort_session", "upstream_http_leerpoort_session",
};

static const char *const client_variables[] = {
    "uri", "document_uri", "arg_", "args", "query_string", "cookie_", "http_",
};

#define N_SECRET  (sizeof(secret_variables) / sizeof(secret_variables[0]))
#define N_CERTAIN (sizeof(certain_variables) / sizeof(certain_variables[0]))
#define N_PERSON  (sizeof(person_variables) / sizeof(person_variables[0]))
#define N_CLIENT  (sizeof(client_variables) / sizeof(client_variables[0]))

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

/* nginx knows no case in names of variables. */
static int
name_matches(lp_span_t name, const char *const *patterns, size_t n)
{
    size_t i, len;

    for (i = 0; i < n; i++) {
        len = strlen(patterns[i]);
        if ((patterns[i][len - 1] == '_' ? name.len > len : name.len == len)
            && strncasecmp(name.data, patterns[i], len) == 0) {
            return 1;
        }
    }
    return 0;
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

static int
is_listed(const lp_span_t *names, unsigned n, lp_span_t name)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (lp_span_equal(names[i], name)) {
            return 1;
        }
    }
    return 0;
}

/*
 * The variables in the words from there on that one of the patterns means, each
 * once, up to NAMES_MAX. Returns their number.
 */
static unsigned
find_variables(const directive_t *directive, unsigned from,
               const char *const *patterns, size_t n_patterns,
               lp_span_t *names)
{
    lp_span_t word, name;
    unsigned  w, n = 0;
    size_t    i;

    for (w = from; w < directive->n; w++) {
        word = directive->words[w];
        for (i = 0; i < word.len && n < NAMES_MAX; i++) {
            if (word.data[i] != '$') {
                continue;
            }
            name = variable_at((lp_span_t) {word.data + i, word.len - i});
            if (name_matches(name, patterns, n_patterns)
                && !is_listed(names, n, name)) {
                names[n++] = name;
            }
        }
    }
    return n;
}

/* "$a, $b, $c" for a sentence, cut where it has no room. Returns dst. */
static const char *
list_names(char *dst, size_t cap, const lp_span_t *names, unsigned n)
{
    size_t   len = 0;
    unsigned i;

    dst[0] = '\0';
    for (i = 0; i < n && len < cap; i++) {
        len += (size_t) snprintf(dst + len, cap - len, "%s$%.*s",
                                 i == 0 ? "" : ", ", (int) names[i].len,
                                 names[i].data);
    }
    return dst;
}

static void
lint_format(lint_t *lint, const source_t *source, const directive_t *directive)
{
    char      sentence[SENTENCE_MAX], list[SENTENCE_MAX / 2];
    lp_span_t names[NAMES_MAX];
    unsigned  i, n;
    int       leaks = 0;

    n = find_variables(directive, 2, secret_variables, N_SECRET, names);
    if (n == 0) {
        return;
    }
    for (i = 0; i < n; i++) {
        leaks |= name_matches(names[i], certain_variables, N_CERTAIN);
    }
    snprintf(sentence, sizeof(sentence),
             "log_format writes %s: tokens or persons %s be in the log; leave "
             "%s out of the format", list_names(list, sizeof(list), names, n),
             leaks ? "will" : "may", n == 1 ? "it" : "them");
    lint->found(lint->data, leaks, source->path, directive->line, sentence);
}

static void
lint_log(lint_t *lint, const source_t *source, const directive_t *directive)
{
    if (is_word(directive, 0, "log_format")) {
        lint_format(lint, source, directive);
        return;
    }
    if (!is_word(directive, 0, "access_log")) {
        return;
    }
    lint->logs = 1;
    if (directive->n == 2 ? !is_word(directive, 1, "off")
                          : is_word(directive, 2, "combined")) {
        lint->found(lint->data, 0, source->path, directive->line,
                    "access_log in the format combined writes queries, "
                    "which may hold tokens; give a log_format without "
                    "$request");
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
    char      sentence[SENTENCE_MAX], list[SENTENCE_MAX / 2];
    lp_span_t names[NAMES_MAX];
    unsigned  n = 0;

    if (makes_location(directive)) {
        n = find_variables(directive, 2, client_variables, N_CLIENT, names);
    }
    if (n > 0) {
        snprintf(sentence, sizeof(sentence),
                 "a Location is made from %s, which the client chooses; use "
                 "$request_uri or a fixed address",
                 list_names(list, sizeof(list), names, n));
        lint->found(lint->data, 0, source->path, directive->line, sentence);
    }
}

/* add_header and return send a text to the client. */
static void
lint_answer(lint_t *lint, const source_t *source, const directive_t *directive)
{
    char      sentence[SENTENCE_MAX], list[SENTENCE_MAX / 2];
    lp_span_t names[NAMES_MAX];
    unsigned  n = 0;

    if (is_word(directive, 0, "add_header")
        || is_word(directive, 0, "add_trailer")
        || is_word(directive, 0, "return")) {
        n = find_variables(directive, 1, person_variables, N_PERSON, names);
    }
    if (n > 0) {
        snprintf(sentence, sizeof(sentence),
                 "%.*s sends %s: who a person is, or a token, is for the "
                 "worker alone; pass it with fastcgi_param, leave it out here",
                 (int) directive->words[0].len, directive->words[0].data,
                 list_names(list, sizeof(list), names, n));
        lint->found(lint->data, 1, source->path, directive->line, sentence);
    }
}

/* nginx's sizes: bytes, or with k, m, g. */
static size_t
read_size(lp_span_t text)
{
    size_t i, n = 0;

    for (i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'
                && n < SIZE_CAP; i++) {
        n = n * 10 + (size_t) (text.data[i] - '0');
    }
    if (i == text.len || n >= SIZE_CAP) {
        return n;
    }
    switch (text.data[i] | 0x20) {
    case 'k':
        return n * 1024;
    case 'm':
    case 'g':
        return n * 1024 * 1024;
    default:
        return n;
    }
}

static void
judge_buffers(const lint_t *lint, const buffers_t *buffers)
{
    if (buffers->line != 0 && buffers->size < HEADER_MIN) {
        lint->found(lint->data, 0, buffers->path, buffers->line,
                    "large_client_header_buffers below 16k: a click with a "
                    "token of about 8 kB or more may end in nginx's own 400; "
                    "set \"large_client_header_buffers 4 16k\"");
    }
}

/* A server ends: its clicks have its own buffers, or http's. */
static void
close_server(lint_t *lint)
{
    if (lint->clicks && lint->of_server.line != 0) {
        judge_buffers(lint, &lint->of_server);
    } else if (lint->clicks) {
        lint->relies = 1;
    }
    lint->server = 0;
    lint->clicks = 0;
    lint->of_server.line = 0;
}

static void
lint_blocks(lint_t *lint, const directive_t *directive)
{
    if (directive->end == '{') {
        if (is_word(directive, 0, "server") && directive->n == 1) {
            lint->server = lint->blocks + 1;
        }
        lint->blocks++;
    } else if (directive->end == '}' && lint->blocks > 0) {
        if (lint->server == lint->blocks) {
            close_server(lint);
        }
        lint->blocks--;
    }
}

static void
lint_buffers(lint_t *lint, const source_t *source,
             const directive_t *directive)
{
    buffers_t *buffers = lint->server != 0 ? &lint->of_server
                                           : &lint->of_http;

    if (is_word(directive, 0, "leerpoort_click")) {
        lint->clicks |= lint->server != 0;
        lint->relies |= lint->server == 0; /* a file without its server */
    }
    if (is_word(directive, 0, "large_client_header_buffers")
        && directive->n == 3) {
        snprintf(buffers->path, sizeof(buffers->path), "%s", source->path);
        buffers->line = directive->line;
        buffers->size = read_size(directive->words[2]);
    }
    lint_blocks(lint, directive);
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
        lint_answer(lint, &source, &directive);
        lint_buffers(lint, &source, &directive);
    }
    lint->depth--;
    lp_input_free(&text);
    return 0;
}

int
lp_nginx_lint(const char *path, lp_nginx_lint_pt found, void *data)
{
    lint_t lint = {.found = found, .data = data};
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
        found(data, 0, path, 0,
              "there is no access_log, so that nginx writes the format "
              "combined with its queries; give one, or access_log off");
    }
    if (lint.relies && lint.of_http.line == 0) {
        found(data, 0, path, 0,
              "there is no large_client_header_buffers: a click with a token "
              "of about 8 kB or more ends in nginx's own 400; set "
              "\"large_client_header_buffers 4 16k\" in http");
    } else if (lint.relies) {
        judge_buffers(&lint, &lint.of_http);
    }
    return 0;
}
