/* Writing settings: check, seal, one statement (through the outbox where there is one), tell the others. Run by the
 * loop; keeps no plain text of a sensitive value. */
#include "shared/settings/settings_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <shoal/snowflake.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/phrases/phrases.h"
#include "shared/settings/statements_settings.h"

#define PARAMS_MAX 9
#define NAMED_MAX  400                /* members in one value */
#define NOTE_BACK  "back to version " /* what the history says beside a rollback; members read it in their language */

/* A change under way. */
struct job {
	struct settings *settings;
	struct settings_change change;
	const struct schema_row *row;
	settings_done_fn fn;
	void *arg;
	int64_t back_to; /* of a rollback */
	char name[SCHEMA_NAME_SIZE];
	char note[SETTINGS_NOTE_MAX + 1];
};

/* What is to be stored: JSON, or sealed bytes, or neither (a reset). */
struct stored {
	const char *json;
	const uint8_t *sealed;
	size_t sealed_len;
	uint32_t schema_version;
	const uint64_t *users; /* named in it */
	size_t user_count;
};

/* --- words -------------------------------------------------------------------------------------------------------- */

static const struct {
	int error;
	const struct shoal_phrase *phrase;
} error_rows[] = {
	{ -SHOAL_EOFFLINE, &phrase_DATABASE_AWAY },
	{ -SHOAL_EUNKNOWN, &phrase_DATABASE_UNKNOWN },
	{ -EIO, &phrase_DATABASE_AWAY },
	{ -EROFS, &phrase_DATABASE_AWAY },
	{ -ENOBUFS, &phrase_DATABASE_BUSY },
	{ -ETIMEDOUT, &phrase_DATABASE_BUSY },
	{ -EAGAIN, &phrase_DATABASE_BUSY },
	{ -ENODATA, &phrase_SETTINGS_NOT_SET_UP },
	{ -EACCES, &phrase_SETTINGS_NOT_SET_UP },
	{ -ENOSPC, &phrase_DATABASE_NO_ROOM },
	{ -E2BIG, &phrase_SETTING_FULL },
	{ -ERANGE, &phrase_SETTING_VERSIONS_END },
	{ -EBADMSG, &phrase_SETTING_REFUSED },
	{ -SHOAL_ENOKEY, &phrase_SETTING_NO_KEY },
	{ -ENOMEM, &phrase_NO_MEMORY },
};

const struct shoal_phrase *settings_error_phrase(const struct settings *settings, int error)
{
	if (error == -SHOAL_EOFFLINE && !settings_is_on(settings))
		return &phrase_SETTINGS_FIXED;
	for (size_t i = 0; i < ARRAY_SIZE(error_rows); i++)
		if (error_rows[i].error == error)
			return error_rows[i].phrase;
	return NULL;
}

void settings_error_words(const struct settings *settings, int error, char words[SETTINGS_WORDS_SIZE])
{
	const struct shoal_phrase *phrase = settings_error_phrase(settings, error);

	if (phrase)
		snprintf(words, SETTINGS_WORDS_SIZE, "%s", phrases_text(phrase, SHOAL_ENGLISH));
	else
		snprintf(words, SETTINGS_WORDS_SIZE, "The setting could not be stored (%s). Nothing was changed.",
			 error_name(error));
}

const struct shoal_phrase *settings_problem_phrase(int problem)
{
	switch (problem) {
	case -SHOAL_ENOKEY:
		return &phrase_PROBLEM_NO_KEY;
	case -EBADMSG:
	case -EPROTO:
		return &phrase_PROBLEM_SEALED;
	case -EINVAL:
		return &phrase_PROBLEM_UNFIT;
	default:
		return &phrase_PROBLEM_OTHER;
	}
}

const char *settings_problem_words(int problem)
{
	return phrases_text(settings_problem_phrase(problem), SHOAL_ENGLISH);
}

/* --- the end of a change ------------------------------------------------------------------------------------------ */

static void finish(struct job *job, const struct settings_outcome *outcome)
{
	struct log_ctx ctx = { .shard = -1, .guild_id = job->change.place.guild_id, .module = "settings" };

	if (outcome->error == 0) {
		log_audit(&ctx, "settings.changed", KV_STR("setting", job->name),
			  KV_STR("layer", settings_layer_name(job->change.layer)), KV_U64("user", job->change.by),
			  KV_INT("version", outcome->version));
		settings_tell(job->settings, job->change.layer, &job->change.place);
	} else if (outcome->error == -SHOAL_EUNKNOWN) {
		settings_tell(job->settings, job->change.layer, &job->change.place); /* it may be there */
	}
	job->fn(job->arg, outcome);
	free(job);
}

/* Versions count up by one, so somebody has written that number by hand. */
static void tell_refused(const struct job *job, int error)
{
	static const char *const tables[SETTINGS_LAYER_COUNT] = { [SETTINGS_GLOBAL] = "guild_setting",
								  [SETTINGS_GUILD] = "guild_setting",
								  [SETTINGS_CHANNEL] = "channel_setting",
								  [SETTINGS_USER] = "user_setting" };
	struct log_ctx ctx = { .shard = -1, .guild_id = job->change.place.guild_id, .module = "settings" };
	const char *table = tables[job->change.layer] ? tables[job->change.layer] : "?";
	char text[SCHEMA_NAME_SIZE + 256];

	if (error == -ERANGE)
		snprintf(text, sizeof(text),
			 "%s can't be changed: its row in shoal.%s has the version 9223372036854775807, after which "
			 "there is no other; set it to a lower one that shoal.setting_history does not have (UPDATE "
			 "shoal.%s SET version = …)",
			 job->name, table, table);
	else
		snprintf(text, sizeof(text), "%s can't be changed: the database refuses its row of shoal.%s", job->name,
			 table);
	log_error(&ctx, "settings.refused_by_database", KV_MSG(text), KV_STR("setting", job->name),
		  KV_STR("layer", settings_layer_name(job->change.layer)), KV_ERR(error));
}

static void fail(struct job *job, int error)
{
	struct settings_outcome outcome = { .error = error, .phrase = settings_error_phrase(job->settings, error) };

	if (error == -ERANGE || error == -EBADMSG)
		tell_refused(job, error);
	settings_error_words(job->settings, error, outcome.words);
	finish(job, &outcome);
}

/* Fills in what @phrase has of {name}, {number} and {version}. */
static void say(struct settings_outcome *outcome, const struct shoal_phrase *phrase, const char *name, int64_t number)
{
	snprintf(outcome->name, sizeof(outcome->name), "%s", name);
	snprintf(outcome->number, sizeof(outcome->number), "%" PRId64, number);
	outcome->phrase = phrase;
	outcome->said[0] = (struct shoal_word){ "name", outcome->name };
	outcome->said[1] = (struct shoal_word){ "number", outcome->number };
	outcome->said[2] = (struct shoal_word){ "version", outcome->number };
	outcome->said_count = ARRAY_SIZE(outcome->said);
	phrases_print_text(phrase, SHOAL_ENGLISH, outcome->said, outcome->said_count, outcome->words,
			   sizeof(outcome->words));
}

/* @words (NULL: the phrase's): what an operator is told, where he wants more. */
static void refuse(struct job *job, int error, const struct shoal_phrase *phrase, int64_t number, const char *words)
{
	struct settings_outcome outcome = { .error = error };

	say(&outcome, phrase, job->name, number);
	if (words)
		snprintf(outcome.words, sizeof(outcome.words), "%.*s", SETTINGS_WORDS_SIZE - 1, words);
	finish(job, &outcome);
}

static void on_written(void *arg, int error, const struct db_result *result)
{
	struct job *job = arg;
	struct settings_outcome outcome = { 0 };

	if (error == 0 && db_result_rows(result) == 0) {
		if (job->back_to < 0) /* a reset */
			refuse(job, -ENOENT, &phrase_SETTING_NOT_SET, 0, NULL);
		else
			fail(job, -E2BIG);
		return;
	}
	if (error < 0) {
		fail(job, error);
		return;
	}
	outcome.version = db_result_int8(result, 0, 0);
	finish(job, &outcome);
}

static void on_outbox(void *arg, int error, enum outbox_how how, const struct db_result *result)
{
	struct settings_outcome outcome = { .kept = true };

	if (error == 0 && how == OUTBOX_WRITTEN && result)
		on_written(arg, 0, result);
	else if (error == 0) {
		outcome.kept = how == OUTBOX_KEPT;
		finish(arg, &outcome);
	} else
		on_written(arg, error, NULL);
}

/* --- the statement ------------------------------------------------------------------------------------------------ */

static size_t statement_of(enum settings_layer layer, bool reset)
{
	switch (layer) {
	case SETTINGS_CHANNEL:
		return reset ? SETTINGS_RESET_CHANNEL : SETTINGS_SET_CHANNEL;
	case SETTINGS_USER:
		return reset ? SETTINGS_RESET_USER : SETTINGS_SET_USER;
	default:
		return reset ? SETTINGS_RESET_GUILD : SETTINGS_SET_GUILD;
	}
}

static struct db_param text_or_null(enum db_type type, const char *bytes, size_t len)
{
	return bytes ? DB_BYTES_(type, bytes, len) : DB_NULL(type);
}

/* In the order of the statements' parameters; the count. */
static size_t fill_params(const struct job *job, const struct stored *stored, bool reset, const struct db_param *users,
			  struct db_param params[PARAMS_MAX])
{
	enum settings_layer layer = job->change.layer;
	uint64_t guild_id = layer == SETTINGS_GLOBAL ? 0 : job->change.place.guild_id;
	size_t count = 0;

	params[count++] = DB_INT8((int64_t)(layer == SETTINGS_USER ? job->change.place.user_id : guild_id));
	params[count++] = DB_TEXT(job->name, strlen(job->name));
	if (!reset) {
		params[count++] = text_or_null(DB_TYPE_JSONB, stored->json, stored->json ? strlen(stored->json) : 0);
		params[count++] = text_or_null(DB_TYPE_BYTEA, (const char *)stored->sealed, stored->sealed_len);
		params[count++] = DB_INT8(stored->schema_version);
	}
	if (layer == SETTINGS_USER)
		return count;
	params[count++] = DB_INT8((int64_t)job->change.by);
	if (!reset)
		params[count++] = stored->user_count ? DB_ARRAY(DB_TYPE_INT8_ARRAY, users, stored->user_count)
						     : DB_NULL(DB_TYPE_INT8_ARRAY);
	params[count++] = DB_TEXT(job->note, strlen(job->note));
	if (layer == SETTINGS_CHANNEL)
		params[count++] = DB_INT8((int64_t)job->change.place.channel_id);
	return count;
}

/* What settings.c reads back while it waits: "v<schema>:<json>", "s<schema>:<base64>"; NULL for a reset. */
static int pending_text(const struct stored *stored, bool reset, char **ret_text)
{
	size_t size;
	char *text;
	int len;

	*ret_text = NULL;
	if (reset)
		return 0;
	size = 32 + (stored->json ? strlen(stored->json)
				  : sodium_base64_ENCODED_LEN(stored->sealed_len, sodium_base64_VARIANT_ORIGINAL));
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	len = snprintf(text, size, "%c%" PRIu32 ":%s", stored->json ? 'v' : 's', stored->schema_version,
		       stored->json ? stored->json : "");
	if (!stored->json)
		sodium_bin2base64(text + len, size - (size_t)len, stored->sealed, stored->sealed_len,
				  sodium_base64_VARIANT_ORIGINAL);
	*ret_text = text;
	return 0;
}

static int send_by_outbox(struct job *job, size_t row, const struct db_param *params, size_t count,
			  const struct stored *stored, bool reset)
{
	const struct settings_outbox *outbox = &settings_parts(job->settings)->outbox;
	enum settings_layer layer = job->change.layer;
	CLEANUP(cleanup_free) char *text = NULL;
	char name[OUTBOX_NAME_MAX];
	int r = pending_text(stored, reset, &text);
	struct outbox_write write = {
		.owner = settings_statement_set.owner,
		.statement = settings_statements[row].name,
		.params = params,
		.param_count = count,
		.key = { .name = name },
		.user_id = layer == SETTINGS_USER ? job->change.place.user_id : job->change.by,
		.value = text,
		.value_len = text ? strlen(text) : 0,
		.token = job->change.token,
	};

	if (r < 0)
		return r;
	settings_outbox_name(layer, &job->change.place, job->name, name);
	write.key.id = layer == SETTINGS_USER     ? job->change.place.user_id
		       : layer == SETTINGS_GLOBAL ? 0
						  : job->change.place.guild_id;
	return outbox->write(outbox->arg, &write, on_outbox, job);
}

static void submit(struct job *job, const struct stored *stored, bool reset)
{
	const struct settings_options *parts = settings_parts(job->settings);
	struct db_param params[PARAMS_MAX], users[NAMED_MAX];
	size_t row = statement_of(job->change.layer, reset), count;
	int r;

	for (size_t i = 0; i < stored->user_count; i++)
		users[i] = DB_INT8((int64_t)stored->users[i]);
	count = fill_params(job, stored, reset, users, params);
	if (!settings_is_on(job->settings))
		r = -SHOAL_EOFFLINE;
	else if (parts->outbox.write)
		r = send_by_outbox(job, row, params, count, stored, reset);
	else
		r = db_query(parts->db, &settings_statements[row], params, count, on_written, job);
	if (r < 0)
		fail(job, r);
}

/* --- the beginning ------------------------------------------------------------------------------------------------ */

static const uint32_t layer_bits[SETTINGS_LAYER_COUNT] = { 0, SHOAL_LAYER_GLOBAL, SHOAL_LAYER_GUILD,
							   SHOAL_LAYER_CHANNEL, SHOAL_LAYER_USER };

static bool place_fits(enum settings_layer layer, const struct settings_place *place)
{
	switch (layer) {
	case SETTINGS_GLOBAL:
		return true;
	case SETTINGS_GUILD:
		return place->guild_id > 0 && place->guild_id <= INT64_MAX;
	case SETTINGS_CHANNEL:
		return place->guild_id > 0 && place->guild_id <= INT64_MAX && place->channel_id > 0 &&
		       place->channel_id <= INT64_MAX;
	case SETTINGS_USER:
		return place->user_id > 0 && place->user_id <= INT64_MAX;
	default:
		return false;
	}
}

static const char *const layer_places[SETTINGS_LAYER_COUNT] = { "", "all servers", "a server", "a channel",
								"a member" };

static void layers_in_words(uint32_t layers, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (enum settings_layer layer = SETTINGS_GLOBAL; layer < SETTINGS_LAYER_COUNT; layer++)
		if ((layers & layer_bits[layer]) && len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "", layer_places[layer]);
}

/* NULL: @fn was told why not. */
static struct job *begin(struct settings *settings, const struct settings_change *change, settings_done_fn fn,
			 void *arg)
{
	const struct schema_row *row = schemas_find(settings_schemas(settings), change->name);
	struct settings_outcome outcome = { .error = -EINVAL };
	struct job *job;
	char layers[64];

	if (!row) {
		outcome.error = -ENOENT;
		say(&outcome, &phrase_SETTING_NONE, change->name, 0);
	} else if (!(row->row->layers & layer_bits[change->layer])) {
		layers_in_words(row->row->layers, layers, sizeof(layers));
		say(&outcome, &phrase_SETTING_NOT_HERE, row->name, 0);
		snprintf(outcome.words, sizeof(outcome.words), "`%s` can't be set for %s; it can be for: %s.",
			 row->name, layer_places[change->layer], layers);
	} else if (!place_fits(change->layer, &change->place)) {
		say(&outcome, &phrase_SETTING_NOT_HERE, row->name, 0);
	} else {
		job = calloc(1, sizeof(*job));
		if (job) {
			*job = (struct job){
				.settings = settings, .change = *change, .row = row, .fn = fn, .arg = arg
			};
			snprintf(job->name, sizeof(job->name), "%s", row->name);
			snprintf(job->note, sizeof(job->note), "%s", change->note ? change->note : "");
			job->change.name = job->name;
			job->change.note = job->note;
			return job;
		}
		outcome.error = -ENOMEM;
		outcome.phrase = &phrase_NO_MEMORY;
		settings_error_words(settings, -ENOMEM, outcome.words);
	}
	fn(arg, &outcome);
	return NULL;
}

static void send_sealed(struct job *job, const struct shoal_setting_value *value)
{
	struct seal_place place = settings_seal_place(job->change.layer, &job->change.place, job->name);
	uint8_t sealed[SHOAL_SETTING_TEXT_MAX + SEAL_OVERHEAD];
	struct stored stored = { .sealed = sealed, .schema_version = job->row->schema->version };
	const struct keyring *keys = settings_keys(job->settings);
	int r;

	r = keys ? keyring_seal(keys, &place, value->text, strlen(value->text), sealed, &stored.sealed_len)
		 : -SHOAL_ENOKEY;
	if (r < 0)
		fail(job, r);
	else
		submit(job, &stored, false);
}

/* The members in a text, each once. -E2BIG: more than there may be. */
static int find_members(const char *text, uint64_t ids[NAMED_MAX], size_t *ret_count)
{
	size_t count = 0;

	for (; (text = strstr(text, "<@")); text++) {
		const char *digits = text + 2 + (text[2] == '!');
		size_t len = strspn(digits, "0123456789"), at = 0;
		uint64_t id;

		if (digits[len] != '>' || shoal_snowflake_parse(digits, len, &id) < 0 || id == 0 || id > INT64_MAX)
			continue;
		while (at < count && ids[at] != id)
			at++;
		if (at < count)
			continue;
		if (count == NAMED_MAX)
			return -E2BIG;
		ids[count++] = id;
	}
	*ret_count = count;
	return 0;
}

static void send_value(struct job *job, const struct shoal_setting_value *value)
{
	enum shoal_setting_type type = value->type;
	uint64_t named[NAMED_MAX];
	struct stored stored = { .schema_version = job->row->schema->version };
	CLEANUP(cleanup_free) char *text = NULL;
	json_t *json;

	if (job->row->row->flags & SHOAL_SETTING_SENSITIVE) {
		send_sealed(job, value);
		return;
	}
	json = value_to_json(value);
	text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
	json_decref(json);
	if (!text) {
		fail(job, -ENOMEM);
		return;
	}
	stored.json = text;
	if (type == SHOAL_SETTING_USER || type == SHOAL_SETTING_USERS) {
		stored.users = value->ids;
		stored.user_count = value->id_count;
	}
	if (job->row->row->flags & SHOAL_SETTING_NAMES_MEMBERS) {
		if (find_members(value->text, named, &stored.user_count) < 0) {
			refuse(job, -E2BIG, &phrase_SETTING_NAMES_MANY, 0, NULL);
			return;
		}
		stored.users = named;
	}
	submit(job, &stored, false);
}

void settings_set(struct settings *settings, const struct settings_change *change, const char *text,
		  settings_done_fn fn, void *arg)
{
	CLEANUP(value_clear) struct value value = { 0 };
	struct job *job = begin(settings, change, fn, arg);
	const struct shoal_phrase *objection = NULL;
	char error[VALUE_ERROR_SIZE], number[VALUE_NUMBER_SIZE];
	struct shoal_setting plain;
	int r;

	if (!job)
		return;
	plain = *job->row->row;
	plain.check = NULL; /* asked apart: what it says is a phrase of its own */
	r = value_from_text(&plain, text, &value, error);
	if (r == 0)
		objection = value_objection(job->row->row, &value.is, number);
	if (objection)
		refuse(job, -EINVAL, objection, strtoll(number, NULL, 10), NULL);
	else if (r == -EINVAL) {
		char allowed[VALUE_ERROR_SIZE],
			words[VALUE_ERROR_SIZE + 2 * SCHEMA_NAME_SIZE]; /* the name as it is typed: with its owner */

		value_allowed(job->row->row, allowed, sizeof(allowed));
		snprintf(words, sizeof(words), "`%s` wants %s.", job->name, allowed);
		refuse(job, r, &phrase_SETTING_UNFIT, 0, words);
	} else if (r < 0)
		fail(job, r);
	else
		send_value(job, &value.is);
}

void settings_reset(struct settings *settings, const struct settings_change *change, settings_done_fn fn, void *arg)
{
	struct job *job = begin(settings, change, fn, arg);
	struct stored none = { 0 };

	if (!job)
		return;
	job->back_to = -1;
	submit(job, &none, true);
}

/* --- back to a version -------------------------------------------------------------------------------------------- */

/* A sealed value is bound to its place and not to its version, so it is simply written again. */
static void restore(struct job *job, const struct db_result *result)
{
	CLEANUP(value_clear) struct value value = { 0 };
	struct stored stored = { .schema_version = (uint32_t)db_result_int8(result, 0, 2) };
	char error[VALUE_ERROR_SIZE], words[SETTINGS_WORDS_SIZE + VALUE_ERROR_SIZE];
	int r;

	if (db_result_is_null(result, 0, 0) && db_result_is_null(result, 0, 1)) {
		job->back_to = -1;
		submit(job, &stored, true);
		return;
	}
	if (!db_result_is_null(result, 0, 1)) {
		stored.sealed = db_result_bytes(result, 0, 1, &stored.sealed_len);
		submit(job, &stored, false);
		return;
	}
	r = schema_read(job->row, stored.schema_version, db_result_text(result, 0, 0, NULL), &value, error);
	if (r == -EINVAL) {
		snprintf(words, sizeof(words), "The value of version %" PRId64 " no longer fits: %s", job->back_to,
			 error);
		refuse(job, r, &phrase_SETTING_PAST_UNFIT, job->back_to, words);
	} else if (r < 0) {
		fail(job, r);
	} else {
		send_value(job, &value.is);
	}
}

static void on_past(void *arg, int error, const struct db_result *result)
{
	struct job *job = arg;

	if (error < 0) {
		fail(job, error);
		return;
	}
	if (db_result_rows(result) == 0) {
		refuse(job, -ENOENT, &phrase_SETTING_NO_VERSION, job->back_to, NULL);
		return;
	}
	snprintf(job->note, sizeof(job->note), NOTE_BACK "%" PRId64, job->back_to);
	restore(job, result);
}

void settings_rollback(struct settings *settings, const struct settings_change *change, int64_t version,
		       settings_done_fn fn, void *arg)
{
	struct job *job = begin(settings, change, fn, arg);
	struct seal_place at;
	struct db_param params[4];
	int r;

	if (!job)
		return;
	if (change->layer == SETTINGS_USER || version < 1) {
		refuse(job, -EINVAL, version < 1 ? &phrase_SETTING_NO_VERSION : &phrase_HISTORY_NOT_OWN, version, NULL);
		return;
	}
	job->back_to = version;
	at = settings_seal_place(change->layer, &change->place, job->name);
	params[0] = DB_INT8((int64_t)at.guild_id);
	params[1] = DB_INT8((int64_t)at.channel_id);
	params[2] = DB_TEXT(job->name, strlen(job->name));
	params[3] = DB_INT8(version);
	r = settings_is_on(settings) ? db_query(settings_parts(settings)->db, &settings_statements[SETTINGS_HISTORY_AT],
						params, 4, on_past, job)
				     : -SHOAL_EOFFLINE;
	if (r < 0)
		fail(job, r);
}

/* --- the history -------------------------------------------------------------------------------------------------- */

struct question {
	struct settings *settings;
	enum shoal_language language;
	settings_history_fn fn;
	void *arg;
};

#define SHOWN_SIZE 160

/* The value in words, as its schema of today reads it; what fits no more, as it was stored. */
static void show(const struct question *question, const struct db_result *result, size_t at, const char *name,
		 char shown[SHOWN_SIZE])
{
	const struct schema_row *row = schemas_find(settings_schemas(question->settings), name);
	const char *json = db_result_text(result, at, 3, NULL);
	CLEANUP(value_clear) struct value value = { 0 };
	char error[VALUE_ERROR_SIZE];

	if (db_result_bool(result, at, 4) || (row && row->row->flags & SHOAL_SETTING_SENSITIVE))
		snprintf(shown, SHOWN_SIZE, "%s", phrases_text(&phrase_VALUE_HIDDEN, question->language));
	else if (db_result_is_null(result, at, 3))
		snprintf(shown, SHOWN_SIZE, "%s", phrases_text(&phrase_VALUE_NOT_SET, question->language));
	else if (row && schema_read(row, (uint32_t)db_result_int8(result, at, 5), json, &value, error) == 0)
		value_say(&value.is, question->language, shown, SHOWN_SIZE);
	else
		snprintf(shown, SHOWN_SIZE, "%s", json);
}

static void on_history(void *arg, int error, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct question *question = arg;
	CLEANUP(cleanup_free) char(*shown)[SHOWN_SIZE] = NULL;
	struct setting_past rows[SETTINGS_HISTORY_MAX];
	char words[SETTINGS_WORDS_SIZE] = "";
	size_t count = 0;

	if (error == 0) {
		count = db_result_rows(result);
		count = count > SETTINGS_HISTORY_MAX ? SETTINGS_HISTORY_MAX : count;
		shown = calloc(count + 1, sizeof(*shown));
		error = shown ? 0 : -ENOMEM;
	}
	if (error < 0) {
		settings_error_words(question->settings, error, words);
		question->fn(question->arg, error, words, NULL, 0);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		rows[i] = (struct setting_past){
			.channel_id = (uint64_t)db_result_int8(result, i, 0),
			.name = db_result_text(result, i, 1, NULL),
			.version = db_result_int8(result, i, 2),
			.set = !db_result_is_null(result, i, 3) || db_result_bool(result, i, 4),
			.shown = shown[i],
			.by = (uint64_t)db_result_int8(result, i, 6),
			.at_ms = db_result_time(result, i, 7),
			.note = db_result_text(result, i, 8, NULL),
		};
		show(question, result, i, rows[i].name, shown[i]);
	}
	question->fn(question->arg, 0, "", rows, count);
}

void settings_history(struct settings *settings, enum settings_layer layer, const struct settings_place *place,
		      const char *name, size_t limit, enum shoal_language language, settings_history_fn fn, void *arg)
{
	struct seal_place at = settings_seal_place(layer, place, name ? name : "");
	size_t row = name ? SETTINGS_HISTORY : SETTINGS_HISTORY_ALL;
	struct db_param params[4] = { DB_INT8((int64_t)at.guild_id) };
	struct question *question = calloc(1, sizeof(*question));
	char words[SETTINGS_WORDS_SIZE];
	size_t count = 1;
	int r;

	if (limit > SETTINGS_HISTORY_MAX)
		limit = SETTINGS_HISTORY_MAX;
	if (name) {
		params[count++] = DB_INT8((int64_t)at.channel_id);
		params[count++] = DB_TEXT(name, strlen(name));
	}
	params[count++] = DB_INT8((int64_t)limit);
	if (question)
		*question = (struct question){ .settings = settings, .language = language, .fn = fn, .arg = arg };
	r = !question                   ? -ENOMEM
	    : !settings_is_on(settings) ? -SHOAL_EOFFLINE
	    : layer == SETTINGS_USER    ? -EINVAL
				     : db_query_replica(settings_parts(settings)->db, &settings_statements[row], params,
							count, on_history, question);
	if (r == 0)
		return;
	free(question);
	settings_error_words(settings, r, words);
	if (r == -EINVAL)
		snprintf(words, sizeof(words), "%s", phrases_text(&phrase_HISTORY_NOT_OWN, SHOAL_ENGLISH));
	fn(arg, r, words, NULL, 0);
}

int64_t settings_note_back(const char *note)
{
	size_t len = strlen(NOTE_BACK);
	char *end;
	int64_t version;

	if (strncmp(note, NOTE_BACK, len) != 0 || note[len] < '0' || note[len] > '9')
		return 0;
	version = strtoll(note + len, &end, 10);
	return *end ? 0 : version;
}
