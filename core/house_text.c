/*
 * Names and links of pages.json. All of it is escaped wherever it is shown;
 * what is refused here would be harmless, and a page that puzzles its readers.
 */

#include "house_text.h"

#include "chars.h"
#include "text.h"

static int has_format(lp_span_t text);

int
lp_house_link(lp_span_t text)
{
    static const char *const schemes[] = {"https://", "mailto:", "tel:"};

    size_t i, len;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~'
            || strchr("\"<>\\^`{|}", text.data[i]) != NULL) {
            return 0;
        }
    }

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        len = strlen(schemes[i]);
        if (text.len > len && text.len <= LP_HOUSE_LINK_MAX
            && memcmp(text.data, schemes[i], len) == 0) {
            return text.data[len] == '+'
                   || lp_char_is((unsigned char) text.data[len],
                                 LP_CHAR_ALNUM);
        }
    }

    return 0;
}

int
lp_house_text(lp_span_t text, size_t max)
{
    size_t i;

    for (i = 0; i < text.len && text.data[i] == ' '; i++) {
    }

    return i < text.len && text.len <= max && !lp_has_control(text)
           && !has_format(text);
}

/* U+0080 to 9F, U+2028 to 202E, U+2066 to 2069; the text is UTF-8. */
static int
has_format(lp_span_t text)
{
    const unsigned char *p = (const unsigned char *) text.data;
    size_t               i;

    for (i = 0; i + 1 < text.len; i++) {
        if (p[i] == 0xc2 && p[i + 1] < 0xa0) {
            return 1;
        }
        if (i + 2 < text.len && p[i] == 0xe2
            && ((p[i + 1] == 0x80 && p[i + 2] >= 0xa8 && p[i + 2] <= 0xae)
                || (p[i + 1] == 0x81 && p[i + 2] >= 0xa6
                    && p[i + 2] <= 0xa9))) {
            return 1;
        }
    }

    return 0;
}
