/* commands.h: what `millrace WORD ...` can do; one function each, argv[0] is the word. They return
 * the process's exit code: 0, or 1 after one sentence on standard error. Thread: main. */
#pragma once

int mr_command_run(int argc, char **argv);     /* the relay */
int mr_command_key(int argc, char **argv);     /* new, show */
int mr_command_decode(int argc, char **argv);  /* rlp, tx, msg */
int mr_command_fork_id(int argc, char **argv); /* compute, check */

/* Prints "millrace: " and the sentence; returns 1. */
int mr_command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
