// SPDX-License-Identifier: GPL-2.0-or-later
// usher-tun: a portal. See usher-tun(8).

#include "portal/commands.h"
#include "portal/explain/explain.h"

static const char USAGE[] = "usage: usher-tun up [-f] NAME|FILE      bring a portal up (-f: stay in the foreground)\n"
                            "       usher-tun down NAME|FILE         take it down\n"
                            "       usher-tun run NAME|FILE -- COMMAND [ARGUMENT...]\n"
                            "                                        run it with the tunnel as its only network\n"
                            "       usher-tun join [--no-up] [--as NAME] TOKEN|-\n"
                            "                                        make a portal by a token of usher-pki invite\n"
                            "       usher-tun renew NAME|FILE        get the next certificate now\n"
                            "       usher-tun reload NAME|FILE       read its files again\n"
                            "       usher-tun status [NAME] [--json] what it is doing\n"
                            "       usher-tun flows [NAME] [--json]  one line a flow\n"
                            "       usher-tun top [NAME] [--once]    tunnels and flows, as they move\n"
                            "       usher-tun denials [NAME] [--json]\n"
                            "                                        what the gate's side was refused\n"
                            "       usher-tun explain NAME|FILE HOST[:PORT] [tcp|udp|icmp] [--json]\n"
                            "                                        what becomes of a flow, step by step\n"
                            "       usher-tun bundle NAME|FILE [FILE.tar.gz] [--anonymous]\n"
                            "                                        what who helps wants to see, without secrets\n"
                            "       usher-tun check NAME|FILE        judge a configuration\n"
                            "       usher-tun --version\n"
                            "up, run and check: --passphrase-fd N, a descriptor with the passphrase of the key\n"
                            "NAME stands for /etc/usher/NAME.conf. See usher-tun(8).\n";

static const struct command COMMANDS[] = {
    {"up", command_up, .takes_foreground = true, .takes_passphrase_fd = true, .takes_argument = true,
     .needs_argument = true},
    {"down", command_down, .takes_argument = true, .needs_argument = true},
    {"reload", command_reload, .takes_json = true, .takes_argument = true, .needs_argument = true},
    {"run", command_run, .takes_passphrase_fd = true, .takes_argument = true, .needs_argument = true,
     .needs_command = true},
    {"join", command_join, .takes_joining = true, .takes_argument = true, .needs_argument = true},
    {"renew", command_renew, .takes_foreground = true, .takes_argument = true, .needs_argument = true},
    {"status", command_status, .takes_json = true, .takes_argument = true},
    {"flows", command_flows, .takes_json = true, .takes_argument = true},
    {"denials", command_denials, .takes_json = true, .takes_argument = true},
    {"top", command_top, .takes_argument = true, .takes_once = true},
    {"explain", explain_run, .takes_json = true, .takes_argument = true, .needs_argument = true, .takes_more = 2,
     .needs_more = 1},
    {"bundle", command_bundle, .takes_argument = true, .needs_argument = true, .takes_more = 1,
     .takes_anonymous = true},
    {"check", command_check, .takes_passphrase_fd = true, .takes_argument = true, .needs_argument = true},
};

int main(int argc, char **argv)
{
    static const struct command_program program = {
        "usher-tun",
        USAGE,
        COMMANDS,
        sizeof(COMMANDS) / sizeof(COMMANDS[0]),
    };
    return command_main(&program, argc, argv);
}
