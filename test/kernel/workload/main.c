/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload serve | drive      commands on standard input, one a line, each answered by one line of JSON
 * workload child "WORDS"      one connection, then exit without close
 */
#include "workload.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void execute(const char *command, const struct options *o)
{
    if (strcmp(command, "connect") == 0) {
        if (strncmp(o->how, "abort_", 6) == 0)
            attempts_abort(o);
        else if (strncmp(o->how, "batch", 5) == 0)
            attempts_batch(o);
        else
            client_connect(o);
    } else if (strcmp(command, "exchange") == 0)
        hold_exchange(o);
    else if (strcmp(command, "stall") == 0)
        hold_stall(o);
    else if (strcmp(command, "end") == 0)
        hold_end(o);
    else if (strcmp(command, "report") != 0)
        note("command not understood: %s", command);
}

static int drive(void)
{
    static char line[512];
    char command[24];
    struct options options;
    while (fgets(line, sizeof line, stdin)) {
        if (options_parse(line, command, sizeof command, &options))
            execute(command, &options);
        hold_observe();
        tally_report();
    }
    return 0;
}

int main(int argc, char **argv)
{
    char command[24];
    struct options options;
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return server_run();
    if (argc == 2 && strcmp(argv[1], "drive") == 0)
        return drive();
    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return options_parse(argv[2], command, sizeof command, &options) ? client_child(&options) : 2;
    fprintf(stderr, "usage: workload serve | drive | child WORDS\n");
    return 2;
}
