/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const end_names[ENDS] = {
    [END_MORE] = "more",
    [END_CLIENT_FIN] = "client_fin",
    [END_SERVER_FIN] = "server_fin",
    [END_HALF] = "half",
    [END_SERVER_HALF] = "server_half",
    [END_CLIENT_RST] = "client_rst",
    [END_SERVER_RST] = "server_rst",
    [END_CLIENT_UNREAD] = "client_unread",
    [END_SERVER_UNREAD] = "server_unread",
    [END_CLIENT_UNSPEC] = "client_unspec",
    [END_CLIENT_HALF_RST] = "client_half_rst",
    [END_SERVER_HALF_RST] = "server_half_rst",
    [END_KEEPALIVE] = "keepalive",
    [END_UNACCEPTED] = "unaccepted",
};

static bool parse_end(const char *name, enum end *out)
{
    for (int i = 0; i < ENDS; i++)
        if (strcmp(name, end_names[i]) == 0) {
            *out = (enum end)i;
            return true;
        }
    return false;
}

static bool set_word(char *to, size_t size, const char *value)
{
    return snprintf(to, size, "%s", value) < (int)size;
}

static bool parse_one(struct options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        unsigned *to;
    } numbers[] = {
        {"n", &o->count},           {"up", &o->up},           {"down", &o->down},
        {"bind_port", &o->bind_port}, {"retry_port", &o->retry_port}, {"wait_ms", &o->wait_ms},
        {"parallel", &o->parallel}, {"for_ms", &o->for_ms},   {"user_timeout_ms", &o->user_timeout_ms},
        {"port", &o->port},         {"family", &o->family},   {"copies", &o->copies},
    };
    const struct {
        const char *name;
        bool *to;
    } flags[] = {{"mptcp", &o->mptcp},
                 {"mapped", &o->mapped},
                 {"unrouted", &o->unrouted},
                 {"tfo", &o->tfo},
                 {"idle", &o->idle}};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].to = (unsigned)strtoul(value, NULL, 10);
            return true;
        }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(name, flags[i].name) == 0) {
            *flags[i].to = value[0] == '1';
            return true;
        }
    if (strcmp(name, "to") == 0)
        return address_parse(value, &o->to);
    if (strcmp(name, "end") == 0)
        return parse_end(value, &o->end);
    if (strcmp(name, "how") == 0)
        return set_word(o->how, sizeof o->how, value);
    if (strcmp(name, "fd") == 0)
        return set_word(o->fd, sizeof o->fd, value);
    return false;
}

/* `command name=value name=value`; false with a note when a word is not understood. */
bool options_parse(char *line, char *command, size_t command_size, struct options *o)
{
    *o = (struct options){.count = 1, .up = 100, .down = 100, .parallel = 1, .copies = 1, .end = END_CLIENT_FIN};
    set_word(o->how, sizeof o->how, "blocking");
    set_word(o->fd, sizeof o->fd, "plain");
    line[strcspn(line, "\n")] = 0;
    if (!set_word(o->words, sizeof o->words, line)) {
        note("command too long: %s", line);
        return false;
    }
    command[0] = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (!equals) {
            set_word(command, command_size, word);
            continue;
        }
        *equals = 0;
        if (!parse_one(o, word, equals + 1)) {
            note("option not understood: %s=%s", word, equals + 1);
            return false;
        }
    }
    if (o->up + sizeof(struct request) > BODY_MAX || o->down > BODY_MAX || o->down == 0) {
        note("up and down are bytes, at most %d, down at least 1", BODY_MAX);
        return false;
    }
    return true;
}
