/* /about and /status, in members' words. The supervisor is asked about the other shards; without it, this one's own
 * state is told, and that the rest is not known. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/utility/card.h"
#include "shard/modules/utility/phrases.h"
#include "shard/modules/utility/utility.h"

#define BEHIND 500 /* events waiting, from which on it is worth saying */

static const struct shoal_phrase *const storage_states[] = {
	[SHOAL_PART_OFF] = PHRASE(STORAGE_OFF),
	[SHOAL_PART_UP] = PHRASE(STORAGE_UP),
	[SHOAL_PART_AWAY] = PHRASE(STORAGE_AWAY),
};

static const char *number(struct card *card, uint64_t value)
{
	return card_print(card, 24, "%llu", (unsigned long long)value);
}

/* --- /about ----------------------------------------------------------------------------------------------------------
 */

static void on_about(void *arg, int error, const struct shoal_fleet *fleet)
{
	struct shoal_invocation *inv = arg;
	struct shoal_scope *scope = shoal_invocation_scope(inv);
	const struct shoal_resolved_user *self = shoal_resolved_user(inv, shoal_self(scope));
	struct shoal_word words[] = { { "name", NULL } };
	struct shoal_status status;
	struct card card;

	if (error == -ECANCELED)
		return;
	shoal_status_get(scope, &status);
	card_begin(&card, LANGUAGE(inv));
	words[0].value = self ? card_clean_text(&card, self->shown_name, 40)
			      : card_print(&card, 40, "<@%llu>", (unsigned long long)shoal_self(scope));
	card.embed.description = card_phrase(&card, PHRASE(ABOUT), words, 1);
	card_line(&card, PHRASE(VERSION), true, "shoal %s (`%.8s`)", status.version, status.build);
	if (error == 0) {
		card_line(&card, PHRASE(SERVERS), true, "%llu", (unsigned long long)fleet->guilds);
		card_line(&card, PHRASE(SHARDS), true, "%u", fleet->shards);
	} else {
		card_line(&card, PHRASE(SHARDS), true, "%u", status.shard_count);
	}
	card_line(&card, PHRASE(MODULES), true, "%u", status.modules);
	card_time(&card, PHRASE(RUNNING), status.started_ms);
	card_reply(inv, &card);
}

static void about(struct shoal_invocation *inv)
{
	int r = shoal_fleet_ask(shoal_invocation_scope(inv), on_about, inv);

	if (r < 0)
		on_about(inv, r, NULL);
}

/* --- /status ---------------------------------------------------------------------------------------------------------
 */

/* What is not as it should be, a line each; "" when all is. */
struct troubles {
	struct card *card;
	char text[1600];
	size_t len;
};

static void trouble(struct troubles *troubles, const struct shoal_phrase *phrase, const struct shoal_word *words,
		    size_t word_count)
{
	char text[400];
	int written;

	shoal_phrase_print(phrase, troubles->card->language, words, word_count, text, sizeof(text));
	written = snprintf(troubles->text + troubles->len, sizeof(troubles->text) - troubles->len, "\n• %s", text);
	if (written > 0 && (size_t)written < sizeof(troubles->text) - troubles->len)
		troubles->len += (size_t)written;
	else
		troubles->text[troubles->len] = '\0';
}

static void count_trouble(struct troubles *troubles, const struct shoal_phrase *phrase, uint64_t count)
{
	const struct shoal_word words[] = { { "count", number(troubles->card, count) } };

	if (count)
		trouble(troubles, phrase, words, 1);
}

static void fleet_trouble(struct troubles *troubles, const struct shoal_fleet *fleet)
{
	char names[SHOAL_FLEET_NAMED * 12 + 8] = "";
	struct shoal_word words[3];
	size_t i, len = 0;

	if (fleet->ready >= fleet->shards)
		return;
	for (i = 0; i < fleet->named; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%u", i ? ", " : "", fleet->not_ready[i]);
	if (fleet->shards - fleet->ready > fleet->named)
		snprintf(names + len, sizeof(names) - len, " …");
	words[0] = (struct shoal_word){ "count", number(troubles->card, fleet->shards - fleet->ready) };
	words[1] = (struct shoal_word){ "all", number(troubles->card, fleet->shards) };
	words[2] = (struct shoal_word){ "names", names };
	trouble(troubles, PHRASE(STATUS_NOT_READY), words, 3);
}

static void find_troubles(struct troubles *troubles, const struct shoal_status *status, const struct shoal_fleet *fleet)
{
	if (fleet)
		fleet_trouble(troubles, fleet);
	else
		trouble(troubles, PHRASE(STATUS_SUPERVISOR_AWAY), NULL, 0);
	if (status->database == SHOAL_PART_AWAY)
		trouble(troubles, PHRASE(STATUS_DATABASE_AWAY), NULL, 0);
	count_trouble(troubles, PHRASE(STATUS_WRITES_WAIT), status->writes_waiting);
	if (status->bus == SHOAL_PART_AWAY)
		trouble(troubles, PHRASE(STATUS_BUS_AWAY), NULL, 0);
	count_trouble(troubles, PHRASE(STATUS_GUILDS_OUT), status->unavailable);
	count_trouble(troubles, PHRASE(STATUS_GUILDS_MISSING), status->missing);
	count_trouble(troubles, PHRASE(STATUS_MODULES_OFF), status->modules_off);
	count_trouble(troubles, PHRASE(STATUS_BEHIND), status->events_waiting >= BEHIND ? status->events_waiting : 0);
}

static void shard_line(struct card *card, const struct shoal_status *status, const struct shoal_fleet *fleet)
{
	const struct shoal_word words[] = { { "ready", number(card, fleet ? fleet->ready : 0) },
					    { "all", number(card, fleet ? fleet->shards : status->shard_count) },
					    { "here", number(card, status->shard_id) } };

	card_line(card, PHRASE(SHARDS), true, "%s",
		  card_phrase(card, fleet ? PHRASE(STATUS_READY) : PHRASE(STATUS_HERE), words, 3));
}

static void on_status(void *arg, int error, const struct shoal_fleet *fleet)
{
	struct shoal_invocation *inv = arg;
	struct shoal_status status;
	struct troubles troubles;
	struct card card;

	if (error == -ECANCELED)
		return;
	shoal_status_get(shoal_invocation_scope(inv), &status);
	card_begin(&card, LANGUAGE(inv));
	troubles = (struct troubles){ .card = &card };
	find_troubles(&troubles, &status, fleet);
	card.embed.title = card_phrase(&card, PHRASE(STATUS_TITLE), NULL, 0);
	card.embed.color = troubles.len ? CARD_BAD : CARD_GOOD;
	card.embed.description =
		card_print(&card, 2000, "%s%s",
			   card_phrase(&card, troubles.len ? PHRASE(STATUS_DEGRADED) : PHRASE(STATUS_WELL), NULL, 0),
			   troubles.text);
	shard_line(&card, &status, fleet);
	if (fleet)
		card_line(&card, PHRASE(SERVERS), true, "%llu", (unsigned long long)fleet->guilds);
	if (status.gateway_latency_us)
		card_line(&card, PHRASE(LATENCY), true, "%llu ms",
			  (unsigned long long)(status.gateway_latency_us + 999) / 1000);
	card_line(&card, PHRASE(STORAGE), true, "%s", card_phrase(&card, storage_states[status.database], NULL, 0));
	card_time(&card, PHRASE(RUNNING), status.started_ms);
	card_reply(inv, &card);
}

static void status(struct shoal_invocation *inv)
{
	int r = shoal_fleet_ask(shoal_invocation_scope(inv), on_status, inv);

	if (r < 0)
		on_status(inv, r, NULL);
}

const struct shoal_command utility_about = {
	.name = "about",
	.description = "Who I am",
	.descriptions = SHOAL_LOCAL("Wer ich bin", "Quién soy", "Chi sono"),
	.handle = about,
};

const struct shoal_command utility_status = {
	.name = "status",
	.description = "How I am: what works, what does not",
	.descriptions = SHOAL_LOCAL("Wie es mir geht: was läuft, was nicht", "Cómo estoy: qué funciona y qué no",
				    "Come sto: che cosa funziona e che cosa no"),
	.cooldowns = utility_cooldowns,
	.cooldown_count = 1,
	.handle = status,
};
