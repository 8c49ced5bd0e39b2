/* millrace: a relay node for Ethereum-family networks. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crypto/keccak.h"
#include "node/commands.h"

static const struct {
    const char *word;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", mr_command_run, "run the relay (millrace run --help lists its flags)"},
    {"key", mr_command_key, "key new FILE, key show FILE: node keys"},
    {"decode", mr_command_decode, "decode rlp|tx|msg ...: what peers send, explained"},
    {"forkid", mr_command_fork_id,
     "forkid --network NAME: a network's fork id, and checks of others"},
};

int mr_command_fail(const char *format, ...)
{
    va_list list;

    fputs("millrace: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    return 1;
}

static int usage(FILE *f)
{
    fprintf(f,
            "millrace %s: a relay node for Ethereum-family networks\n\nusage: millrace COMMAND\n",
            MR_VERSION);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(f, "  %-8s %s\n", commands[i].word, commands[i].help);
    fprintf(f, "  %-8s %s\n", "version", "print the version");
    return f == stderr;
}

int main(int argc, char **argv)
{
    mr_keccak_select();
    if (argc < 2)
        return usage(stderr);
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("millrace %s\n", MR_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return usage(stdout);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].word) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return mr_command_fail("unknown command \"%s\": millrace help lists them", argv[1]);
}
