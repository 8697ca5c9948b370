/* doctor's look at the running fleet, by the supervisor's own status, and at NATS. Run by shoalctl; asks alone. */
#include "supervisor/ctl/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/build_id.h"
#include "shared/bus/bus_probe.h"

#define ANSWER_OLD_S 900 /* /gateway/bot is asked again every five minutes */
#define INVALID_MANY 1000
#define OUTBOX_OLD_S 60

/* True, and said, when no supervisor answered. */
static bool nobody(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (doctor->status)
		return false;
	doctor_say(finding, DOCTOR_OFF, "not known: no supervisor answered");
	return true;
}

void doctor_supervisor(struct doctor *doctor, struct doctor_finding *finding)
{
	const json_t *alert;
	size_t i;

	if (!doctor->status) {
		doctor_say(finding, DOCTOR_WARN, "none answers: %s", doctor->status_error);
		doctor_advise(finding, "systemctl start shoald, or name its directory with --runtime-dir");
		return;
	}
	doctor_say(finding, DOCTOR_OK, "%s, version %s, up %s", ctl_text(doctor->status, "status"),
		   ctl_text(doctor->status, "version"), ctl_duration(ctl_int(doctor->status, "up_s")));
	if (strcmp(ctl_text(doctor->status, "version"), shoal_version) != 0) {
		doctor_add(finding, DOCTOR_WARN, "this shoalctl is %s", shoal_version);
		doctor_advise(finding, "shoalctl upgrade --binary PATH brings the fleet to one version");
	}
	json_array_foreach(json_object_get(doctor->status, "alerts"), i, alert)
	{
		doctor_add(finding, DOCTOR_WARN, "alert %s: %s", ctl_text(alert, "event"), ctl_text(alert, "text"));
		if (!finding->advice[0])
			doctor_advise(finding, "the log says more of each alert by its name");
	}
}

void doctor_shards(struct doctor *doctor, struct doctor_finding *finding)
{
	int64_t ready, missing = 0, losses = 0;
	unsigned int failing = 0, old = 0;
	const json_t *shard;
	size_t i;

	if (nobody(doctor, finding))
		return;
	ready = ctl_int(doctor->status, "ready");
	json_array_foreach(json_object_get(doctor->status, "shards"), i, shard)
	{
		failing += json_is_true(json_object_get(shard, "failing"));
		old += strcmp(ctl_text(shard, "build_id"), ctl_text(doctor->status, "build_id")) != 0;
		missing += ctl_int(shard, "guilds_missing");
		losses += ctl_int(shard, "loss_windows");
	}
	doctor_say(finding, ready < doctor->shards ? DOCTOR_WARN : DOCTOR_OK, "%" PRId64 " of %u are ready", ready,
		   doctor->shards);
	if (ready < doctor->shards)
		doctor_advise(finding, "shoalctl shards shows the state of each");
	if (failing > 0) {
		doctor_add(finding, DOCTOR_FAIL, "%u keep dying", failing);
		doctor_advise(finding, "shoalctl status --json, last_end of the shards that are failing");
	}
	if (old > 0)
		doctor_add(finding, DOCTOR_OK, "%u run another build than the supervisor", old);
	if (missing > 0)
		doctor_add(finding, DOCTOR_OK, "%" PRId64 " guilds are still being asked for", missing);
	if (losses > 0)
		doctor_add(finding, DOCTOR_WARN, "%" PRId64 " loss windows: events may be missing there", losses);
}

void doctor_discord(struct doctor *doctor, struct doctor_finding *finding)
{
	const json_t *discord;
	int64_t age_s, invalid;
	const char *problem;

	if (nobody(doctor, finding))
		return;
	discord = json_object_get(doctor->status, "discord");
	age_s = ctl_int(discord, "answered_s_ago");
	problem = ctl_text(discord, "problem");
	invalid = ctl_int(doctor->status, "invalid_requests");
	if (json_is_true(json_object_get(doctor->status, "token_invalid"))) {
		doctor_say(finding, DOCTOR_FAIL, "it refuses the token");
		doctor_advise(finding, "reset it in the developer portal, give the new one, restart shoald");
		return;
	}
	if (!json_is_true(json_object_get(discord, "answered"))) {
		doctor_say(finding, DOCTOR_FAIL, "%s", ctl_text(doctor->status, "why"));
		doctor_advise(finding, "can this host reach %s? (name resolution, firewall, discord.ca_file)",
			      ctl_text(doctor->status, "api_base"));
		return;
	}
	doctor_say(finding, age_s > ANSWER_OLD_S ? DOCTOR_WARN : DOCTOR_OK, "%s answered %s ago",
		   ctl_text(doctor->status, "api_base"), ctl_duration(age_s));
	if (*problem) {
		doctor_add(finding, DOCTOR_WARN, "the last attempt failed: %s", problem);
		doctor_advise(finding, "shards serve on; numbers of session starts grow old meanwhile");
	}
	if (invalid > INVALID_MANY) {
		doctor_add(finding, DOCTOR_WARN, "%s refused requests in ten minutes", ctl_count(invalid));
		doctor_advise(finding,
			      "Discord bans at 10,000, shoal stops at rest.invalid_limit: see what is refused");
	}
}

void doctor_session_starts(struct doctor *doctor, struct doctor_finding *finding)
{
	const json_t *ledger;
	int64_t remaining, total, reserve;

	if (nobody(doctor, finding))
		return;
	ledger = json_object_get(doctor->status, "ledger");
	if (!json_is_object(ledger)) {
		doctor_say(finding, DOCTOR_OFF, "Discord has not said yet");
		return;
	}
	remaining = ctl_int(ledger, "remaining");
	total = ctl_int(ledger, "total");
	reserve = ctl_int(ledger, "reserve");
	doctor_say(finding, DOCTOR_OK, "%s of %s left, %s kept back", ctl_count(remaining), ctl_count(total),
		   ctl_count(reserve));
	if (json_is_true(json_object_get(ledger, "exhausted"))) {
		doctor_add(finding, DOCTOR_FAIL, "more are needed than are left");
		doctor_advise(finding, "they come back at %s", ctl_text(ledger, "resets_at"));
	} else if (remaining < reserve + doctor->shards) {
		doctor_add(finding, DOCTOR_WARN, "too few to begin all %u sessions anew", doctor->shards);
		doctor_advise(finding, "no restart without RESUME before %s; shoalctl plan tells what one costs",
			      ctl_text(ledger, "resets_at"));
	}
}

void doctor_outbox(struct doctor *doctor, struct doctor_finding *finding)
{
	int64_t waiting, dead, failing, oldest_s;

	if (nobody(doctor, finding))
		return;
	waiting = ctl_int(doctor->status, "outbox_waiting");
	dead = ctl_int(doctor->status, "outbox_dead");
	failing = ctl_int(doctor->status, "outbox_failing");
	oldest_s = ctl_int(doctor->status, "outbox_oldest_s");
	doctor_say(finding, oldest_s > OUTBOX_OLD_S ? DOCTOR_WARN : DOCTOR_OK, "%s writes wait for PostgreSQL",
		   ctl_count(waiting));
	if (waiting > 0)
		doctor_add(finding, DOCTOR_OK, "the oldest for %s", ctl_duration(oldest_s));
	if (oldest_s > OUTBOX_OLD_S)
		doctor_advise(finding, "shoalctl outbox status says why; nothing is lost while supervisor.state_dir is "
				       "there");
	if (dead > 0) {
		doctor_add(finding, DOCTOR_WARN, "%s were refused by it for good", ctl_count(dead));
		doctor_advise(finding, "shoalctl outbox list shows them, retry and drop settle them");
	}
	if (failing > 0) {
		doctor_add(finding, DOCTOR_FAIL, "%" PRId64 " shards can't keep writes on this machine's disk",
			   failing);
		doctor_advise(finding, "shoalctl outbox status says why: room and rights of supervisor.state_dir");
	}
}

void doctor_nats(struct doctor *doctor, struct doctor_finding *finding)
{
	struct bus_probe probe;
	char error[BUS_PROBE_TEXT_SIZE] = "";

	if (!doctor->config->nats_url[0]) {
		if (doctor->status && json_is_true(json_object_get(doctor->status, "nats")))
			doctor_say(finding, DOCTOR_OFF, "shoald has an address for it, this configuration has none");
		else
			doctor_say(finding, DOCTOR_OFF, "nats.url is not set: cross-shard features are off");
		return;
	}
	if (bus_probe(doctor->config->nats_url, doctor->timeout_ms, &probe, error) < 0) {
		doctor_say(finding, DOCTOR_FAIL, "%s", error);
		doctor_advise(finding, "start it, or correct nats.url");
		return;
	}
	doctor_say(finding, DOCTOR_OK, "%s answers in %.1f ms", probe.server, (double)probe.round_trip_us / 1000);
	if (probe.jetstream) {
		doctor_add(finding, DOCTOR_OK, "JetStream is on");
	} else {
		doctor_add(finding, DOCTOR_WARN, "no JetStream: %s", probe.why_not);
		doctor_advise(finding, "jetstream { store_dir: … } in the server's configuration: leases and streams "
				       "of several hosts stand on it");
	}
	if (doctor->status && ctl_int(doctor->status, "nats_away") > 0)
		doctor_add(finding, DOCTOR_WARN, "%" PRId64 " shards have no connection to it",
			   ctl_int(doctor->status, "nats_away"));
}
