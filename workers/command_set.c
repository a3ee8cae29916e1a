/*
 * Which command is meant, and the list of all. "leerpoort right --help" lists
 * the commands whose names begin so.
 */

#include "command_set.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

/* The command's name as it is typed: without the program's. */
static const char *
typed(const lp_command_set_t *set, const lp_command_t *command)
{
    return set->program[0] == '\0'
               ? command->name
               : command->name + strlen(set->program) + 1;
}

/* The commands that begin with prefix: all of them where it is empty. */
static unsigned
list_commands(const lp_command_set_t *set, FILE *out, const char *prefix)
{
    unsigned    i, n = 0;
    size_t      len = strlen(prefix);
    const char *name;

    for (i = 0; i < set->n; i++) {
        name = typed(set, &set->list[i]);
        if (strncmp(name, prefix, len) == 0
            && (len == 0 || name[len] == ' ')) {
            fprintf(out, "  %-20s %s\n", name, set->list[i].summary);
            n++;
        }
    }
    return n;
}

static void
put_overview(const lp_command_set_t *set, FILE *out)
{
    fprintf(out, "usage: leerpoort%s COMMAND [OPTIONS]\n\n", set->program);
    list_commands(set, out, "");
    fprintf(out, "\nleerpoort%s COMMAND --help lists the options of one.\n%s",
            set->program, set->notes);
}

/* How many of the words at argv make up the command's name; 0: not this. */
static int
name_words(const char *name, int argc, char **argv)
{
    size_t      len;
    int         i;

    for (i = 0; i < argc; i++) {
        len = strlen(argv[i]);
        if (strncmp(name, argv[i], len) != 0) {
            return 0;
        }
        if (name[len] == '\0') {
            return i + 1;
        }
        if (len == 0 || name[len] != ' ') {
            return 0;
        }
        name += len + 1;
    }
    return 0;
}

/* A group's name alone, or nothing that we know. */
static int
explain_usage(const lp_command_set_t *set, int argc, char **argv)
{
    int help = argc > 0 && strcmp(argv[argc - 1], "--help") == 0;

    if (argc == 1 && help) {
        put_overview(set, stdout);
        return LP_YES;
    }
    if (argc == 2 && help && list_commands(set, stdout, argv[0]) > 0) {
        return LP_YES;
    }
    if (argc > 0) {
        lp_say("there is no such command; see leerpoort%s --help",
               set->program);
        return LP_USAGE;
    }
    put_overview(set, stderr);
    return LP_USAGE;
}

static int
dispatch(const lp_command_set_t *set, int argc, char **argv)
{
    unsigned i;
    int      words;

    for (i = 0; i < set->n; i++) {
        words = name_words(typed(set, &set->list[i]), argc, argv);
        if (words > 0) {
            return lp_args_run(&set->list[i], argc - words, argv + words);
        }
    }
    return explain_usage(set, argc, argv);
}

int
lp_command_set_main(const lp_command_set_t *set, int argc, char **argv)
{
    int rc;

    signal(SIGPIPE, SIG_IGN);
    rc = dispatch(set, argc - 1, argv + 1);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        lp_say("the answer could not be written");
        return LP_NO;
    }
    return rc;
}
