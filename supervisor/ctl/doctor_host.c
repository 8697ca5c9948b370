/* doctor's look at this machine: configuration, secrets' files, directories, limits, systemd, clock. Run by shoalctl;
 * reads alone. */
#include "supervisor/ctl/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "shared/base/errors.h"
#include "shared/config/options.h"
#include "shared/db/conninfo.h"

/* A shard's boards, cache and journal begin at about this much of tmpfs, and its guilds come on top. */
#define ROOM_SHARD_KIB 2048
#define ROOM_STATE_KIB (64 * 1024)
/* shoald holds a board, a pidfd and a control connection for each worker. */
#define DESCRIPTORS_SHARD 4
#define DESCRIPTORS_BASE  128
/* A worker's own: gateway, REST, NATS, PostgreSQL, files. */
#define DESCRIPTORS_WORKER 128

/* --- configuration ------------------------------------------------------------------------------------------------ */

static bool check_conninfo(const struct config *config, const char *key, const char *text,
			   struct doctor_finding *finding)
{
	struct conninfo *conninfo = NULL;
	char why[CONNINFO_TEXT_SIZE] = "";
	const char *place = config_place(config, key);
	int r = *text ? conninfo_parse(text, &conninfo, why) : 0;

	conninfo_free(conninfo);
	if (r == 0)
		return true;
	doctor_say(finding, DOCTOR_FAIL, "%s%s%s: %s", place, *place ? ": " : "", key, why[0] ? why : error_text(r));
	return false;
}

/* Whether an option was given in a file, and that file's path. */
static bool file_of(const struct config *config, const char *key, char *path, size_t size)
{
	const char *place = config_place(config, key), *colon = strrchr(place, ':');

	if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || colon[1] == '\0')
		return false;
	snprintf(path, size, "%.*s", (int)(colon - place), place);
	return true;
}

void doctor_configuration(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct config *config = doctor->config;
	unsigned int given = 0;

	if (doctor->config_error) {
		doctor_say(finding, DOCTOR_FAIL, "%s", doctor->config_error);
		doctor_advise(finding, "correct it; shoald --check says the same");
		return;
	}
	if (!check_conninfo(config, "postgres.conninfo", config->postgres_conninfo, finding) ||
	    !check_conninfo(config, "postgres.read_conninfo", config->postgres_read_conninfo, finding))
		return;
	for (size_t i = 0; i < config_option_count; i++)
		given += config_place(config, config_options[i].key)[0] != '\0';
	doctor_say(finding, DOCTOR_OK, "readable; %u options are not at their default", given);
	if (doctor->status && strcmp(ctl_text(doctor->status, "api_base"), config->discord_api_base) != 0)
		doctor_add(finding, DOCTOR_WARN, "the running shoald was started with another configuration");
	if (finding->verdict == DOCTOR_WARN)
		doctor_advise(finding, "name it with --config, or `shoalctl reload` when this is the new one");
}

/* --- secrets ------------------------------------------------------------------------------------------------------ */

static void check_secret_file(const char *path, const char *key, struct doctor_finding *finding)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		doctor_add(finding, DOCTOR_FAIL, "%s (%s): %s", path, key, strerror(errno));
		return;
	}
	if ((st.st_mode & 077) == 0)
		return;
	doctor_add(finding, DOCTOR_WARN, "%s (%s) has mode %03o: others may read it", path, key, st.st_mode & 0777);
	if (!finding->advice[0])
		doctor_advise(finding, "chmod 600 %s", path);
}

void doctor_secrets(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const files[] = { "discord.token_file", "nats.url_file", "postgres.conninfo_file",
					     "postgres.read_conninfo_file" };
	const struct config *config = doctor->config;
	char path[512], number[16], seen[512] = "";

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const char *file = option_text(config, option_find(files[i]), number);

		if (*file)
			check_secret_file(file, files[i], finding);
	}
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];

		/* A file that holds one secret holds them all. */
		if (!(option->flags & OPTION_SECRET) || !file_of(config, option->key, path, sizeof(path)) ||
		    strcmp(path, seen) == 0)
			continue;
		snprintf(seen, sizeof(seen), "%s", path);
		check_secret_file(path, option->key, finding);
	}
	if (finding->what[0])
		return;
	if (config->discord_token[0] || config->discord_token_file[0])
		doctor_say(finding, DOCTOR_OK, "files that hold one are for their owner alone");
	else if (doctor->status)
		doctor_say(finding, DOCTOR_OK, "shoald has a token; how it was given is not to be seen from here");
	else
		doctor_say(finding, DOCTOR_OFF,
			   "no token is configured here (a credential or shoald's environment is "
			   "not to be seen from outside)");
}

/* --- directories -------------------------------------------------------------------------------------------------- */

static bool is_in_memory(const struct statfs *fs)
{
	return fs->f_type == TMPFS_MAGIC || fs->f_type == RAMFS_MAGIC;
}

/* Owner and mode; false when nothing more can be said of it. */
static bool check_dir(const char *key, const char *path, struct statfs *ret_fs, struct doctor_finding *finding)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		doctor_say(finding, errno == ENOENT ? DOCTOR_WARN : DOCTOR_FAIL, "%s: %s", path, strerror(errno));
		if (errno == ENOENT)
			doctor_advise(finding, "shoald makes it at its start; under systemd the unit does");
		else
			doctor_advise(finding, "run this as the user of shoald, or as root");
		return false;
	}
	if (!S_ISDIR(st.st_mode) || (st.st_mode & 022)) {
		doctor_say(finding, DOCTOR_FAIL, "%s %s", path,
			   S_ISDIR(st.st_mode) ? "may be written by others" : "is no directory");
		doctor_advise(finding, S_ISDIR(st.st_mode) ? "chmod 700 %s" : "name another one (%s)",
			      S_ISDIR(st.st_mode) ? path : key);
		return false;
	}
	if (statfs(path, ret_fs) < 0) {
		doctor_say(finding, DOCTOR_FAIL, "%s: %s", path, strerror(errno));
		return false;
	}
	doctor_say(finding, DOCTOR_OK, "%s, mode %03o", path, st.st_mode & 0777);
	if (st.st_mode & 077) {
		doctor_add(finding, DOCTOR_WARN, "others may look into it");
		doctor_advise(finding, "chmod 700 %s", path);
	}
	return true;
}

static int64_t free_kib(const struct statfs *fs)
{
	return (int64_t)(fs->f_bavail * (uint64_t)fs->f_bsize / 1024);
}

void doctor_runtime_dir(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor->status ? doctor->options->runtime_dir : doctor->config->supervisor_runtime_dir;
	int64_t needed_kib = (int64_t)(doctor->shards ? doctor->shards : 1) * ROOM_SHARD_KIB;
	struct statfs fs;

	if (!check_dir("supervisor.runtime_dir", path, &fs, finding))
		return;
	if (!is_in_memory(&fs)) {
		doctor_add(finding, DOCTOR_WARN, "not on tmpfs: every event would wait for a disk");
		doctor_advise(finding, "put supervisor.runtime_dir on tmpfs (/run/shoal)");
	}
	/* A running fleet has taken its room already. */
	if (!doctor->status && free_kib(&fs) < needed_kib) {
		doctor_add(finding, DOCTOR_FAIL, "%s free, %u shards begin at %s", ctl_kib(free_kib(&fs)),
			   doctor->shards, ctl_kib(needed_kib));
		doctor_advise(finding, "make the file system larger, or empty it");
	} else if (free_kib(&fs) < needed_kib / 4) {
		doctor_add(finding, DOCTOR_WARN, "only %s free", ctl_kib(free_kib(&fs)));
		doctor_advise(finding, "make the file system larger: caches and inboxes of the shards lie there");
	} else {
		doctor_add(finding, DOCTOR_OK, "%s free", ctl_kib(free_kib(&fs)));
	}
}

void doctor_state_dir(struct doctor *doctor, struct doctor_finding *finding)
{
	struct statfs fs;

	if (!check_dir("supervisor.state_dir", doctor->config->supervisor_state_dir, &fs, finding))
		return;
	doctor_add(finding, free_kib(&fs) < ROOM_STATE_KIB ? DOCTOR_WARN : DOCTOR_OK, "%s free",
		   ctl_kib(free_kib(&fs)));
	if (free_kib(&fs) < ROOM_STATE_KIB)
		doctor_advise(finding, "make room: what must outlive a reboot is written there");
	if (is_in_memory(&fs)) {
		doctor_add(finding, DOCTOR_WARN, "it lies in memory: what must outlive a reboot would not");
		doctor_advise(finding, "put supervisor.state_dir on a disk (/var/lib/shoal)");
	}
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* "Max open files            1024                 1048576              files" of another process. */
static int64_t descriptors_of(int64_t pid)
{
	char path[64], line[256];
	long long soft = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%" PRId64 "/limits", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Max open files %lld", &soft) == 1)
			break;
	fclose(file);
	return soft;
}

void doctor_descriptors(struct doctor *doctor, struct doctor_finding *finding)
{
	int64_t needed = DESCRIPTORS_BASE + (int64_t)doctor->shards * DESCRIPTORS_SHARD, have = -1;
	struct rlimit own = { 0 };

	if (doctor->status)
		have = descriptors_of(ctl_int(doctor->status, "pid"));
	if (have < 0) {
		getrlimit(RLIMIT_NOFILE, &own);
		have = (int64_t)own.rlim_max; /* shoald raises its own to that */
	}
	if (needed < DESCRIPTORS_WORKER)
		needed = DESCRIPTORS_WORKER;
	doctor_say(finding, have < needed ? DOCTOR_FAIL : DOCTOR_OK, "%s open files allowed, %u shards need %s",
		   ctl_count(have), doctor->shards, ctl_count(needed));
	if (have < needed)
		doctor_advise(finding, "LimitNOFILE=%" PRId64 " in the unit, or ulimit -n before shoald", needed * 2);
}

/* --- systemd ------------------------------------------------------------------------------------------------------ */

#define UNIT "/org/freedesktop/systemd1/unit/shoald_2eservice"

static const struct unit_row {
	const char *interface, *property, *wanted, *why;
	enum doctor_verdict verdict;
} unit_rows[] = {
	{ "Service", "KillMode", "process", "workers would not outlive a killed shoald", DOCTOR_FAIL },
	{ "Service", "RuntimeDirectoryPreserve", "yes", "sessions would be lost with a stop", DOCTOR_FAIL },
	{ "Service", "Restart", "on-failure", "a killed shoald would stay away", DOCTOR_WARN },
	{ "Unit", "UnitFileState", "enabled", "it does not start with the machine", DOCTOR_WARN },
};

static int unit_property(sd_bus *bus, const char *interface, const char *property, char *text, size_t size)
{
	CLEANUP(cleanup_free) char *value = NULL;
	char name[64];
	int r;

	snprintf(name, sizeof(name), "org.freedesktop.systemd1.%s", interface);
	r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", UNIT, name, property, NULL, &value);
	snprintf(text, size, "%s", r >= 0 ? value : "");
	return r;
}

static void check_unit(sd_bus *bus, struct doctor_finding *finding)
{
	char text[128], active[128];

	if (unit_property(bus, "Unit", "LoadState", text, sizeof(text)) < 0 || strcmp(text, "loaded") != 0) {
		doctor_say(finding, DOCTOR_OFF, "there is no unit shoald.service");
		doctor_advise(finding, "make install, then systemctl enable --now shoald");
		return;
	}
	unit_property(bus, "Unit", "ActiveState", active, sizeof(active));
	doctor_say(finding, strcmp(active, "failed") == 0 ? DOCTOR_FAIL : DOCTOR_OK, "shoald.service is %s", active);
	if (finding->verdict == DOCTOR_FAIL)
		doctor_advise(finding, "systemctl status shoald, journalctl -u shoald");
	for (size_t i = 0; i < ARRAY_SIZE(unit_rows); i++) {
		const struct unit_row *row = &unit_rows[i];

		if (unit_property(bus, row->interface, row->property, text, sizeof(text)) < 0 ||
		    strcmp(text, row->wanted) == 0)
			continue;
		doctor_add(finding, row->verdict, "%s=%s: %s", row->property, text, row->why);
		if (!finding->advice[0])
			doctor_advise(finding, "systemctl cat shoald shows the drop-in that says so");
	}
}

void doctor_systemd(struct doctor *doctor, struct doctor_finding *finding)
{
	sd_bus *bus = NULL;
	int r;

	(void)doctor;
	if (sd_booted() <= 0) {
		doctor_say(finding, DOCTOR_OFF, "this machine was not started by systemd");
		return;
	}
	r = sd_bus_open_system(&bus);
	if (r < 0)
		doctor_say(finding, DOCTOR_WARN, "systemd can't be asked: %s", strerror(-r));
	else
		check_unit(bus, finding);
	sd_bus_flush_close_unref(bus);
}

/* --- clock -------------------------------------------------------------------------------------------------------- */

void doctor_clock(struct doctor *doctor, struct doctor_finding *finding)
{
	struct timex state = { 0 };
	int r = adjtimex(&state);

	(void)doctor;
	if (r < 0) {
		doctor_say(finding, DOCTOR_OFF, "the kernel does not say: %s", strerror(errno));
		return;
	}
	if (r != TIME_ERROR && !(state.status & STA_UNSYNC)) {
		doctor_say(finding, DOCTOR_OK, "synchronised, off by %.1f ms at most", (double)state.maxerror / 1000);
		return;
	}
	doctor_say(finding, DOCTOR_WARN,
		   "the kernel counts it as not synchronised: an interaction's age, by which "
		   "answers are deferred, is read from it");
	doctor_advise(finding, "timedatectl set-ntp true, or another NTP client (in a container the host's counts)");
}
