/* Processes by pidfd. Run by the supervisor on its loop; nothing here waits. The parent does next to nothing between
 * the spawn and the exec: library threads are about, so there is never a bare fork. */
#include "supervisor/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/cleanup.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static void cleanup_attr(posix_spawnattr_t *attr)
{
	posix_spawnattr_destroy(attr);
}

static void cleanup_actions(posix_spawn_file_actions_t *actions)
{
	posix_spawn_file_actions_destroy(actions);
}

static int set_attr(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attr, 0);
	if (r == 0)
		r = posix_spawnattr_setflags(attr,
					     POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	return -r;
}

static int set_actions(posix_spawn_file_actions_t *actions, int stdout_fd)
{
	int r;

	r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0 && stdout_fd >= 0)
		r = posix_spawn_file_actions_adddup2(actions, stdout_fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return -r;
}

int process_spawn(const struct process_spec *spec, pid_t *ret_pid, int *ret_pidfd)
{
	CLEANUP(cleanup_attr) posix_spawnattr_t attr;
	CLEANUP(cleanup_actions) posix_spawn_file_actions_t actions;
	pid_t pid;
	int pidfd, r;

	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_init(&actions);
	r = set_attr(&attr);
	if (r == 0)
		r = set_actions(&actions, spec->stdout_fd);
	if (r < 0)
		return r;
	r = posix_spawn(&pid, spec->path, &actions, &attr, spec->argv, spec->envp);
	if (r != 0)
		return -r;
	/* Not reaped yet, so the pid is still its own even if it has ended. */
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

int process_start_ticks(pid_t pid, uint64_t *ret_ticks)
{
	char path[64], text[1024], *at;
	CLEANUP(cleanup_close) int fd = -1;
	uint64_t ticks;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ESRCH;
	text[n] = '\0';
	/* The name may hold blanks and brackets: fields are counted from its last bracket, which closes field 2. */
	at = strrchr(text, ')');
	for (int field = 3; at && field <= 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, " %" SCNu64, &ticks) != 1)
		return -EBADMSG;
	*ret_ticks = ticks;
	return 0;
}

int process_adopt(pid_t pid, uint64_t start_ticks, int *ret_pidfd)
{
	CLEANUP(cleanup_close) int pidfd = -1;
	uint64_t ticks = 0;
	int r;

	if (pid <= 1)
		return -ESRCH;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return -errno;
	/* Looked at after the pidfd was taken: what we compare is what we hold. */
	r = process_start_ticks(pid, &ticks);
	if (r < 0)
		return r;
	if (ticks != start_ticks)
		return -ESRCH;
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

int process_signal(int pidfd, int signal)
{
	return pidfd_send_signal(pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int process_reap(int pidfd, int *ret_status)
{
	siginfo_t info = { 0 };
	int status;

	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
		return -errno;
	if (info.si_pid == 0)
		return -EAGAIN;
	status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
	if (info.si_code == CLD_DUMPED)
		status |= 0x80;
	*ret_status = status;
	return 0;
}
