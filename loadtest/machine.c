/*
 * Descriptors and ports are what a generator runs out of first. Each message
 * names the limit, the value that would do, and how to set it, because whoever
 * reads it has a rehearsal planned for this morning.
 */

#include "machine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../workers/say.h"

#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define GIB        (1024.0 * 1024.0 * 1024.0)

/* How many cores this process may use; at least 1. */
static unsigned
count_cores(void)
{
    cpu_set_t set;
    int       n = 0;

    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        n = CPU_COUNT(&set);
    }
    return n < 1 ? 1 : (unsigned) n;
}

void
lp_machine_text(char *dst, size_t size, int punctual)
{
    struct utsname name;
    unsigned       cores = count_cores();
    double         bytes = (double) sysconf(_SC_PHYS_PAGES)
                           * (double) sysconf(_SC_PAGESIZE);
    int            known = uname(&name) == 0;

    snprintf(dst, size, "%u core%s, %.32s %.48s, %.0f GiB%s", cores,
             cores == 1 ? "" : "s", known ? name.sysname : "an unknown system",
             known ? name.release : "", bytes / GIB,
             punctual ? ", real-time engines" : "");
}

long
lp_machine_files(unsigned long least, unsigned long wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        lp_say("the limit of open files can't be read: %s", strerror(errno));
        return -1;
    }
    if (limit.rlim_cur >= wanted) {
        return (long) wanted;
    }
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) {
        limit.rlim_max = wanted; /* as root */
    }
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return (long) wanted;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    lp_say("the plan's connections.most takes %lu open files, and the limit "
           "(RLIMIT_NOFILE) is %llu: ulimit -n %lu, as root; under systemd "
           "LimitNOFILE=%lu%s",
           wanted, (unsigned long long) limit.rlim_max, wanted, wanted,
           limit.rlim_max < least ? "" : "; it goes on with fewer");
    if (limit.rlim_max < least) {
        return -1;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long) limit.rlim_cur : -1;
}

int
lp_machine_punctual(pid_t engine, unsigned engines)
{
    struct sched_param lowest;

    memset(&lowest, 0, sizeof(lowest));
    lowest.sched_priority = sched_get_priority_min(SCHED_RR);
    return engines < count_cores()
           && sched_setscheduler(engine, SCHED_RR | SCHED_RESET_ON_FORK,
                                 &lowest) == 0;
}

static int
ports_suffice(unsigned long connections, unsigned addresses, unsigned low,
              unsigned high)
{
    unsigned long ports = high - low + 1;

    if (connections <= ports * addresses) {
        return 0;
    }
    lp_say("the plan has %lu connections at once from %u address%s, and "
           "net.ipv4.ip_local_port_range leaves %lu ports for each (%u to "
           "%u): connections.addresses %lu in the plan (on this machine), or "
           "sysctl net.ipv4.ip_local_port_range=\"1024 65535\", or more "
           "machines (--shard)",
           connections, addresses, addresses == 1 ? "" : "es", ports, low,
           high, (connections + ports - 1) / ports);
    return -1;
}

int
lp_machine_ports(unsigned long connections, unsigned addresses)
{
    FILE         *file = fopen(PORT_RANGE, "re");
    char          line[64] = "", *end;
    unsigned long low, high;

    if (file != NULL) {
        (void) !fgets(line, sizeof(line), file);
        fclose(file);
    }
    low = strtoul(line, &end, 10);
    high = strtoul(end, NULL, 10);
    if (low == 0 || low > high || high > 65535) {
        low = 32768; /* Linux' own */
        high = 60999;
    }
    return ports_suffice(connections, addresses, (unsigned) low,
                         (unsigned) high);
}

void
lp_machine_explain(char *dst, size_t size, int error)
{
    struct rlimit limit = {0, 0};

    getrlimit(RLIMIT_NOFILE, &limit);
    switch (error) {
    case EMFILE:
        snprintf(dst, size, "it ran out of open files: RLIMIT_NOFILE is %llu "
                 "(ulimit -n, LimitNOFILE=)",
                 (unsigned long long) limit.rlim_cur);
        return;
    case ENFILE:
        snprintf(dst, size, "the whole machine ran out of open files: sysctl "
                 "fs.file-max");
        return;
    case EADDRNOTAVAIL:
        snprintf(dst, size, "it ran out of ports: connections.addresses in "
                 "the plan, or sysctl net.ipv4.ip_local_port_range");
        return;
    case ENOMEM:
    case ENOBUFS:
        snprintf(dst, size, "the machine ran out of memory (%s)",
                 strerror(error));
        return;
    default:
        snprintf(dst, size, "%s", strerror(error));
    }
}
