/*
 * A program of many commands: finds the one that the command line names, runs
 * it, and lists them for --help.
 */

#ifndef LP_COMMAND_SET_H
#define LP_COMMAND_SET_H

#include "command_line.h"

typedef struct {
    const lp_command_t *list;
    unsigned            n;
    const char         *program; /* what the program's name has beyond
                                    "leerpoort", and its commands' names begin
                                    with: "-load"; "" */
    const char         *notes;   /* the end of --help; lines */
} lp_command_set_t;

/*
 * The whole of main(): an exit code. A reader that left is an error, not a
 * silent death: SIGPIPE is ignored.
 */
int lp_command_set_main(const lp_command_set_t *set, int argc, char **argv);

#endif
