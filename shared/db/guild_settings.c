/* Guild settings over db.c: each call is one statement and one small note of who waits. Run by the loop. */
#include "shared/db/guild_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/db/statements_core.h"

#define SETTINGS_MAX 1000 /* the LIMIT of guild_setting_list */

/* Held from the call to its callback. */
struct wait {
	guild_setting_fn fn;
	guild_settings_fn list_fn;
	void *arg;
	uint64_t user_id;
	size_t value_len;
	const char *value; /* behind the name; NULL unless set */
	char name[];
};

static int check(uint64_t guild_id, const char *name)
{
	size_t len;

	if (guild_id == 0 || guild_id > INT64_MAX)
		return -EINVAL;
	if (!name)
		return 0;
	len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.");
	return len >= 1 && len <= GUILD_SETTING_NAME_MAX && name[len] == '\0' ? 0 : -EINVAL;
}

static struct wait *wait_new(const char *name, const char *value, size_t value_len, void *arg)
{
	size_t name_size = strlen(name) + 1;
	struct wait *wait = calloc(1, sizeof(*wait) + name_size + value_len + 1);

	if (!wait)
		return NULL;
	wait->arg = arg;
	memcpy(wait->name, name, name_size);
	if (value) {
		wait->value = memcpy(wait->name + name_size, value, value_len);
		wait->value_len = value_len;
	}
	return wait;
}

/* Queues it; @wait is the callback's from then on, and freed here if that fails. */
static int queue(struct db *db, size_t row, const struct db_param *params, size_t count, db_result_fn fn,
		 struct wait *wait)
{
	int r;

	if (!wait)
		return -ENOMEM;
	r = db_query(db, &core_statements[row], params, count, fn, wait);
	if (r < 0)
		free(wait);
	return r;
}

static void on_got(void *arg, int error, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct wait *wait = arg;
	struct guild_setting setting = { .name = wait->name };

	if (error == 0 && db_result_rows(result) == 0)
		error = -ENOENT;
	if (error < 0) {
		wait->fn(wait->arg, error, NULL);
		return;
	}
	setting.value = db_result_text(result, 0, 0, &setting.value_len);
	setting.version = db_result_int8(result, 0, 1);
	setting.updated_by = (uint64_t)db_result_int8(result, 0, 2);
	wait->fn(wait->arg, 0, &setting);
}

int guild_setting_get(struct db *db, uint64_t guild_id, const char *name, guild_setting_fn fn, void *arg)
{
	int r = name ? check(guild_id, name) : -EINVAL;
	struct wait *wait;

	if (r < 0)
		return r;
	wait = wait_new(name, NULL, 0, arg);
	if (wait)
		wait->fn = fn;
	return queue(db, CORE_GUILD_SETTING_GET,
		     (struct db_param[]){ DB_INT8((int64_t)guild_id), DB_TEXT(name, strlen(name)) }, 2, on_got, wait);
}

static void on_listed(void *arg, int error, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct wait *wait = arg;
	CLEANUP(cleanup_free) struct guild_setting *settings = NULL;
	size_t count = error == 0 ? db_result_rows(result) : 0;

	if (count > SETTINGS_MAX)
		count = SETTINGS_MAX;
	if (count > 0) {
		settings = calloc(count, sizeof(*settings));
		if (!settings)
			error = -ENOMEM;
	}
	for (size_t i = 0; settings && i < count; i++) {
		settings[i].name = db_result_text(result, i, 0, NULL);
		settings[i].value = db_result_text(result, i, 1, &settings[i].value_len);
		settings[i].version = db_result_int8(result, i, 2);
		settings[i].updated_by = (uint64_t)db_result_int8(result, i, 3);
	}
	wait->list_fn(wait->arg, error, settings, error == 0 ? count : 0);
}

int guild_settings_list(struct db *db, uint64_t guild_id, guild_settings_fn fn, void *arg)
{
	int r = check(guild_id, NULL);
	struct wait *wait;

	if (r < 0)
		return r;
	wait = wait_new("", NULL, 0, arg);
	if (!wait)
		return -ENOMEM;
	wait->list_fn = fn;
	r = db_query_replica(db, &core_statements[CORE_GUILD_SETTING_LIST],
			     (struct db_param[]){ DB_INT8((int64_t)guild_id) }, 1, on_listed, wait);
	if (r < 0)
		free(wait);
	return r;
}

/* After a change: the version it made, with what was asked for. */
static void on_changed(void *arg, int error, const struct db_result *result)
{
	CLEANUP(cleanup_free) struct wait *wait = arg;
	struct guild_setting setting = {
		.name = wait->name,
		.value = wait->value ? wait->value : "null",
		.value_len = wait->value ? wait->value_len : strlen("null"),
		.updated_by = wait->user_id,
	};

	if (error == 0 && db_result_rows(result) == 0)
		error = -ENOENT;
	if (error < 0) {
		wait->fn(wait->arg, error, NULL);
		return;
	}
	setting.version = db_result_int8(result, 0, 0);
	wait->fn(wait->arg, 0, &setting);
}

int guild_setting_set(struct db *db, uint64_t guild_id, const char *name, const char *value, size_t value_len,
		      uint64_t user_id, guild_setting_fn fn, void *arg)
{
	int r = name && value ? check(guild_id, name) : -EINVAL;
	struct wait *wait;

	if (r < 0)
		return r;
	if (user_id > INT64_MAX)
		return -EINVAL;
	if (value_len > GUILD_SETTING_VALUE_MAX)
		return -EMSGSIZE;
	wait = wait_new(name, value, value_len, arg);
	if (wait) {
		wait->fn = fn;
		wait->user_id = user_id;
	}
	return queue(db, CORE_GUILD_SETTING_SET,
		     (struct db_param[]){ DB_INT8((int64_t)guild_id), DB_TEXT(name, strlen(name)),
					  DB_JSONB(value, value_len), DB_INT8((int64_t)user_id) },
		     4, on_changed, wait);
}

int guild_setting_delete(struct db *db, uint64_t guild_id, const char *name, uint64_t user_id, guild_setting_fn fn,
			 void *arg)
{
	int r = name ? check(guild_id, name) : -EINVAL;
	struct wait *wait;

	if (r < 0)
		return r;
	if (user_id > INT64_MAX)
		return -EINVAL;
	wait = wait_new(name, NULL, 0, arg);
	if (wait) {
		wait->fn = fn;
		wait->user_id = user_id;
	}
	return queue(db, CORE_GUILD_SETTING_DELETE,
		     (struct db_param[]){ DB_INT8((int64_t)guild_id), DB_TEXT(name, strlen(name)),
					  DB_INT8((int64_t)user_id) },
		     3, on_changed, wait);
}
