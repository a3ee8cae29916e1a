/*
 * A hook is a program of its own, in a process group of its own, without a
 * shell between. What it says goes through a pipe, so that a hook that talks
 * without end fills no disk. A pipe stays open after its hook has ended: a
 * server that it started may still hold the other end, and must not die of
 * saying something.
 */

#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../workers/say.h"

#define PATIENCE_MS 2000
#define PAUSE_MS    10

typedef enum {
    WAITING = 0, /* for its second */
    RUNNING,
    ENDED
} state_t;

typedef struct {
    const lp_fault_t *fault;
    state_t           state;
    pid_t             pid;
    int               output; /* -1: none */
    double            at;     /* as it was started */
    int               status; /* of lp_fault_mark_t */
} hook_t;

struct lp_hooks_s {
    const char *folder;
    char        out[PATH_MAX];
    int         log; /* -1: there are no faults */
    size_t      logged;
    unsigned    n;
    hook_t      hook[LP_FAULTS_MAX];
};

static int
hook_path(char path[PATH_MAX], const char *folder, const lp_fault_t *fault)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", folder, fault->hook);

    return n < PATH_MAX ? 0 : -1;
}

int
lp_hooks_check(const lp_plan_t *plan, const char *folder)
{
    char        path[PATH_MAX];
    struct stat found;
    unsigned    i;

    if (folder != NULL
        && (stat(folder, &found) != 0 || !S_ISDIR(found.st_mode))) {
        lp_say("--hooks takes a folder, and %s is none", folder);
        return -1;
    }
    for (i = 0; i < plan->n_faults; i++) {
        if (folder == NULL) {
            lp_say("the plan has faults (%s at %g s): give the folder with "
                   "their hooks, --hooks FOLDER", plan->faults[i].hook,
                   plan->faults[i].at);
            return -1;
        }
        errno = ENAMETOOLONG;
        if (hook_path(path, folder, &plan->faults[i]) != 0
            || stat(path, &found) != 0) {
            lp_say("the plan's hook %s is not in %s: %s",
                   plan->faults[i].hook, folder, strerror(errno));
            return -1;
        }
        if (!S_ISREG(found.st_mode) || access(path, X_OK) != 0) {
            lp_say("the plan's hook %s is no program that can be run: chmod "
                   "+x %s", plan->faults[i].hook, path);
            return -1;
        }
    }
    return 0;
}

/* Appends to the log, as far as it may grow. */
static void
put_log(lp_hooks_t *hooks, const char *bytes, size_t len)
{
    ssize_t n;

    if (len > LP_HOOKS_LOG_MAX - hooks->logged) {
        len = LP_HOOKS_LOG_MAX - hooks->logged;
    }
    while (len > 0) {
        n = write(hooks->log, bytes, len);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* a full disk: the run's own files say so */
        }
        hooks->logged += (size_t) n;
        bytes += n;
        len -= (size_t) n;
    }
}

static void
note(lp_hooks_t *hooks, const hook_t *hook, double at, const char *what)
{
    char line[256];
    int  n = snprintf(line, sizeof(line), "[%.1f s] %s: %s\n", at,
                      hook->fault->hook, what);

    put_log(hooks, line, (size_t) n);
}

lp_hooks_t *
lp_hooks_create(const lp_plan_t *plan, const char *folder, const char *out)
{
    lp_hooks_t *hooks = calloc(1, sizeof(*hooks));
    char        path[PATH_MAX + 16];
    unsigned    i;

    if (hooks == NULL || realpath(out, hooks->out) == NULL) {
        lp_say("hooks: %s", strerror(errno));
        free(hooks);
        return NULL;
    }
    hooks->folder = folder;
    hooks->log = -1;
    hooks->n = plan->n_faults;
    for (i = 0; i < hooks->n; i++) {
        hooks->hook[i].fault = &plan->faults[i];
        hooks->hook[i].output = -1;
    }
    if (hooks->n == 0) {
        return hooks;
    }
    snprintf(path, sizeof(path), "%s/hooks.log", hooks->out);
    hooks->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (hooks->log == -1) {
        lp_say("%s can't be written: %s", path, strerror(errno));
        free(hooks);
        return NULL;
    }
    return hooks;
}

/* In the child: becomes the hook, or writes its errno. */
static void
become(const lp_hooks_t *hooks, const hook_t *hook, int output, int failure)
{
    char path[PATH_MAX], second[32], *argv[] = {path, NULL};
    int  null = open("/dev/null", O_RDONLY), error;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_DFL);
    snprintf(second, sizeof(second), "%.3f", hook->at);
    if (null != -1 && dup2(null, STDIN_FILENO) != -1
        && dup2(output, STDOUT_FILENO) != -1
        && dup2(output, STDERR_FILENO) != -1
        && (failure = dup2(failure, 3)) != -1
        && fcntl(failure, F_SETFD, FD_CLOEXEC) == 0
        && setenv("LEERPOORT_LOAD_SECOND", second, 1) == 0
        && setenv("LEERPOORT_LOAD_OUT", hooks->out, 1) == 0
        && hook_path(path, hooks->folder, hook->fault) == 0) {
        close_range(4, ~0U, 0); /* what libraries left open */
        execv(path, argv);
    }
    error = errno;
    if (write(failure, &error, sizeof(error)) != (ssize_t) sizeof(error)) {
        _exit(126);
    }
    _exit(127);
}

/* Starts a hook. Returns 0, or the errno of why it could not be. */
static int
start(lp_hooks_t *hooks, hook_t *hook)
{
    int     output[2] = {-1, -1}, failure[2] = {-1, -1}, error = 0;
    ssize_t n;

    if (pipe2(output, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0
        || fcntl(output[0], F_SETFL, O_NONBLOCK) != 0) {
        error = errno;
        goto out;
    }
    hook->pid = fork();
    if (hook->pid == 0) {
        become(hooks, hook, output[1], failure[1]);
    }
    if (hook->pid == -1) {
        error = errno;
        goto out;
    }
    close(failure[1]);
    failure[1] = -1;
    do {
        n = read(failure[0], &error, sizeof(error));
    } while (n == -1 && errno == EINTR);
    if (n != (ssize_t) sizeof(error)) {
        error = 0; /* it runs: exec closed the other end */
        hook->output = output[0];
        output[0] = -1;
    } else {
        waitpid(hook->pid, NULL, 0);
    }

out:
    for (n = 0; n < 2; n++) {
        if (output[n] != -1) {
            close(output[n]);
        }
        if (failure[n] != -1) {
            close(failure[n]);
        }
    }
    return error;
}

static void
begin(lp_hooks_t *hooks, hook_t *hook, double at)
{
    int error;

    hook->at = at;
    note(hooks, hook, at, "starts");
    error = start(hooks, hook);
    hook->state = error == 0 ? RUNNING : ENDED;
    if (error != 0) {
        hook->status = -1;
        note(hooks, hook, at, strerror(error));
    }
}

/* Moves what a hook said into the log. */
static void
drain(lp_hooks_t *hooks, hook_t *hook)
{
    char     bytes[4096];
    ssize_t  n;
    unsigned turns;

    /* A hook that never stops talking must not keep us here. */
    for (turns = 0; hook->output != -1 && turns < 64; turns++) {
        n = read(hook->output, bytes, sizeof(bytes));
        if (n == -1) {
            return; /* nothing now */
        }
        if (n == 0) {
            close(hook->output);
            hook->output = -1;
            return;
        }
        put_log(hooks, bytes, (size_t) n);
    }
}

/* Whether a running hook has ended by now; then its status is set. */
static void
look_after(lp_hooks_t *hooks, hook_t *hook, double at)
{
    int  status = 0;
    char what[64];

    drain(hooks, hook);
    if (hook->state != RUNNING || waitpid(hook->pid, &status, WNOHANG) <= 0) {
        return;
    }
    drain(hooks, hook);
    hook->state = ENDED;
    hook->status = WIFEXITED(status) ? WEXITSTATUS(status)
                                     : 128 + WTERMSIG(status);
    snprintf(what, sizeof(what), "ended with %d", hook->status);
    note(hooks, hook, at, what);
}

void
lp_hooks_turn(lp_hooks_t *hooks, double at, int starting)
{
    unsigned i;
    hook_t  *hook;

    for (i = 0; i < hooks->n; i++) {
        hook = &hooks->hook[i];
        if (starting && hook->state == WAITING && hook->fault->at <= at) {
            begin(hooks, hook, at);
        }
        if (hook->state != WAITING) {
            look_after(hooks, hook, at);
        }
    }
}

unsigned
lp_hooks_poll(const lp_hooks_t *hooks, struct pollfd *list)
{
    unsigned i, n = 0;

    for (i = 0; i < hooks->n; i++) {
        if (hooks->hook[i].output != -1) {
            list[n++] = (struct pollfd) {hooks->hook[i].output, POLLIN, 0};
        }
    }
    return n;
}

double
lp_hooks_next(const lp_hooks_t *hooks)
{
    double   next = -1;
    unsigned i;

    for (i = 0; i < hooks->n; i++) {
        if (hooks->hook[i].state == WAITING
            && (next < 0 || hooks->hook[i].fault->at < next)) {
            next = hooks->hook[i].fault->at;
        }
    }
    return next;
}

/* Sends a signal to the groups of all that run; returns how many do. */
static unsigned
strike(lp_hooks_t *hooks, int number)
{
    unsigned i, n = 0;

    for (i = 0; i < hooks->n; i++) {
        if (hooks->hook[i].state == RUNNING) {
            kill(-hooks->hook[i].pid, number);
            n++;
        }
    }
    return n;
}

/* Waits until none runs, or so many ms. Returns how many still do. */
static unsigned
await(lp_hooks_t *hooks, double at, int ms)
{
    unsigned i, n = 0;

    for (;;) {
        n = 0;
        for (i = 0; i < hooks->n; i++) {
            if (hooks->hook[i].state == RUNNING) {
                look_after(hooks, &hooks->hook[i], at);
                n += hooks->hook[i].state == RUNNING;
            }
        }
        if (n == 0 || ms <= 0) {
            return n;
        }
        poll(NULL, 0, PAUSE_MS);
        ms -= PAUSE_MS;
    }
}

void
lp_hooks_end(lp_hooks_t *hooks, double at)
{
    unsigned i;
    int      late[LP_FAULTS_MAX] = {0};

    await(hooks, at, 0); /* sees who has ended */
    for (i = 0; i < hooks->n; i++) {
        late[i] = hooks->hook[i].state == RUNNING;
    }
    if (strike(hooks, SIGTERM) > 0 && await(hooks, at, PATIENCE_MS) > 0) {
        strike(hooks, SIGKILL);
        await(hooks, at, PATIENCE_MS);
    }
    for (i = 0; i < hooks->n; i++) {
        if (late[i]) {
            hooks->hook[i].status = -2;
        }
    }
}

unsigned
lp_hooks_marks(const lp_hooks_t *hooks, lp_fault_mark_t *marks, unsigned max)
{
    const hook_t *hook;
    unsigned      i, n = 0;

    for (i = 0; i < hooks->n && n < max; i++) {
        hook = &hooks->hook[i];
        if (hook->state == WAITING) {
            continue;
        }
        marks[n].at = hook->at;
        marks[n].status = hook->state == RUNNING ? -2 : hook->status;
        snprintf(marks[n].name, sizeof(marks[n].name), "%s",
                 hook->fault->name);
        n++;
    }
    return n;
}

void
lp_hooks_destroy(lp_hooks_t *hooks)
{
    unsigned i;

    if (hooks == NULL) {
        return;
    }
    for (i = 0; i < hooks->n; i++) {
        if (hooks->hook[i].output != -1) {
            close(hooks->hook[i].output);
        }
    }
    if (hooks->log != -1) {
        close(hooks->log);
    }
    free(hooks);
}
