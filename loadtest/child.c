/*
 * A child knows whose it is: it asks to be killed when its parent is gone, and
 * looks whether that was so before it asked.
 */

#include "child.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Ours: whoever stops a run tells us, and we tell the engines. Ctrl-Z stops
   what is shown, and not them: what they missed meanwhile they would send at
   once. */
static const int left_to_us[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

pid_t
lp_child_start(int (*work)(void *owner), void *owner)
{
    pid_t    parent = getpid(), pid;
    unsigned i;

    fflush(NULL);
    pid = fork();
    if (pid != 0) {
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1); /* it went before we asked */
    }
    for (i = 0; i < sizeof(left_to_us) / sizeof(left_to_us[0]); i++) {
        signal(left_to_us[i], SIG_IGN);
    }
    _exit(work(owner));
}

void
lp_child_kill(pid_t *pid)
{
    if (*pid != 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
        *pid = 0;
    }
}

void *
lp_child_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}
