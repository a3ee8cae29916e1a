/*
 * The terminal belongs to the shell: it gets back what it had however this
 * program ends, a crash of it included. (Against SIGKILL nobody can do
 * anything; then it takes `stty sane`.) That is why the state is one for the
 * process, and why whatever the handlers touch is safe to be called there.
 */

#include "live.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "figure.h"

#define RED   "\x1b[31m"
#define RESET "\x1b[0m"
#define ERASE "\r\x1b[K"
#define SOON  10 /* seconds before the beginning */

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

#define CRASHES (sizeof(crashes) / sizeof(crashes[0]))

static struct termios        before;
static volatile sig_atomic_t taken;  /* the keys are ours */
static int                   redraw; /* one line, drawn anew */
static int                   colour;
static int                   drawn;  /* something is on that line */
static struct sigaction      handled[CRASHES];

void
lp_live_close(void)
{
    if (taken) {
        taken = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
}

/* Gives the terminal back and lets the crash go on: by whoever would have
   handled it. What the processor refused happens again; what somebody sent is
   sent again. */
static void
crash(int number, siginfo_t *info, void *context)
{
    unsigned i;

    (void) context;
    lp_live_close();
    for (i = 0; i < CRASHES; i++) {
        if (crashes[i] == number) {
            sigaction(number, &handled[i], NULL);
        }
    }
    if (info->si_code <= 0) {
        raise(number);
    }
}

/* Only who has the terminal's foreground may change it. */
static void
take_keys(void)
{
    struct termios   own;
    struct sigaction action;
    unsigned         i;

    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp()
        || tcgetattr(STDIN_FILENO, &before) != 0) {
        return;
    }
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = crash;
    action.sa_flags = SA_SIGINFO;
    for (i = 0; i < CRASHES; i++) {
        sigaction(crashes[i], &action, &handled[i]);
    }
    signal(SIGTTOU, SIG_IGN); /* to give it back from the background, too */
    own = before;
    own.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
    own.c_cc[VMIN] = 0; /* a read never waits */
    own.c_cc[VTIME] = 0;
    taken = 1;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &own) != 0) {
        taken = 0;
    }
}

void
lp_live_open(int plain)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    redraw = !plain && isatty(STDOUT_FILENO)
             && (term == NULL || strcmp(term, "dumb") != 0);
    colour = redraw && (no_color == NULL || *no_color == '\0');
    drawn = 0;
    take_keys();
    atexit(lp_live_close);
}

int
lp_live_keys(void)
{
    return taken && tcgetpgrp(STDIN_FILENO) == getpgrp() ? STDIN_FILENO : -1;
}

lp_key_t
lp_live_key(void)
{
    char c;

    while (lp_live_keys() != -1 && read(STDIN_FILENO, &c, 1) == 1) {
        switch (c) {
        case '+':
        case '=': /* the same key without shift */
            return LP_KEY_FASTER;
        case '-':
            return LP_KEY_SLOWER;
        case 'q':
        case 'Q':
            return LP_KEY_END;
        }
    }
    return LP_KEY_NONE;
}

/* "950us", "7.25ms", "1.31s"; "-" for none. */
static const char *
write_time(char dst[24], int64_t us)
{
    double ms = (double) us / 1000;

    if (us < 0) {
        snprintf(dst, 24, "-");
    } else if (us == LP_LIVE_NEVER) {
        snprintf(dst, 24, "never");
    } else if (us < 1000) {
        snprintf(dst, 24, "%" PRId64 "us", us);
    } else if (us < 1000000) {
        snprintf(dst, 24, "%.*fms", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
    } else {
        snprintf(dst, 24, "%.2fs", ms / 1000);
    }
    return dst;
}

/* The factor where it is not 1; else nothing. */
static const char *
write_factor(char dst[24], double factor)
{
    dst[0] = '\0';
    if (factor < 0.9995 || factor > 1.0005) {
        snprintf(dst, 24, " x%.2f", factor);
    }
    return dst;
}

static int
write_countdown(char *dst, const lp_moment_t *moment)
{
    char left[LP_FIGURE_MAX];

    /* 0.2 s are left in the last second, not in the one before it */
    return snprintf(dst, LP_LIVE_MAX, "starts in %s",
                    lp_figure_clock(left, -moment->at + 0.999));
}

/* Adds "errors 5", red where there are any. columns: what is left; colours
   have no width. */
static size_t
add_wrong(char *dst, size_t len, size_t columns, const char *name, uint64_t n,
          int red)
{
    char text[64];
    int  width = snprintf(text, sizeof(text), "  %s %" PRIu64, name, n);

    if ((size_t) width >= columns
        || len + (size_t) width + sizeof(RED) + sizeof(RESET)
               > LP_LIVE_MAX) {
        return 0;
    }
    red = red && n > 0;
    snprintf(dst + len, LP_LIVE_MAX - len, "%s%s%s", red ? RED : "", text,
             red ? RESET : "");
    return (size_t) width;
}

size_t
lp_live_text(char dst[LP_LIVE_MAX], const lp_moment_t *moment, size_t columns,
             int red)
{
    char   at[LP_FIGURE_MAX], length[LP_FIGURE_MAX];
    char   p50[24], p99[24], slip[24], factor[24];
    size_t width, room = columns == 0 ? LP_LIVE_MAX : columns, n;

    if (moment->at < 0) {
        width = (size_t) write_countdown(dst, moment);
        return width;
    }
    width = (size_t) snprintf(
        dst, LP_LIVE_MAX, "%s/%s%s  %.0f/%.0f per s%s  p50 %s p99 %s",
        lp_figure_clock(at, moment->at),
        lp_figure_clock(length, moment->length),
        moment->ending ? " ending" : "", moment->reached, moment->target,
        write_factor(factor, moment->factor), write_time(p50, moment->p50),
        write_time(p99, moment->p99));
    if (width >= room) {
        dst[room - 1] = '\0';
        return room - 1;
    }
    n = add_wrong(dst, strlen(dst), room - width, "errors", moment->errors,
                  red);
    width += n;
    n = n == 0 ? 0 : add_wrong(dst, strlen(dst), room - width, "missed",
                               moment->missed, red);
    width += n;
    if (n > 0) {
        n = strlen(dst);
        snprintf(dst + n,
                 room - width < LP_LIVE_MAX - n ? room - width
                                                : LP_LIVE_MAX - n,
                 "  right %" PRIu64 " denied %" PRIu64 "  retries %" PRIu64
                 "  in flight %" PRIu64 " waiting %" PRIu64 " open %" PRIu64
                 "  slip p99 %s",
                 moment->right, moment->denied, moment->retried,
                 moment->in_flight, moment->waiting, moment->open,
                 write_time(slip, moment->slip_p99));
    }
    return strlen(dst);
}

static size_t
terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) {
        return 80;
    }
    return size.ws_col;
}

void
lp_live_show(const lp_moment_t *moment)
{
    char line[LP_LIVE_MAX];

    if (!redraw && moment->at < -SOON && (long) moment->at % 60 != 0) {
        return; /* a log needs no line a second of waiting */
    }
    if (redraw) {
        lp_live_text(line, moment, terminal_columns(), colour);
        fputs(ERASE, stdout);
        fputs(line, stdout);
        drawn = 1;
    } else {
        lp_live_text(line, moment, 0, 0);
        fputs(line, stdout);
        fputc('\n', stdout);
    }
    fflush(stdout);
}

void
lp_live_clear(void)
{
    if (drawn) {
        fputs(ERASE, stdout);
        fflush(stdout);
        drawn = 0;
    }
}
