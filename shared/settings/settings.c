/* The cache of settings and the choice of the layer that counts. Run by the loop; must not block, and must not keep a
 * decrypted value beyond the turn in which somebody asked for it. */
#include "shared/settings/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <uthash.h>
#include <utlist.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/settings/statements_settings.h"

#define CHECK_BATCH 256 /* scopes compared with one statement */
#define CHECK_TICKS 4   /* the loop's slow tick comes four times a second */
/* Sums of versions are compared by their last 62 bits, so that no version that somebody wrote by hand is too large. The
 * statements of revisions do the same. */
#define REVISION_MASK ((UINT64_C(1) << 62) - 1)

enum scope_kind { SCOPE_GUILD, SCOPE_USER, SCOPE_KIND_COUNT };

static const struct {
	size_t load, revisions;
} scope_statements[SCOPE_KIND_COUNT] = {
	[SCOPE_GUILD] = { SETTINGS_LOAD_GUILD, SETTINGS_REVISIONS_GUILD },
	[SCOPE_USER] = { SETTINGS_LOAD_USER, SETTINGS_REVISIONS_USER },
};

/* One stored setting. */
struct row {
	uint64_t channel_id;
	char name[SCHEMA_NAME_SIZE];
	bool set; /* false: taken back; only its version is left */
	int problem;
	struct value value; /* of those that are not sealed */
	uint8_t *sealed;
	size_t sealed_len;
	int64_t version;
	uint64_t changed_by;
	int64_t changed_ms;
};

struct rows {
	struct rows *next; /* among those that wait for the turn's end */
	size_t count, bytes;
	int64_t revision;
	struct row items[];
};

struct scope_key {
	uint64_t kind, id; /* both words, so that no padding is hashed */
};

struct scope {
	struct scope_key key;
	struct settings *settings;
	struct rows *rows;   /* NULL: never loaded */
	uint64_t stamp;      /* of what it says now */
	uint64_t checked_ns; /* when the rows were surely right; 0: to be loaded again */
	uint64_t rows_ns;    /* the same, also of rows that are to be loaded again; 0: there are none */
	uint64_t begun_ns;   /* of the load under way */
	uint64_t retry_ns;   /* 0: the last load went well */
	bool loading, again; /* again: something changed meanwhile */
	bool used;           /* since the last check */
	struct waiter *waiters;
	UT_hash_handle hh;
};

struct waiter {
	struct settings *settings;
	struct settings_place place;
	const struct schema_row *row;
	settings_fn fn;
	void *arg;
	struct waiter *next;
};

/* A value made for this turn: opened, or read from the outbox. */
struct passing {
	struct value value;
	char *secret; /* sodium_malloc()'d */
	struct passing *next;
};

struct check {
	struct settings *settings;
	enum scope_kind kind;
	uint64_t begun_ns;
	size_t count;
	uint64_t ids[CHECK_BATCH];
};

struct settings {
	struct settings_options options;
	struct keyring *keys;
	struct scope *scopes;
	size_t bytes;
	uint64_t stamps; /* the last that was given out */
	struct rows *gone_rows;
	struct passing *passing;
	bool checking[SCOPE_KIND_COUNT];
	bool closing;
	uint32_t ticks;
	struct loop_hook tick, pass_end;
	struct bus_subscription *subscription;
	struct settings_stats stats;
	uint64_t generation;
};

static const char *const layer_names[SETTINGS_LAYER_COUNT] = { "default", "global", "guild", "channel", "user" };
static const uint32_t layer_bits[SETTINGS_LAYER_COUNT] = { 0, SHOAL_LAYER_GLOBAL, SHOAL_LAYER_GUILD,
							   SHOAL_LAYER_CHANNEL, SHOAL_LAYER_USER };

const char *settings_layer_name(enum settings_layer layer)
{
	return (unsigned int)layer < SETTINGS_LAYER_COUNT ? layer_names[layer] : "?";
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static void free_rows(struct rows *rows)
{
	for (size_t i = 0; rows && i < rows->count; i++) {
		value_clear(&rows->items[i].value);
		free(rows->items[i].sealed);
	}
	free(rows);
}

/* Answers of this turn may still point into them. */
static void retire_rows(struct settings *settings, struct rows *rows)
{
	if (!rows)
		return;
	settings->bytes -= rows->bytes;
	rows->next = settings->gone_rows;
	settings->gone_rows = rows;
}

static void free_passing(struct settings *settings)
{
	struct passing *passing;
	struct rows *rows;

	while ((passing = settings->passing)) {
		settings->passing = passing->next;
		value_clear(&passing->value);
		sodium_free(passing->secret); /* wipes */
		free(passing);
	}
	while ((rows = settings->gone_rows)) {
		settings->gone_rows = rows->next;
		free_rows(rows);
	}
}

static struct value *passing_value(struct settings *settings, struct passing **ret_passing)
{
	struct passing *passing = calloc(1, sizeof(*passing));

	if (!passing)
		return NULL;
	passing->next = settings->passing;
	settings->passing = passing;
	if (ret_passing)
		*ret_passing = passing;
	return &passing->value;
}

static const struct row *find_row(const struct rows *rows, uint64_t channel_id, const char *name)
{
	for (size_t i = 0; rows && i < rows->count; i++)
		if (rows->items[i].channel_id == channel_id && strcmp(rows->items[i].name, name) == 0)
			return &rows->items[i];
	return NULL;
}

/* --- scopes ------------------------------------------------------------------------------------------------------- */

static struct scope *find_scope(struct settings *settings, enum scope_kind kind, uint64_t id)
{
	struct scope_key key = { kind, id };
	struct scope *scope;

	HASH_FIND(hh, settings->scopes, &key, sizeof(key), scope);
	return scope;
}

static void drop_scope(struct scope *scope)
{
	retire_rows(scope->settings, scope->rows);
	HASH_DEL(scope->settings->scopes, scope);
	free(scope);
}

/* The oldest that nobody used lately and nobody waits for; uthash keeps the order of insertion. One that is used goes
 * to the end with its mark taken. */
static bool evict_one(struct settings *settings)
{
	size_t count = HASH_COUNT(settings->scopes);

	for (size_t i = 0; i < 2 * count; i++) {
		struct scope *scope = settings->scopes;

		if (!scope->loading && !scope->used) {
			drop_scope(scope);
			settings->stats.evicted++;
			return true;
		}
		scope->used = false;
		HASH_DEL(settings->scopes, scope);
		HASH_ADD(hh, settings->scopes, key, sizeof(scope->key), scope);
	}
	return false;
}

static struct scope *find_or_add_scope(struct settings *settings, enum scope_kind kind, uint64_t id)
{
	struct scope *scope = find_scope(settings, kind, id);

	if (scope)
		return scope;
	while (HASH_COUNT(settings->scopes) >= SETTINGS_SCOPES_MAX || settings->bytes > SETTINGS_BYTES_MAX)
		if (!evict_one(settings))
			break;
	scope = calloc(1, sizeof(*scope));
	if (!scope)
		return NULL;
	scope->key = (struct scope_key){ kind, id };
	scope->settings = settings;
	scope->stamp = ++settings->stamps;
	HASH_ADD(hh, settings->scopes, key, sizeof(scope->key), scope);
	return scope;
}

/* May its rows be taken for what the database says (or, while that is away, for all that is known)? */
static bool is_usable(const struct scope *scope, uint64_t now_ns)
{
	if (!scope)
		return false;
	if (scope->retry_ns)
		return now_ns < scope->retry_ns;
	return scope->rows && scope->checked_ns &&
	       now_ns - scope->checked_ns < scope->settings->options.trust_s * NS_PER_S;
}

bool settings_is_on(const struct settings *settings)
{
	return settings->options.db && db_is_on(settings->options.db);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static void load(struct scope *scope);
static void settle_waiters(struct scope *scope);

/* A stored value is read once, when it is loaded; what its schema says of it is kept beside. */
static void read_row(struct settings *settings, struct row *row, uint32_t schema_version, const char *json)
{
	const struct schema_row *known = schemas_find(settings->options.schemas, row->name);
	char error[VALUE_ERROR_SIZE];
	size_t i = 0;

	/* A setting that has another name today. */
	for (const struct schema_row *other; !known && (other = schemas_at(settings->options.schemas, i)); i++)
		if (strcmp(other->former, row->name) == 0)
			known = other;
	if (!known)
		return; /* of an owner that is not loaded: nobody asks for it */
	if (!!row->sealed != !!(known->row->flags & SHOAL_SETTING_SENSITIVE)) {
		row->problem = -EINVAL;
		return;
	}
	if (row->sealed)
		return;
	row->problem = schema_read(known, schema_version, json, &row->value, error);
	if (row->problem == -EINVAL)
		log_warn(NULL, "settings.unfit", KV_STR("setting", row->name),
			 KV_MSG("a stored value no longer fits its schema; the next layer counts"),
			 KV_STR("why", known->row->flags & SHOAL_SETTING_SENSITIVE ? "" : error));
}

static int take_row(struct settings *settings, const struct db_result *result, size_t at, struct rows *rows)
{
	struct row *row = &rows->items[at];
	const void *sealed;
	size_t json_len = 0;

	row->channel_id = (uint64_t)db_result_int8(result, at, 0);
	snprintf(row->name, sizeof(row->name), "%s", db_result_text(result, at, 1, NULL));
	row->version = db_result_int8(result, at, 5);
	row->changed_by = (uint64_t)db_result_int8(result, at, 6);
	row->changed_ms = db_result_time(result, at, 7);
	rows->revision = (int64_t)(((uint64_t)rows->revision + (uint64_t)row->version) & REVISION_MASK);
	rows->bytes += sizeof(*row);
	if (!db_result_is_null(result, at, 3)) {
		sealed = db_result_bytes(result, at, 3, &row->sealed_len);
		row->sealed = malloc(row->sealed_len + 1);
		if (!row->sealed)
			return -ENOMEM;
		memcpy(row->sealed, sealed, row->sealed_len);
	}
	row->set = row->sealed || !db_result_is_null(result, at, 2);
	if (row->set)
		read_row(settings, row, (uint32_t)db_result_int8(result, at, 4),
			 db_result_text(result, at, 2, &json_len));
	rows->bytes += json_len + row->sealed_len;
	return row->problem == -ENOMEM ? -ENOMEM : 0;
}

static int take_rows(struct settings *settings, const struct db_result *result, struct rows **ret_rows)
{
	size_t count = db_result_rows(result);
	struct rows *rows = calloc(1, sizeof(*rows) + count * sizeof(rows->items[0]));
	int r = 0;

	if (!rows)
		return -ENOMEM;
	rows->bytes = sizeof(*rows);
	for (rows->count = 0; rows->count < count && r == 0;) {
		r = take_row(settings, result, rows->count, rows);
		rows->count++;
	}
	if (r < 0) {
		free_rows(rows);
		return r;
	}
	*ret_rows = rows;
	return 0;
}

/* The old rows stay when the new could not be had. */
static void load_failed(struct scope *scope, int error)
{
	struct settings *settings = scope->settings;

	settings->stats.load_failures++;
	scope->retry_ns = clock_monotonic_ns() + SETTINGS_RETRY_S * NS_PER_S;
	log_debug(NULL, "settings.load_failed", KV_U64("id", scope->key.id), KV_ERR(error));
}

static void on_loaded(void *arg, int error, const struct db_result *result)
{
	struct scope *scope = arg;
	struct settings *settings = scope->settings;
	struct rows *rows = NULL;

	scope->loading = false;
	settings->generation++;
	if (error == 0)
		error = take_rows(settings, result, &rows);
	if (error == 0) {
		retire_rows(settings, scope->rows);
		scope->rows = rows;
		scope->stamp = ++settings->stamps;
		settings->bytes += rows->bytes;
		scope->checked_ns = scope->rows_ns = scope->begun_ns;
		scope->retry_ns = 0;
	} else if (!settings->closing) {
		load_failed(scope, error);
	} else {
		scope->retry_ns = UINT64_MAX;
	}
	if (scope->again && !settings->closing && error == 0) {
		scope->again = false;
		scope->checked_ns = 0;
		load(scope);
		return;
	}
	scope->again = false;
	settle_waiters(scope);
}

static void load(struct scope *scope)
{
	struct settings *settings = scope->settings;
	size_t row = scope_statements[scope->key.kind].load;
	struct db_param id = DB_INT8((int64_t)scope->key.id);
	int r;

	if (scope->loading)
		return;
	settings->stats.loads++;
	scope->loading = true;
	scope->begun_ns = clock_monotonic_ns();
	r = settings->closing ? -ECANCELED
			      : db_query(settings->options.db, &settings_statements[row], &id, 1, on_loaded, scope);
	if (r == 0)
		return;
	scope->loading = false;
	scope->again = false;
	load_failed(scope, r);
	settle_waiters(scope);
}

/* --- one layer ---------------------------------------------------------------------------------------------------- */

struct seal_place settings_seal_place(enum settings_layer layer, const struct settings_place *place, const char *name)
{
	struct seal_place at = { .table = layer == SETTINGS_USER ? "user_setting" : "setting", .name = name };

	if (layer == SETTINGS_USER) {
		at.user_id = place->user_id;
		return at;
	}
	at.guild_id = layer == SETTINGS_GLOBAL ? 0 : place->guild_id;
	at.channel_id = layer == SETTINGS_CHANNEL ? place->channel_id : 0;
	return at;
}

static int open_sealed(struct settings *settings, enum settings_layer layer, const struct settings_place *place,
		       const char *name, const uint8_t *sealed, size_t len,
		       const struct shoal_setting_value **ret_value)
{
	struct seal_place at = settings_seal_place(layer, place, name);
	struct passing *passing = NULL;
	struct value *value = passing_value(settings, &passing);
	size_t text_len;
	int r;

	if (!value || len > SEAL_TEXT_MAX + SEAL_OVERHEAD)
		return value ? -EPROTO : -ENOMEM;
	passing->secret = sodium_malloc(len + 1);
	if (!passing->secret)
		return -ENOMEM;
	r = settings->keys ? keyring_open(settings->keys, &at, sealed, len, passing->secret, &text_len) : -SHOAL_ENOKEY;
	if (r < 0)
		return r;
	value->is.type = SHOAL_SETTING_TEXT;
	value->is.text = passing->secret;
	*ret_value = &value->is;
	return 0;
}

void settings_outbox_name(enum settings_layer layer, const struct settings_place *place, const char *name,
			  char out[OUTBOX_NAME_MAX])
{
	uint8_t hash[16];
	char full[SCHEMA_NAME_SIZE + 64], hex[2 * sizeof(hash) + 1];

	snprintf(full, sizeof(full), "%s/%" PRIu64 "/%s", layer_names[layer],
		 layer == SETTINGS_CHANNEL ? place->channel_id : 0, name);
	/* Short names can be read by operators; long ones are still their own. */
	if (snprintf(out, OUTBOX_NAME_MAX, "%s", full) < OUTBOX_NAME_MAX)
		return;
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)full, strlen(full), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(out, OUTBOX_NAME_MAX, "setting/%s", hex);
}

static uint64_t owner_id(enum settings_layer layer, const struct settings_place *place)
{
	return layer == SETTINGS_USER ? place->user_id : layer == SETTINGS_GLOBAL ? 0 : place->guild_id;
}

/* What waits in the outbox for this layer, or was written by it after the rows were asked for (they stand in when they
 * can't be asked for again): "v<schema>:<json>" or "s<schema>:<base64>". True: it counts, whatever it is. */
static bool pending_layer(struct settings *settings, enum settings_layer layer, const struct settings_place *place,
			  const struct schema_row *row, uint64_t rows_ns, struct setting_layer *ret)
{
	const struct settings_outbox *outbox = &settings->options.outbox;
	char name[OUTBOX_NAME_MAX], error[VALUE_ERROR_SIZE], *end;
	uint8_t sealed[SHOAL_SETTING_TEXT_MAX + SEAL_OVERHEAD];
	const char *text = NULL;
	struct value *value;
	size_t len = 0;
	long version;

	if (!outbox->pending || (outbox->idle && outbox->idle(outbox->arg)))
		return false;
	settings_outbox_name(layer, place, row->name, name);
	if (!outbox->pending(outbox->arg, (struct outbox_key){ owner_id(layer, place), name }, rows_ns, &text, &len))
		return false;
	ret->pending = true;
	if (!text)
		return true; /* it will be taken back */
	version = len > 1 ? strtol(text + 1, &end, 10) : 0;
	if (version <= 0 || *end != ':') {
		ret->problem = -EINVAL;
		return true;
	}
	end++;
	if (text[0] == 's') {
		if (sodium_base642bin(sealed, sizeof(sealed), end, len - (size_t)(end - text), NULL, &len, NULL,
				      sodium_base64_VARIANT_ORIGINAL) != 0)
			ret->problem = -EPROTO;
		else
			ret->problem = open_sealed(settings, layer, place, row->name, sealed, len, &ret->value);
		return true;
	}
	value = passing_value(settings, NULL);
	ret->problem = value ? schema_read(row, (uint32_t)version, end, value, error) : -ENOMEM;
	if (ret->problem == 0)
		ret->value = &value->is;
	return true;
}

static struct scope *scope_of(struct settings *settings, enum settings_layer layer, const struct settings_place *place)
{
	return find_scope(settings, layer == SETTINGS_USER ? SCOPE_USER : SCOPE_GUILD, owner_id(layer, place));
}

/* Does that layer exist at that place for that setting? */
static bool is_there(enum settings_layer layer, const struct settings_place *place, const struct schema_row *row)
{
	if (!(row->row->layers & layer_bits[layer]))
		return false;
	switch (layer) {
	case SETTINGS_GLOBAL:
		return true;
	case SETTINGS_GUILD:
		return place->guild_id != 0;
	case SETTINGS_CHANNEL:
		return place->guild_id != 0 && place->channel_id != 0;
	case SETTINGS_USER:
		return place->user_id != 0;
	default:
		return false;
	}
}

static void read_layer(struct settings *settings, enum settings_layer layer, const struct settings_place *place,
		       const struct schema_row *known, struct setting_layer *ret)
{
	const struct scope *scope = scope_of(settings, layer, place);
	uint64_t channel_id = layer == SETTINGS_CHANNEL ? place->channel_id : 0;
	const struct row *row = find_row(scope ? scope->rows : NULL, channel_id, known->name);
	const char *name = known->name;
	uint64_t rows_ns = scope && scope->rows ? scope->rows_ns : 1; /* without rows all that was written is newer */

	*ret = (struct setting_layer){ .allowed = is_there(layer, place, known) };
	if (!ret->allowed || pending_layer(settings, layer, place, known, rows_ns, ret))
		return;
	if (!row && known->former[0]) { /* what is stored under the new name, even a reset, counts before */
		name = known->former;
		row = find_row(scope ? scope->rows : NULL, channel_id, name);
	}
	if (!row)
		return;
	ret->version = row->version;
	ret->changed_by = row->changed_by;
	ret->changed_ms = row->changed_ms;
	if (!row->set)
		return;
	ret->problem = row->problem;
	if (row->problem == 0 && row->sealed)
		ret->problem = open_sealed(settings, layer, place, name, row->sealed, row->sealed_len, &ret->value);
	else if (row->problem == 0)
		ret->value = &row->value.is;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* The scopes that @row wants at @place. The first that is not usable; NULL: all are. Those missing are loaded, so that
 * they come together. */
static int gather_scopes(struct settings *settings, const struct settings_place *place, const struct schema_row *row,
			 bool begin, struct scope **ret_missing, bool *ret_sure)
{
	uint64_t now_ns = clock_monotonic_ns();

	*ret_missing = NULL;
	*ret_sure = true;
	if (!settings_is_on(settings))
		return 0;
	for (enum settings_layer layer = SETTINGS_GLOBAL; layer < SETTINGS_LAYER_COUNT; layer++) {
		struct scope *scope;

		if (!is_there(layer, place, row))
			continue;
		scope = scope_of(settings, layer, place);
		if (is_usable(scope, now_ns)) {
			scope->used = true;
			*ret_sure = *ret_sure && !scope->retry_ns;
			continue;
		}
		if (!begin)
			return -EAGAIN;
		scope = find_or_add_scope(settings, layer == SETTINGS_USER ? SCOPE_USER : SCOPE_GUILD,
					  owner_id(layer, place));
		if (!scope)
			return -ENOMEM;
		scope->used = true;
		load(scope);
		if (scope->loading)
			*ret_missing = scope;
		else
			*ret_sure = false;
	}
	return 0;
}

static void resolve(struct settings *settings, const struct settings_place *place, const struct schema_row *row,
		    bool sure, struct setting_answer *ret)
{
	bool sealed = row->row->flags & SHOAL_SETTING_SENSITIVE;
	struct setting_layer found;

	*ret = (struct setting_answer){ .row = row, .value = &row->fallback.is, .sure = sure };
	for (enum settings_layer layer = SETTINGS_USER; layer > SETTINGS_DEFAULT; layer--) {
		read_layer(settings, layer, place, row, &found);
		if (found.problem && !ret->problem)
			ret->problem = found.problem;
		/* A secret that can't be opened is not replaced by another one behind the asker's back. */
		if (!found.value && !(found.problem && sealed))
			continue;
		if (found.value)
			ret->value = found.value;
		ret->from = found.value ? layer : SETTINGS_DEFAULT;
		ret->version = found.version;
		ret->changed_by = found.changed_by;
		ret->changed_ms = found.changed_ms;
		ret->pending = found.pending;
		return;
	}
}

int settings_peek(struct settings *settings, const struct settings_place *place, const char *name,
		  struct setting_answer *ret_answer)
{
	const struct schema_row *row = schemas_find(settings->options.schemas, name);
	struct scope *missing;
	bool sure;
	int r;

	if (!row)
		return -ENOENT;
	r = gather_scopes(settings, place, row, false, &missing, &sure);
	if (r < 0)
		return r;
	settings->stats.hits++;
	resolve(settings, place, row, sure, ret_answer);
	return 0;
}

int settings_known(struct settings *settings, const struct settings_place *place, const char *name,
		   struct setting_answer *ret_answer)
{
	const struct schema_row *row = schemas_find(settings->options.schemas, name);

	if (!row)
		return -ENOENT;
	resolve(settings, place, row, false, ret_answer);
	return 0;
}

uint64_t settings_generation(const struct settings *settings)
{
	return settings->generation;
}

uint64_t settings_stamp(struct settings *settings, uint64_t guild_id, bool *ret_sure)
{
	uint64_t now_ns = clock_monotonic_ns(), ids[] = { 0, guild_id }, stamp = 1;

	*ret_sure = true;
	for (size_t i = 0; i < ARRAY_SIZE(ids) && settings_is_on(settings); i++) {
		struct scope *scope = find_scope(settings, SCOPE_GUILD, ids[i]);

		*ret_sure = *ret_sure && is_usable(scope, now_ns) && !scope->retry_ns;
		if (scope) {
			scope->used = true;
			stamp += scope->stamp; /* each only rises */
		}
	}
	return stamp;
}

static void tell(struct waiter *waiter, bool sure)
{
	struct setting_answer answer;

	resolve(waiter->settings, &waiter->place, waiter->row, sure, &answer);
	waiter->fn(waiter->arg, &answer);
	free(waiter);
}

/* Tells it what is known, or lets it wait for the next scope that it wants. */
static void go_on(struct waiter *waiter)
{
	struct scope *missing = NULL;
	bool sure = false;

	if (!waiter->settings->closing &&
	    gather_scopes(waiter->settings, &waiter->place, waiter->row, true, &missing, &sure) < 0)
		sure = false;
	if (!missing) {
		tell(waiter, sure && !waiter->settings->closing);
		return;
	}
	LL_APPEND(missing->waiters, waiter); /* they go on in their order */
}

static void settle_waiters(struct scope *scope)
{
	struct waiter *waiters = scope->waiters, *waiter;

	scope->waiters = NULL;
	while ((waiter = waiters)) { /* who is told may change the cache, this scope included */
		waiters = waiter->next;
		waiter->next = NULL;
		go_on(waiter);
	}
}

int settings_get(struct settings *settings, const struct settings_place *place, const char *name, settings_fn fn,
		 void *arg)
{
	const struct schema_row *row = schemas_find(settings->options.schemas, name);
	struct waiter *waiter;

	if (!row)
		return -ENOENT;
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ .settings = settings, .place = *place, .row = row, .fn = fn, .arg = arg };
	go_on(waiter);
	return 0;
}

int settings_layers(struct settings *settings, const struct settings_place *place, const char *name,
		    struct setting_layer ret[SETTINGS_LAYER_COUNT])
{
	const struct schema_row *row = schemas_find(settings->options.schemas, name);

	if (!row)
		return -ENOENT;
	ret[SETTINGS_DEFAULT] = (struct setting_layer){ .value = &row->fallback.is };
	for (enum settings_layer layer = SETTINGS_GLOBAL; layer < SETTINGS_LAYER_COUNT; layer++)
		read_layer(settings, layer, place, row, &ret[layer]);
	return 0;
}

/* --- staying right ------------------------------------------------------------------------------------------------ */

/* What is in use is fetched again at once, so that the next to ask need not wait. */
static void make_stale(struct settings *settings, enum scope_kind kind, uint64_t id)
{
	struct scope *scope = find_scope(settings, kind, id);

	settings->generation++;
	if (!scope)
		return;
	settings->stats.stale++;
	scope->stamp = ++settings->stamps;
	scope->checked_ns = 0;
	if (scope->loading)
		scope->again = true;
	else if (scope->used && clock_monotonic_ns() >= scope->retry_ns)
		load(scope);
}

static void on_told(void *arg, struct bus *bus, const struct bus_message *message)
{
	struct settings *settings = arg;
	const char *dot = strrchr(message->subject, '.');
	json_t *payload = json_loadb(message->payload, message->len, 0, NULL);
	json_int_t user = json_integer_value(json_object_get(payload, "user"));

	(void)bus;
	settings->stats.told++;
	if (user > 0)
		make_stale(settings, SCOPE_USER, (uint64_t)user);
	else if (dot)
		make_stale(settings, SCOPE_GUILD, strtoull(dot + 1, NULL, 10));
	json_decref(payload);
}

void settings_tell(struct settings *settings, enum settings_layer layer, const struct settings_place *place)
{
	struct subject_params params = { .guild_id = layer == SETTINGS_USER ? 0 : owner_id(layer, place) };
	char payload[96];
	int len, r;

	make_stale(settings, layer == SETTINGS_USER ? SCOPE_USER : SCOPE_GUILD, owner_id(layer, place));
	if (!settings->options.bus || !bus_is_on(settings->options.bus))
		return;
	len = snprintf(payload, sizeof(payload), "{\"layer\":\"%s\",\"user\":%" PRIu64 "}", layer_names[layer],
		       layer == SETTINGS_USER ? place->user_id : 0);
	r = bus_publish(settings->options.bus, SUBJECT_CONFIG, &params, payload, (size_t)len);
	if (r < 0)
		log_debug(NULL, "settings.untold", KV_ERR(r),
			  KV_MSG("NATS is away: other shards see the change within a minute"));
}

void settings_bus_up(struct settings *settings)
{
	struct scope *scope, *next;

	if (!settings)
		return;
	HASH_ITER (hh, settings->scopes, scope, next) {
		scope->checked_ns = 0;
		scope->again = scope->again || scope->loading;
	}
}

void settings_db_up(struct settings *settings)
{
	struct scope *scope, *next;

	if (!settings)
		return;
	HASH_ITER (hh, settings->scopes, scope, next)
		if (scope->retry_ns && !settings->closing)
			scope->retry_ns = 1; /* long ago: the next to ask loads it */
}

static int64_t revision_of(const struct db_result *result, uint64_t id)
{
	for (size_t i = 0; i < db_result_rows(result); i++)
		if ((uint64_t)db_result_int8(result, i, 0) == id)
			return db_result_int8(result, i, 1);
	return 0; /* nothing is stored */
}

static void on_checked(void *arg, int error, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct check *check = arg;
	struct settings *settings = check->settings;

	settings->checking[check->kind] = false;
	if (error < 0)
		return; /* what is too old then is loaded when it is wanted */
	for (size_t i = 0; i < check->count; i++) {
		struct scope *scope = find_scope(settings, check->kind, check->ids[i]);

		if (!scope || !scope->rows || scope->loading || !scope->checked_ns ||
		    scope->checked_ns > check->begun_ns)
			continue;
		if (revision_of(result, check->ids[i]) == scope->rows->revision)
			scope->checked_ns = scope->rows_ns = check->begun_ns;
		else
			make_stale(settings, check->kind, check->ids[i]);
	}
}

/* One statement for up to CHECK_BATCH scopes of a kind that are in use and were not compared for a while. */
static void check_kind(struct settings *settings, enum scope_kind kind)
{
	struct db_param ids[CHECK_BATCH];
	uint64_t now_ns = clock_monotonic_ns();
	struct check *check = calloc(1, sizeof(*check));
	struct scope *scope, *next;
	int r = 0;

	if (!check)
		return;
	*check = (struct check){ .settings = settings, .kind = kind, .begun_ns = now_ns };
	HASH_ITER (hh, settings->scopes, scope, next) {
		if (scope->key.kind != kind || !scope->used || scope->loading || !scope->checked_ns ||
		    now_ns - scope->checked_ns < settings->options.check_s * NS_PER_S)
			continue;
		scope->used = false;
		ids[check->count] = DB_INT8((int64_t)scope->key.id);
		check->ids[check->count++] = scope->key.id;
		if (check->count == CHECK_BATCH)
			break;
	}
	if (check->count > 0) {
		struct db_param array = DB_ARRAY(DB_TYPE_INT8_ARRAY, ids, check->count);

		r = db_query(settings->options.db, &settings_statements[scope_statements[kind].revisions], &array, 1,
			     on_checked, check);
		if (r == 0) {
			settings->checking[kind] = true;
			settings->stats.checks++;
			return;
		}
	}
	free(check);
}

static void on_tick(void *arg)
{
	struct settings *settings = arg;

	if (++settings->ticks % CHECK_TICKS != 0 || settings->closing || !settings_is_on(settings))
		return;
	for (enum scope_kind kind = 0; kind < SCOPE_KIND_COUNT; kind++)
		if (!settings->checking[kind])
			check_kind(settings, kind);
}

static void on_pass_end(void *arg)
{
	free_passing(arg);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int settings_new(const struct settings_options *options, struct settings **ret_settings)
{
	struct subject_params any = { .any = SUBJECT_PART_GUILD };
	struct settings *settings;
	int r;

	if (sodium_init() < 0)
		return -EIO;
	settings = calloc(1, sizeof(*settings));
	if (!settings)
		return -ENOMEM;
	settings->options = *options;
	settings->options.check_s = options->check_s ? options->check_s : SETTINGS_CHECK_S;
	settings->options.trust_s = options->trust_s ? options->trust_s : SETTINGS_TRUST_S;
	if (options->bus) {
		r = bus_subscribe(options->bus, SUBJECT_CONFIG, &any, on_told, settings, &settings->subscription);
		if (r < 0) {
			free(settings);
			return r;
		}
	}
	loop_at_tick(options->loop, &settings->tick, on_tick, settings);
	loop_at_pass_end(options->loop, &settings->pass_end, on_pass_end, settings);
	*ret_settings = settings;
	return 0;
}

void settings_closing(struct settings *settings)
{
	if (!settings)
		return;
	settings->closing = true;
	bus_unsubscribe(settings->subscription);
	settings->subscription = NULL;
}

struct settings *settings_free(struct settings *settings)
{
	struct scope *scope, *next;

	if (!settings)
		return NULL;
	loop_remove_hook(&settings->tick);
	loop_remove_hook(&settings->pass_end);
	HASH_ITER (hh, settings->scopes, scope, next)
		drop_scope(scope);
	free_passing(settings);
	keyring_free(settings->keys);
	free(settings);
	return NULL;
}

void settings_set_keys(struct settings *settings, struct keyring *ring)
{
	keyring_free(settings->keys);
	settings->keys = ring;
}

const struct keyring *settings_keys(const struct settings *settings)
{
	return settings->keys;
}

const struct schemas *settings_schemas(const struct settings *settings)
{
	return settings->options.schemas;
}

const struct settings_options *settings_parts(const struct settings *settings)
{
	return &settings->options;
}

void settings_stats(const struct settings *settings, struct settings_stats *ret_stats)
{
	*ret_stats = settings->stats;
	ret_stats->scopes = HASH_COUNT(settings->scopes);
	ret_stats->bytes = settings->bytes;
}
