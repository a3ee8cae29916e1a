/*
 * The writer of pages: head and end of the file, and text made harmless.
 *
 * The page forbids itself everything but its own style sheet, so that even a
 * text that got in as markup could neither run nor fetch anything.
 */

#include "html.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"
#include "new_file.h"

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
    "<meta charset=\"utf-8\" />\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action "
    "'none'\" />\n"
    "<meta name=\"referrer\" content=\"no-referrer\" />\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\" />\n"
    "<meta name=\"color-scheme\" content=\"light dark\" />\n<title>";

int
lp_html_open(lp_html_t *html, const char *title)
{
    memset(html, 0, sizeof(*html));

    html->out = open_memstream(&html->bytes, &html->len);
    if (html->out == NULL) {
        lp_say("no memory left for the page");
        return -1;
    }

    (void) fputs(head, html->out);
    lp_html_text(html->out, title);
    (void) fputs("</title>\n<style>\n", html->out);
    (void) fputs(lp_html_style, html->out);
    (void) fputs("</style>\n</head>\n<body>\n<main>\n", html->out);

    return 0;
}

int
lp_html_drop(lp_html_t *html)
{
    if (html->out != NULL) {
        (void) fclose(html->out);
        html->out = NULL;
    }

    free(html->bytes);
    html->bytes = NULL;

    return -1;
}

int
lp_html_close(lp_html_t *html, const char *folder, const char *name)
{
    int rc;

    (void) fputs("</main>\n</body>\n</html>\n", html->out);
    rc = ferror(html->out);
    rc = fclose(html->out) != 0 || rc;
    html->out = NULL;

    if (rc) {
        lp_say("no memory left for the page");
        return lp_html_drop(html);
    }

    rc = lp_new_file(folder, name, 0644, html->bytes, html->len);
    (void) lp_html_drop(html);

    return rc;
}

/* How many bytes of s are one whole character of UTF-8; 0: none. */
static size_t
character(const unsigned char *s, uint32_t *code)
{
    static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t                i, len;

    if (s[0] < 0x80) {
        *code = s[0];
        return 1;
    }

    len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }

    *code = s[0] & (0xffu >> (len + 1));
    for (i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0; /* also at the end of the text */
        }
        *code = *code << 6 | (s[i] & 0x3f);
    }

    if (*code < lowest[len] || *code > 0x10ffff
        || (*code >= 0xd800 && *code <= 0xdfff))
    {
        return 0;
    }

    return len;
}

/* Characters that can be seen for what they are. */
static int
plain(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) {
        return 0;
    }

    /* What turns the direction of writing, is no character, or hides. */
    if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e)
        || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff
        || (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef))
    {
        return 0;
    }

    return 1;
}

static const char *
entity(uint32_t code)
{
    switch (code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
    case '\n':
        return " ";
    default:
        return NULL;
    }
}

void
lp_html_text(FILE *out, const char *text)
{
    const unsigned char *s;
    const char          *known;
    uint32_t             code;
    size_t               len;

    for (s = (const unsigned char *) text; *s != '\0'; s += len) {
        len = character(s, &code);
        if (len == 0) {
            (void) fputs("\xef\xbf\xbd", out);
            len = 1;
            continue;
        }

        known = entity(code);
        if (known != NULL) {
            (void) fputs(known, out);

        } else if (!plain(code)) {
            (void) fputs("\xef\xbf\xbd", out);

        } else {
            (void) fwrite(s, 1, len, out);
        }
    }
}

static void
format_text(FILE *out, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
format_text(FILE *out, const char *format, va_list args)
{
    char text[LP_HTML_TEXT_MAX];

    if (vsnprintf(text, sizeof(text), format, args) >= 0) {
        lp_html_text(out, text);
    }
}

void
lp_html_textf(FILE *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    format_text(out, format, args);
    va_end(args);
}

void
lp_html_element(FILE *out, const char *tag, const char *class,
                const char *format, ...)
{
    va_list args;

    if (class != NULL) {
        (void) fprintf(out, "<%s class=\"%s\">", tag, class);
    } else {
        (void) fprintf(out, "<%s>", tag);
    }

    va_start(args, format);
    format_text(out, format, args);
    va_end(args);

    (void) fprintf(out, "</%s>", tag);
}

void
lp_html_heading(FILE *out, const char *scope, const char *format, ...)
{
    va_list args;

    (void) fprintf(out, "<th scope=\"%s\">", scope);

    va_start(args, format);
    format_text(out, format, args);
    va_end(args);

    (void) fputs("</th>", out);
}
