/* doctor's look at what keeps the database's word when a server is lost: standbys, synchronous commit, poolers, the
 * server for questions, backups. Run by shoalctl; reads alone. */
#include "supervisor/ctl/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/db/conninfo.h"
#include "supervisor/ctl/backup.h"

#define LAG_BYTES     (16 * 1024 * 1024)
#define LAG_S         10
#define BACKUP_OLD_S  (26 * 3600) /* one a day, and room for a late one */
#define ARCHIVE_OLD_S 900
#define PROBE_TRIES   5

static bool unreachable(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (doctor->connection)
		return false;
	doctor_say(finding, DOCTOR_OFF, doctor->database ? "not known: no connection" : "PostgreSQL is off");
	return true;
}

static PGresult *ask_at(PGconn *connection, const struct doctor *doctor, const char *sql,
			struct doctor_finding *finding)
{
	struct database_error error;
	PGresult *result = NULL;

	if (database_run(connection, doctor->timeout_ms, sql, 0, NULL, &result, &error) == 0)
		return result;
	doctor_say(finding, DOCTOR_FAIL, "%s", error.text);
	return NULL;
}

/* --- every host of the conninfo ----------------------------------------------------------------------------------- */

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0 && options->val)
			return options->val;
	return "";
}

struct hosts {
	unsigned int total, primaries, standbys, away;
	bool has_attrs; /* target_session_attrs tells them apart */
};

static void look_at_host(const struct doctor *doctor, const char *place, PGconn *connection, struct hosts *hosts,
			 struct doctor_finding *finding)
{
	DATABASE_RESULT result = NULL, *primary = NULL;
	struct database_error error;
	int64_t lag = 0;

	if (database_run(connection, doctor->timeout_ms,
			 "SELECT pg_catalog.pg_is_in_recovery() AS standby,"
			 " CASE WHEN pg_catalog.pg_is_in_recovery() THEN"
			 "  pg_catalog.pg_last_wal_replay_lsn() - '0/0'::pg_lsn ELSE 0 END AS at",
			 0, NULL, &result, &error) < 0) {
		hosts->away++;
		doctor_add(finding, DOCTOR_WARN, "%s away: %s", place, error.text);
		return;
	}
	if (!database_bool(result, 0, "standby")) {
		hosts->primaries++;
		doctor_add(finding, DOCTOR_OK, "%s primary", place);
		return;
	}
	hosts->standbys++;
	/* Asked after the standby: what came in between counts as lag, never the other way round. */
	if (database_run(doctor->connection, doctor->timeout_ms,
			 "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE"
			 " pg_catalog.pg_current_wal_lsn() - '0/0'::pg_lsn END AS at",
			 0, NULL, &primary, &error) == 0 &&
	    !database_is_null(primary, 0, "at"))
		lag = database_int(primary, 0, "at") - database_int(result, 0, "at");
	doctor_add(finding, lag > LAG_BYTES ? DOCTOR_WARN : DOCTOR_OK, "%s standby, %s behind", place,
		   ctl_kib(lag > 0 ? lag / 1024 : 0));
	if (lag > LAG_BYTES)
		doctor_advise(finding, "is it replaying? pg_stat_replication on the primary, its log on the standby");
}

static void judge_hosts(const struct hosts *hosts, struct doctor_finding *finding)
{
	if (hosts->primaries == 0) {
		doctor_add(finding, DOCTOR_FAIL, "none of them takes writes");
		doctor_advise(finding, "promote a standby, or see what keeps the cluster from choosing one");
	} else if (hosts->primaries > 1) {
		doctor_add(finding, DOCTOR_FAIL, "more than one takes writes");
		doctor_advise(finding, "stop the one that is not the cluster's leader, at once");
	} else if (hosts->total > 1 && !hosts->has_attrs) {
		doctor_add(finding, DOCTOR_FAIL, "nothing keeps shards from taking a standby for the primary");
		doctor_advise(finding, "add target_session_attrs=read-write to postgres.conninfo");
	} else if (hosts->away > 0) {
		doctor_advise(finding, "start what is away: one more loss and nothing is left to fail over to");
	}
}

void doctor_hosts(struct doctor *doctor, struct doctor_finding *finding)
{
	PQconninfoOption *options;
	struct hosts hosts = { 0 };
	struct database_host host;
	const char *attrs;

	if (!doctor->database) {
		doctor_say(finding, DOCTOR_OFF, "PostgreSQL is off");
		return;
	}
	options = PQconninfoParse(doctor->database->postgres_conninfo, NULL);
	if (!options) {
		doctor_say(finding, DOCTOR_OFF, "postgres.conninfo can't be read");
		return;
	}
	attrs = option_of(options, "target_session_attrs");
	hosts.has_attrs = *attrs && strcmp(attrs, "any") != 0;
	while (hosts.total < CONNINFO_HOSTS_MAX && database_host(options, hosts.total, &host)) {
		CLEANUP(database_finish) PGconn *connection = NULL;
		struct database_error error;

		hosts.total++;
		if (database_connect_host(doctor->database->postgres_conninfo, &host, "shoalctl doctor",
					  doctor->timeout_ms, &connection, &error) < 0) {
			hosts.away++;
			doctor_add(finding, DOCTOR_WARN, "%s away: %s", host.place, error.text);
			continue;
		}
		look_at_host(doctor, host.place, connection, &hosts, finding);
	}
	judge_hosts(&hosts, finding);
	PQconninfoFree(options);
}

/* --- durability --------------------------------------------------------------------------------------------------- */

static void judge_synchronous(const PGresult *result, struct doctor_finding *finding)
{
	const char *names = database_text(result, 0, "names"), *commit = database_text(result, 0, "commit");

	if (!*names) {
		doctor_add(finding, DOCTOR_WARN,
			   "synchronous_standby_names is empty: what was acknowledged dies with "
			   "the primary");
		if (!finding->advice[0])
			doctor_advise(finding, "set it where acknowledged writes must survive the loss of a server "
					       "(Patroni: synchronous_mode; see deploy/patroni)");
		return;
	}
	doctor_add(finding, DOCTOR_OK, "synchronous_standby_names = %s, %" PRId64 " standbys connected", names,
		   database_int(result, 0, "standbys"));
	if (strcmp(commit, "off") == 0 || strcmp(commit, "local") == 0) {
		doctor_add(finding, DOCTOR_WARN, "yet synchronous_commit = %s does not wait for them", commit);
		doctor_advise(finding, "synchronous_commit = on");
	}
	if (database_int(result, 0, "standbys") == 0) {
		doctor_add(finding, DOCTOR_FAIL, "every write waits for a standby that is not there");
		doctor_advise(finding, "start the standby, or take it out of synchronous_standby_names");
	}
}

void doctor_durability(struct doctor *doctor, struct doctor_finding *finding)
{
	DATABASE_RESULT result = NULL;

	if (unreachable(doctor, finding))
		return;
	result = ask_at(doctor->connection, doctor,
			"SELECT current_setting('synchronous_standby_names') AS names,"
			" current_setting('synchronous_commit') AS commit, current_setting('fsync') AS fsync,"
			" current_setting('full_page_writes') AS pages, pg_catalog.pg_is_in_recovery() AS standby,"
			" (SELECT count(*) FROM pg_catalog.pg_stat_replication) AS standbys",
			finding);
	if (!result)
		return;
	if (database_bool(result, 0, "standby")) {
		doctor_say(finding, DOCTOR_FAIL, "the server that was reached is a standby: nothing can be written");
		doctor_advise(finding, "name the primary too, with target_session_attrs=read-write");
		return;
	}
	if (strcmp(database_text(result, 0, "fsync"), "on") != 0 ||
	    strcmp(database_text(result, 0, "pages"), "on") != 0) {
		doctor_add(finding, DOCTOR_WARN,
			   "fsync or full_page_writes is off: a machine that dies takes all with "
			   "it");
		doctor_advise(finding, "both belong on wherever data matters");
	}
	if (strcmp(database_text(result, 0, "commit"), "off") == 0)
		doctor_add(finding, DOCTOR_WARN, "synchronous_commit = off acknowledges before anything is on disk");
	judge_synchronous(result, finding);
}

/* --- pooler ------------------------------------------------------------------------------------------------------- */

enum pooling { POOLING_SESSION, POOLING_LOST, POOLING_KEPT, POOLING_UNSEEN };

/* By the protocol, as our programs do it: newer poolers keep track of that. */
#define PROBE_NAME "shoalctl_doctor"
#define PROBE_SQL  "SELECT pg_catalog.pg_backend_pid() AS pid"

/* Makes the named statement of @a, and says in which server process. */
static int make_named(const struct doctor *doctor, PGconn *a, int64_t *ret_pid)
{
	DATABASE_RESULT where = NULL;
	struct database_error error;
	int r;

	/* One transaction, so that it is one server process whatever stands between. */
	r = database_run(a, doctor->timeout_ms, "BEGIN; " PROBE_SQL, 0, NULL, &where, &error);
	if (r == 0)
		r = PQsendPrepare(a, PROBE_NAME, PROBE_SQL, 0, NULL)
			    ? database_await(a, doctor->timeout_ms, NULL, &error)
			    : -SHOAL_EOFFLINE;
	if (r == 0)
		r = database_run(a, doctor->timeout_ms, "COMMIT", 0, NULL, NULL, &error);
	if (r == 0)
		*ret_pid = database_int(where, 0, "pid");
	return r;
}

/* One try: @a makes a named statement; @b takes the same server connection, which only sharing by transaction allows,
 * and keeps it; @a asks for its statement again. */
static enum pooling probe_once(const struct doctor *doctor, PGconn *a, PGconn *b)
{
	enum pooling pooling = POOLING_UNSEEN;
	DATABASE_RESULT taken = NULL;
	struct database_error error;
	int64_t pid = 0;
	int r = make_named(doctor, a, &pid);

	if (r < 0 || database_run(b, doctor->timeout_ms, "BEGIN; " PROBE_SQL, 0, NULL, &taken, &error) < 0)
		return POOLING_UNSEEN;
	if (database_int(taken, 0, "pid") == pid) {
		/* Where the pool has one connection alone, this waits in vain. */
		r = PQsendQueryPrepared(a, PROBE_NAME, 0, NULL, NULL, NULL, 0)
			    ? database_await(a, doctor->timeout_ms, NULL, &error)
			    : -SHOAL_EOFFLINE;
		pooling = r == 0 ? POOLING_KEPT : POOLING_LOST;
	}
	database_run(b, doctor->timeout_ms, "ROLLBACK", 0, NULL, NULL, &error);
	return pooling;
}

/* Whether a named statement is there for its maker when others were at it in between. While @a stays connected, nobody
 * else sees its server connection, unless connections are shared out by transaction. */
static enum pooling probe(struct doctor *doctor)
{
	enum pooling pooling = POOLING_SESSION;

	for (int i = 0; i < PROBE_TRIES && pooling == POOLING_SESSION; i++) {
		CLEANUP(database_finish) PGconn *a = NULL, *b = NULL;
		struct database_error error;

		if (database_connect(doctor->database->postgres_conninfo, "shoalctl doctor", doctor->timeout_ms, &a,
				     &error) < 0 ||
		    database_connect(doctor->database->postgres_conninfo, "shoalctl doctor", doctor->timeout_ms, &b,
				     &error) < 0)
			return POOLING_UNSEEN;
		pooling = probe_once(doctor, a, b);
		if (pooling == POOLING_UNSEEN)
			pooling = POOLING_SESSION; /* not seen to be shared, this time */
	}
	return pooling;
}

void doctor_pooler(struct doctor *doctor, struct doctor_finding *finding)
{
	bool prepared = doctor->database && doctor->database->postgres_prepared;

	if (unreachable(doctor, finding))
		return;
	if (!doctor->pooler) {
		doctor_say(finding, DOCTOR_OK, "none: straight to the server%s",
			   prepared ? "" : ", and postgres.prepared = no makes that slower than it need be");
		return;
	}
	switch (probe(doctor)) {
	case POOLING_LOST:
		doctor_say(finding, prepared ? DOCTOR_FAIL : DOCTOR_OK,
			   "a pooler in transaction mode, which loses named statements");
		if (prepared)
			doctor_advise(finding, "postgres.prepared = no");
		else
			doctor_add(finding, DOCTOR_OK, "postgres.prepared = no does without them");
		break;
	case POOLING_KEPT:
		doctor_say(finding, DOCTOR_OK, "a pooler in transaction mode that keeps named statements");
		break;
	default:
		doctor_say(finding, DOCTOR_OK, "a pooler that gives each client a server connection of its own");
		doctor_advise(finding, "a large fleet wants pool_mode = transaction there, and postgres.prepared = no");
	}
}

/* --- the server for questions ------------------------------------------------------------------------------------- */

void doctor_reading(struct doctor *doctor, struct doctor_finding *finding)
{
	CLEANUP(database_finish) PGconn *connection = NULL;
	const char *conninfo = doctor->database ? doctor->database->postgres_read_conninfo : "";
	DATABASE_RESULT result = NULL;
	struct database_error error;
	char place[256];
	double lag_s;

	if (!*conninfo) {
		doctor_say(finding, DOCTOR_OFF,
			   "postgres.read_conninfo is not set: admins' questions go to the "
			   "primary");
		return;
	}
	if (database_connect(conninfo, "shoalctl doctor", doctor->timeout_ms, &connection, &error) < 0) {
		doctor_say(finding, DOCTOR_WARN, "%s", error.text);
		doctor_advise(finding, "until it is back, admins' questions go to the primary");
		return;
	}
	database_place(connection, place, sizeof(place));
	result = ask_at(connection, doctor,
			"SELECT pg_catalog.pg_is_in_recovery() AS standby,"
			" pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() AS all_replayed,"
			" coalesce(extract(epoch FROM pg_catalog.clock_timestamp() -"
			"  pg_catalog.pg_last_xact_replay_timestamp()), 0) AS behind_s,"
			" EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'shoal'"
			"  AND has_schema_privilege(oid, 'USAGE')) AS usable",
			finding);
	if (!result)
		return;
	lag_s = database_bool(result, 0, "all_replayed") ? 0 : database_real(result, 0, "behind_s");
	doctor_say(finding, DOCTOR_OK, "%s, %s", place,
		   database_bool(result, 0, "standby") ? "a standby" : "no standby: it takes writes itself");
	if (lag_s > LAG_S)
		doctor_add(finding, DOCTOR_WARN, "its answers are %.0f s old", lag_s);
	if (!database_bool(result, 0, "usable")) {
		doctor_add(finding, DOCTOR_FAIL, "role %s may not read schema shoal there", PQuser(connection));
		doctor_advise(finding,
			      "on the primary: CREATE ROLE shoal_read NOLOGIN (once), GRANT shoal_read TO %s, "
			      "SELECT shoal.apply_grants()",
			      PQuser(connection));
	}
}

/* --- backups ------------------------------------------------------------------------------------------------------ */

/* What the server itself archives for point-in-time recovery. True when it does. */
static bool look_at_archive(struct doctor *doctor, struct doctor_finding *finding)
{
	DATABASE_RESULT result = NULL;
	struct database_error error;
	int64_t age_s;

	if (!doctor->connection ||
	    database_run(doctor->connection, doctor->timeout_ms,
			 "SELECT current_setting('archive_mode') <> 'off' AS archives,"
			 " last_archived_time IS NOT NULL AS ever,"
			 " extract(epoch FROM now() - last_archived_time)::bigint AS age_s,"
			 " coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) AS failing,"
			 " last_failed_wal FROM pg_catalog.pg_stat_archiver",
			 0, NULL, &result, &error) < 0 ||
	    !database_bool(result, 0, "archives"))
		return false;
	age_s = database_int(result, 0, "age_s");
	if (database_bool(result, 0, "failing")) {
		doctor_add(finding, DOCTOR_FAIL, "the server can't archive its WAL (%s)",
			   database_text(result, 0, "last_failed_wal"));
		doctor_advise(finding, "its log says why archive_command failed; WAL fills its disk until then");
	} else if (!database_bool(result, 0, "ever")) {
		doctor_add(finding, DOCTOR_WARN, "the server is to archive its WAL and has not yet");
	} else {
		doctor_add(finding, DOCTOR_OK, "the server archives its WAL, last %s ago", ctl_duration(age_s));
	}
	return true;
}

void doctor_backups(struct doctor *doctor, struct doctor_finding *finding)
{
	struct backup_note note;
	int64_t age_s;
	bool archives;

	if (!doctor->database) {
		doctor_say(finding, DOCTOR_OFF, "PostgreSQL is off");
		return;
	}
	if (backup_note_read(doctor->config->supervisor_state_dir, &note) == 0) {
		age_s = (int64_t)time(NULL) - note.at_s;
		doctor_say(finding, DOCTOR_OK, "shoalctl backup made %s %s ago (%s)", note.path, ctl_duration(age_s),
			   ctl_kib(note.bytes / 1024));
		if (age_s > BACKUP_OLD_S) {
			doctor_add(finding, DOCTOR_WARN, "that is old");
			doctor_advise(finding, "let a timer run shoalctl backup every day");
		}
		look_at_archive(doctor, finding);
		return;
	}
	archives = look_at_archive(doctor, finding);
	if (!archives) {
		doctor_say(finding, DOCTOR_WARN, "none is known of here");
		doctor_advise(finding, "shoalctl backup FILE by a timer; deploy/pgbackrest for point-in-time recovery");
	}
}
