/* A worker as a process: spawned, adopted, signalled and reaped by pidfd, so that a recycled pid can't be hit. */
#ifndef SHOAL_SUPERVISOR_PROCESS_H
#define SHOAL_SUPERVISOR_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct process_spec {
	const char *path;  /* absolute, or found from the working directory */
	char *const *argv; /* NULL-terminated */
	char *const *envp;
	int stdout_fd; /* -1: inherited */
};

/* posix_spawn and exec: default signals, empty mask, own process group (a terminal's Ctrl-C is ours to pass on),
 * nothing open but 0 (/dev/null), 1 and 2. *ret_pidfd is CLOEXEC and the caller's. -errno. */
int process_spawn(const struct process_spec *spec, pid_t *ret_pid, int *ret_pidfd);

/* A pidfd for a running process that is not ours, if it is the one that started at @start_ticks (/proc/<pid>/stat field
 * 22). -ESRCH: gone, or another one by now. */
int process_adopt(pid_t pid, uint64_t start_ticks, int *ret_pidfd);

/* -ESRCH: gone. */
int process_signal(int pidfd, int signal);

/* Collects a child that has ended: 0 and *ret_status in the form of waitpid(). -EAGAIN: it runs. -ECHILD: not our child
 * (adopted), its status can't be had. */
int process_reap(int pidfd, int *ret_status);

int process_start_ticks(pid_t pid, uint64_t *ret_ticks);

#endif
