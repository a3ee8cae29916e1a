/*
 * Reading pages.json. Everything that a page needs of a house is made here,
 * once: the style sheet with its hash too, so that nothing of it is left to do
 * when a page is written. Houses of the same colours share one style sheet.
 *
 * A member that is not known is refused: a misspelt "acent" must not be a
 * colour that is silently absent. What a school leaves out is the default's,
 * what that leaves out is built in; a text for the help link goes with its
 * link.
 */

#include "house.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "house_style.h"
#include "house_text.h"
#include "json.h"
#include "keys.h"
#include "text.h"

#define ACCENT       0x1f5f8b
#define ACCENT_DARK  0x8cc4ec
#define NAME_MAX_LEN 120 /* bytes */
#define BLOCK_SIZE   65536
#define CONTRAST_MIN 4.5

/* Memory that is given back as a whole. */
typedef struct block_s block_t;

struct block_s {
    block_t *next;
    size_t   size;
    size_t   used;
    char     bytes[];
};

typedef struct {
    uint32_t  accent;
    uint32_t  accent_dark;
    lp_span_t text;
    lp_span_t hash;
} style_t;

typedef struct {
    lp_house_t house;
    uint32_t   accent;
    uint32_t   accent_dark;
    lp_span_t  school; /* len 0: the default */
} entry_t;

struct lp_houses_s {
    block_t  *blocks;
    style_t  *styles;
    size_t    n_styles;
    entry_t  *schools; /* sorted by their names */
    size_t    n_schools;
    entry_t   fallback; /* the default */
    lp_span_t codes;
};

typedef struct {
    lp_houses_t *houses;
    char        *reason;
    const char  *where; /* "default", or the name of a school */
} reader_t;

static int read_file(reader_t *reader, lp_span_t text);
static int read_members(reader_t *reader, json_t *object);
static int read_schools(reader_t *reader, json_t *schools);
static int read_house(reader_t *reader, entry_t *entry, json_t *object);
static int read_member(reader_t *reader, entry_t *entry, const char *name,
                       json_t *value);
static int read_text(reader_t *reader, lp_span_t *text, const char *name,
                     json_t *value);
static int read_link(reader_t *reader, entry_t *entry, json_t *value);
static int read_help_text(reader_t *reader, entry_t *entry, json_t *value);
static int read_colours(reader_t *reader, entry_t *entry, json_t *object);
static int read_colour(reader_t *reader, uint32_t *colour, const char *name,
                       json_t *value, uint32_t paper);
static int read_codes(reader_t *reader, json_t *value);
static int dress(reader_t *reader, entry_t *entry);
static const style_t *find_style(const lp_houses_t *houses,
                                 const entry_t *entry);
static lp_span_t keep(lp_houses_t *houses, lp_span_t text);
static int by_school(const void *a, const void *b);
static int refuse(const reader_t *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

lp_houses_t *
lp_houses_read(lp_span_t text, char *reason)
{
    reader_t reader;
    entry_t *fallback;

    reader.reason = reason;
    reader.where = "default";
    reader.houses = calloc(1, sizeof(lp_houses_t));
    if (reader.houses == NULL) {
        (void) refuse(&reader, "memory ran out");
        return NULL;
    }

    fallback = &reader.houses->fallback;
    fallback->house.name = lp_span("Leerpoort");
    fallback->house.help_text[LP_DUTCH] = lp_span("Hulp en contact");
    fallback->house.help_text[LP_ENGLISH] = lp_span("Help and contact");
    fallback->accent = ACCENT;
    fallback->accent_dark = ACCENT_DARK;

    if (text.data == NULL ? dress(&reader, fallback) != 0
                          : read_file(&reader, text) != 0) {
        lp_houses_free(reader.houses);
        return NULL;
    }

    return reader.houses;
}

void
lp_houses_free(lp_houses_t *houses)
{
    block_t *block, *next;

    if (houses == NULL) {
        return;
    }

    for (block = houses->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }

    free(houses->schools);
    free(houses->styles);
    free(houses);
}

const lp_house_t *
lp_house_of(const lp_houses_t *houses, lp_span_t school)
{
    entry_t        key = {.school = school};
    const entry_t *found = NULL;

    if (school.len > 0 && houses->n_schools > 0) {
        found = bsearch(&key, houses->schools, houses->n_schools,
                        sizeof(entry_t), by_school);
    }

    return found == NULL ? &houses->fallback.house : &found->house;
}

lp_span_t
lp_houses_codes(const lp_houses_t *houses)
{
    return houses->codes;
}

static int
read_file(reader_t *reader, lp_span_t text)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    json_t           *object;
    int               rc;

    if (text.len > LP_HOUSES_FILE_MAX) {
        return refuse(reader, "longer than %d bytes", LP_HOUSES_FILE_MAX);
    }

    object = lp_json_read(text, &memory, &error);
    if (object == NULL) {
        return refuse(reader, "%s", lp_json_complaint());
    }

    rc = read_members(reader, object);
    lp_json_release(memory);

    return rc;
}

/* The default first, wherever it stands: the schools begin with it. */
static int
read_members(reader_t *reader, json_t *object)
{
    const char *name;
    json_t     *value;

    json_object_foreach(object, name, value) {
        if (strcmp(name, "default") != 0 && strcmp(name, "schools") != 0
            && strcmp(name, "codes") != 0) {
            return refuse(reader, "\"%.40s\" is no member of pages.json",
                          name);
        }
    }

    value = json_object_get(object, "default");
    if (value != NULL
        && read_house(reader, &reader->houses->fallback, value) != 0) {
        return -1;
    }

    value = json_object_get(object, "codes");
    if (value != NULL && read_codes(reader, value) != 0) {
        return -1;
    }

    if (dress(reader, &reader->houses->fallback) != 0) {
        return -1;
    }

    value = json_object_get(object, "schools");

    return value == NULL ? 0 : read_schools(reader, value);
}

static int
read_schools(reader_t *reader, json_t *schools)
{
    lp_houses_t *houses = reader->houses;
    const char  *name;
    entry_t     *entry;
    json_t      *value;

    if (!json_is_object(schools)) {
        return refuse(reader, "schools: not an object");
    }
    if (json_object_size(schools) == 0) {
        return 0;
    }

    houses->schools = calloc(json_object_size(schools), sizeof(entry_t));
    if (houses->schools == NULL) {
        return refuse(reader, "memory ran out");
    }

    json_object_foreach(schools, name, value) {
        if (!lp_school_valid(lp_span_of(name))) {
            return refuse(reader, "schools: \"%.64s\" is no id of a school",
                          name);
        }

        reader->where = name;
        entry = &houses->schools[houses->n_schools];
        *entry = houses->fallback;
        entry->school = keep(houses, lp_span_of(name));

        if (entry->school.data == NULL) {
            return refuse(reader, "memory ran out");
        }
        if (read_house(reader, entry, value) != 0
            || dress(reader, entry) != 0) {
            return -1;
        }
        houses->n_schools++;
    }

    qsort(houses->schools, houses->n_schools, sizeof(entry_t), by_school);

    return 0;
}

static int
read_house(reader_t *reader, entry_t *entry, json_t *object)
{
    static const lp_house_t built_in = {
        .help_text = {{"Hulp en contact", 15}, {"Help and contact", 16}}};

    const char *name;
    json_t     *value;

    if (!json_is_object(object)) {
        return refuse(reader, "%s: not an object", reader->where);
    }

    if (json_object_get(object, "help") != NULL) {
        memcpy(entry->house.help_text, built_in.help_text,
               sizeof(built_in.help_text));
    }

    json_object_foreach(object, name, value) {
        if (read_member(reader, entry, name, value) != 0) {
            return -1;
        }
    }

    return read_colours(reader, entry, object);
}

static int
read_member(reader_t *reader, entry_t *entry, const char *name, json_t *value)
{
    if (strcmp(name, "name") == 0) {
        return read_text(reader, &entry->house.name, name, value);
    }
    if (strcmp(name, "help") == 0) {
        return read_link(reader, entry, value);
    }
    if (strcmp(name, "helpText") == 0) {
        return read_help_text(reader, entry, value);
    }
    if (strcmp(name, "accent") == 0 || strcmp(name, "accentDark") == 0) {
        return 0; /* read_colours() */
    }

    return refuse(reader, "%s: \"%.40s\" is no member of a house style",
                  reader->where, name);
}

static int
read_text(reader_t *reader, lp_span_t *text, const char *name, json_t *value)
{
    if (!json_is_string(value)
        || !lp_house_text(lp_json_text(value), NAME_MAX_LEN)) {
        return refuse(reader,
                      "%s.%s: not a text of 1 to %d bytes that can be seen",
                      reader->where, name, NAME_MAX_LEN);
    }

    *text = keep(reader->houses, lp_json_text(value));

    return text->data == NULL ? refuse(reader, "memory ran out") : 0;
}

/* "" takes the default's link away. */
static int
read_link(reader_t *reader, entry_t *entry, json_t *value)
{
    lp_span_t text = lp_json_text(value);

    if (!json_is_string(value) || (text.len > 0 && !lp_house_link(text))) {
        return refuse(reader,
                      "%s.help: not a URL with https:, mailto: or tel:, of "
                      "at most %d bytes", reader->where, LP_HOUSE_LINK_MAX);
    }

    entry->house.help = keep(reader->houses, text);

    return entry->house.help.data == NULL ? refuse(reader, "memory ran out")
                                          : 0;
}

/* One text for both languages, or an object with both. */
static int
read_help_text(reader_t *reader, entry_t *entry, json_t *value)
{
    lp_span_t *texts = entry->house.help_text;
    json_t    *text;
    int        l;

    for (l = 0; l < LP_LANGUAGES; l++) {
        text = value;
        if (json_is_object(value)) {
            text = json_object_get(value, lp_language_tag((lp_language_t) l));
        }
        if (read_text(reader, &texts[l], "helpText", text) != 0) {
            return -1;
        }
    }

    if (json_is_object(value) && json_object_size(value) != LP_LANGUAGES) {
        return refuse(reader, "%s.helpText: has more than \"nl\" and \"en\"",
                      reader->where);
    }

    return 0;
}

/* An accent without one for dark paper is made lighter for it. */
static int
read_colours(reader_t *reader, entry_t *entry, json_t *object)
{
    json_t *accent = json_object_get(object, "accent");
    json_t *dark = json_object_get(object, "accentDark");

    if (accent != NULL) {
        if (read_colour(reader, &entry->accent, "accent", accent, LP_PAPER)
            != 0) {
            return -1;
        }
        entry->accent_dark = lp_colour_for_dark(entry->accent);
    }

    if (dark == NULL) {
        return 0;
    }

    return read_colour(reader, &entry->accent_dark, "accentDark", dark,
                       LP_PAPER_DARK);
}

static int
read_colour(reader_t *reader, uint32_t *colour, const char *name,
            json_t *value, uint32_t paper)
{
    int32_t read = json_is_string(value) ? lp_colour_read(lp_json_text(value))
                                         : -1;

    if (read == -1) {
        return refuse(reader, "%s.%s: not a colour like \"#1f5f8b\"",
                      reader->where, name);
    }

    *colour = (uint32_t) read;

    if (lp_colour_contrast(*colour, paper) < CONTRAST_MIN) {
        return refuse(reader,
                      "%s.%s: contrast with #%06x is %.2f; at least 4.5 is "
                      "needed to be read",
                      reader->where, name, (unsigned) paper,
                      lp_colour_contrast(*colour, paper));
    }

    return 0;
}

/* A path of this site: "//host" would be one of another. */
static int
read_codes(reader_t *reader, json_t *value)
{
    lp_span_t text = lp_json_text(value);

    if (!json_is_string(value) || text.len == 0 || text.data[0] != '/'
        || (text.len > 1 && (text.data[1] == '/' || text.data[1] == '\\'))
        || memchr(text.data, ' ', text.len) != NULL
        || !lp_house_text(text, LP_HOUSE_LINK_MAX)) {
        return refuse(reader, "codes: not a path like \"/code\"");
    }

    reader->houses->codes = keep(reader->houses, text);

    return reader->houses->codes.data == NULL
               ? refuse(reader, "memory ran out") : 0;
}

/* Gives a house its style sheet: one of before, or a new one. */
static int
dress(reader_t *reader, entry_t *entry)
{
    lp_houses_t   *houses = reader->houses;
    const style_t *found;
    style_t       *style;
    char           sheet[LP_STYLE_MAX], hash[LP_STYLE_HASH_MAX];
    lp_text_t      text = lp_text_in(sheet, sizeof(sheet));
    size_t         hash_len;

    found = find_style(houses, entry);

    if (found == NULL) {
        /* grows at powers of two */
        if ((houses->n_styles & (houses->n_styles - 1)) == 0) {
            style = realloc(houses->styles,
                            (houses->n_styles * 2 + 1) * sizeof(style_t));
            if (style == NULL) {
                return refuse(reader, "memory ran out");
            }
            houses->styles = style;
        }

        lp_style_write(&text, entry->accent, entry->accent_dark);
        hash_len = lp_style_hash(hash, lp_text_span(&text));

        style = &houses->styles[houses->n_styles];
        style->accent = entry->accent;
        style->accent_dark = entry->accent_dark;
        style->text = keep(houses, lp_text_span(&text));
        style->hash = keep(houses, (lp_span_t) {hash, hash_len});

        if (text.full || hash_len == 0 || style->text.data == NULL
            || style->hash.data == NULL) {
            return refuse(reader, "memory ran out");
        }
        houses->n_styles++;
        found = style;
    }

    entry->house.style = found->text;
    entry->house.style_hash = found->hash;

    return 0;
}

static const style_t *
find_style(const lp_houses_t *houses, const entry_t *entry)
{
    size_t i;

    for (i = 0; i < houses->n_styles; i++) {
        if (houses->styles[i].accent == entry->accent
            && houses->styles[i].accent_dark == entry->accent_dark) {
            return &houses->styles[i];
        }
    }

    return NULL;
}

/* A copy that lives as long as the houses; data NULL: no memory. */
static lp_span_t
keep(lp_houses_t *houses, lp_span_t text)
{
    block_t *block = houses->blocks;
    size_t   size;
    char    *copy;

    if (block == NULL || block->size - block->used < text.len) {
        size = text.len > BLOCK_SIZE ? text.len : BLOCK_SIZE;
        block = malloc(sizeof(block_t) + size);
        if (block == NULL) {
            return (lp_span_t) {NULL, 0};
        }
        block->next = houses->blocks;
        block->size = size;
        block->used = 0;
        houses->blocks = block;
    }

    copy = block->bytes + block->used;
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    block->used += text.len;

    return (lp_span_t) {copy, text.len};
}

static int
by_school(const void *a, const void *b)
{
    const entry_t *one = a, *other = b;
    size_t         len;
    int            order;

    len = one->school.len < other->school.len ? one->school.len
                                              : other->school.len;
    order = memcmp(one->school.data, other->school.data, len);

    if (order != 0 || one->school.len == other->school.len) {
        return order;
    }

    return one->school.len < other->school.len ? -1 : 1;
}

static int
refuse(const reader_t *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reader->reason, LP_HOUSE_REASON_MAX, format, args);
    va_end(args);

    return -1;
}
