/*
 * The curve is drawn as a filled area of dots: two by four in a character of
 * braille (U+2800 and a bit for each dot), else one by two, '.' and ':'. A
 * column of dots is as high as the highest rate in its time, so that no spike
 * is too short to be seen.
 */

#include "plan_drawing.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "figure.h"

#define COLUMNS 64 /* of the curve; 8 more are for the axis */
#define ROWS    10
#define LOOKS   16 /* at the curve, in a column of dots */
#define DOTS    (2 * COLUMNS)

/* What a character has: dots beside and above each other. */
typedef struct {
    unsigned wide;
    unsigned high;
} cell_t;

int
lp_drawing_braille(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t) 0);
    int      utf8;

    if (locale == (locale_t) 0) {
        return 0;
    }
    utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return utf8;
}

/* The highest rate from a until b. */
static double
highest(const lp_plan_t *plan, double a, double b)
{
    unsigned i;
    double   most = 0;

    for (i = 0; i < LOOKS; i++) {
        most = fmax(most, lp_plan_rate(plan, a + (b - a) * i / LOOKS));
    }
    for (i = 0; i < plan->n_spikes; i++) {
        if (plan->spikes[i].at >= a && plan->spikes[i].at < b) {
            most = fmax(most, lp_plan_rate(plan, plan->spikes[i].at));
        }
    }
    return most;
}

/* Of each column of dots, how many are filled. */
static void
fill_heights(const lp_plan_t *plan, cell_t cell, double top,
             unsigned height[DOTS])
{
    unsigned i, columns = COLUMNS * cell.wide;
    double   each = lp_plan_seconds(plan) / columns, share;

    for (i = 0; i < columns; i++) {
        share = highest(plan, i * each, (i + 1) * each) / top;
        height[i] = (unsigned) ceil(share * ROWS * cell.high - 1e-9);
    }
}

/* Bits of a braille character by column and row, the lowest row first. */
static const unsigned char braille_dots[2][4] = {
    {0x40, 0x04, 0x02, 0x01},
    {0x80, 0x20, 0x10, 0x08},
};

static void
put_braille(FILE *out, const unsigned *height, unsigned below)
{
    unsigned bits = 0, column, row;

    for (column = 0; column < 2; column++) {
        for (row = 0; row < 4; row++) {
            if (height[column] > below + row) {
                bits |= braille_dots[column][row];
            }
        }
    }
    if (bits == 0) {
        fputc(' ', out);
    } else {
        /* U+2800 to U+28FF as UTF-8 */
        fputc(0xe2, out);
        fputc((int) (0xa0 + (bits >> 6)), out);
        fputc((int) (0x80 + (bits & 0x3f)), out);
    }
}

static void
put_row(FILE *out, int braille, const unsigned *height, unsigned row)
{
    unsigned i, last = COLUMNS, wide = braille ? 2 : 1;
    unsigned below = row * (braille ? 4 : 2);

    while (last > 0 && height[(last - 1) * wide] <= below
           && height[last * wide - 1] <= below) {
        last--; /* no blanks at the end of a line */
    }
    for (i = 0; i < last; i++) {
        if (braille) {
            put_braille(out, &height[2 * i], below);
        } else {
            fputc(height[i] > below + 1 ? ':' : height[i] > below ? '.' : ' ',
                  out);
        }
    }
    fputc('\n', out);
}

static void
put_marks(FILE *out, const lp_plan_t *plan, double end)
{
    char     line[COLUMNS + 1];
    unsigned i, column, last = 0;

    if (plan->n_faults == 0) {
        return;
    }
    memset(line, ' ', sizeof(line));
    for (i = 0; i < plan->n_faults; i++) {
        column = (unsigned) (plan->faults[i].at / end * (COLUMNS - 1));
        line[column] = '^';
        last = column > last ? column : last;
    }
    fprintf(out, "%8s%.*s faults\n", "", (int) last + 1, line);
}

static void
put_times(FILE *out, double end)
{
    char half[LP_FIGURE_MAX], whole[LP_FIGURE_MAX];

    fprintf(out, "%8s0:00%*s%*s\n", "", COLUMNS / 2 - 2,
            lp_figure_clock(half, round(end / 2)), COLUMNS / 2 - 2,
            lp_figure_clock(whole, round(end)));
}

void
lp_plan_draw(const lp_plan_t *plan, FILE *out, int braille)
{
    unsigned height[DOTS], row, i;
    char     text[LP_FIGURE_MAX];
    double   top = lp_plan_peak(plan);
    cell_t   cell = braille ? (cell_t) {2, 4} : (cell_t) {1, 2};

    fill_heights(plan, cell, top > 0 ? top : 1, height);
    for (row = ROWS; row-- > 0;) {
        fprintf(out, "%7s|", row + 1 == ROWS ? lp_figure_rate(text, top)
                             : row == ROWS / 2 - 1
                                 ? lp_figure_rate(text, top / 2) : "");
        put_row(out, braille, height, row);
    }
    fprintf(out, "%7s+", "0");
    for (i = 0; i < COLUMNS; i++) {
        fputc('-', out);
    }
    fputc('\n', out);
    put_marks(out, plan, lp_plan_seconds(plan));
    put_times(out, lp_plan_seconds(plan));
}
