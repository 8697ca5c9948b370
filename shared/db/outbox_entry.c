/* The record: a fixed head with a checksum over all behind it, then names, value, reason and parameters. Types stand as
 * PostgreSQL's numbers and names as names: what a program wrote must be read, or refused with a reason, by the next
 * one. Run by the loop and by the outbox's thread; must not trust a byte that comes from the file. */
#include "shared/db/outbox_entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/crc32c.h"
#include "shared/base/errors.h"

#define MAGIC          0x31424F53u /* "SOB1" */
#define RECORD_VERSION 1
#define NO_VALUE       UINT32_MAX

struct head {
	uint32_t magic;
	uint32_t crc; /* of all behind this word */
	uint32_t len; /* of the record */
	uint16_t version;
	uint8_t kind, flags;
	uint64_t seq, source, number, epoch, key_id, user_id;
	int64_t created_ms, died_ms;
	int32_t error;
	uint32_t tries;
	uint32_t value_len; /* NO_VALUE: none any more */
	uint16_t owner_len, statement_len, key_len, reason_len;
	uint32_t param_count;
};
_Static_assert(sizeof(struct head) == 104, "no padding: it is checksummed and stored");

struct param_head {
	uint32_t oid;
	uint32_t len; /* NO_VALUE: NULL */
};

struct outbox_entry *outbox_entry_free(struct outbox_entry *entry)
{
	if (entry) {
		free(entry->text);
		free(entry->elements);
	}
	free(entry);
	return NULL;
}

void outbox_entry_freep(struct outbox_entry **entry)
{
	*entry = outbox_entry_free(*entry);
}

bool outbox_key_equal(struct outbox_key a, struct outbox_key b)
{
	return a.id == b.id && strcmp(a.name, b.name) == 0;
}

void outbox_entry_show(const struct outbox_entry *entry, struct outbox_item *ret_item)
{
	*ret_item = (struct outbox_item){ .id = entry->seq,
					  .dead = entry->died_ms != 0,
					  .imported = entry->flags & OUTBOX_ENTRY_IMPORTED,
					  .salvaged = entry->flags & OUTBOX_ENTRY_SALVAGED,
					  .owner = entry->owner,
					  .statement = entry->statement,
					  .key = entry->key,
					  .user_id = entry->user_id,
					  .epoch = entry->epoch,
					  .source = entry->source,
					  .number = entry->number,
					  .created_ms = entry->created_ms,
					  .died_ms = entry->died_ms,
					  .tries = entry->tries,
					  .bytes = entry->bytes,
					  .error = entry->error,
					  .reason = entry->reason };
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static bool is_bytes(enum db_type type)
{
	return type == DB_TYPE_TEXT || type == DB_TYPE_JSONB || type == DB_TYPE_BYTEA;
}

static bool is_array(enum db_type type)
{
	return db_type_element(type) != DB_TYPE_NONE;
}

/* Bytes of @param's value in a record, of one that is no array; -EINVAL: it can't be one. */
static ssize_t scalar_len(const struct db_param *param)
{
	if (param->null)
		return db_type_oid(param->type) ? 0 : -EINVAL;
	if (is_bytes(param->type)) {
		if (param->type != DB_TYPE_BYTEA && param->value.text.len > 0 &&
		    memchr(param->value.text.bytes, '\0', param->value.text.len))
			return -EINVAL;
		return param->value.text.len > OUTBOX_RECORD_MAX ? -EMSGSIZE : (ssize_t)param->value.text.len;
	}
	switch (param->type) {
	case DB_TYPE_INT8:
	case DB_TYPE_TIMESTAMPTZ:
	case DB_TYPE_DOUBLE:
		return sizeof(int64_t);
	case DB_TYPE_BOOL:
		return 1;
	default:
		return -EINVAL;
	}
}

/* What a parameter takes: in the record, and of the two stores of an entry in memory. */
struct sizes {
	size_t record, texts, elements;
};

static int add_scalar(const struct db_param *param, struct sizes *sizes)
{
	ssize_t len = scalar_len(param);

	if (len < 0)
		return (int)len;
	sizes->record += sizeof(struct param_head) + (size_t)len;
	if (is_bytes(param->type))
		sizes->texts += (size_t)len + 1;
	return 0;
}

static int add_param(const struct db_param *param, struct sizes *sizes)
{
	int r = 0;

	if (param->null || !is_array(param->type))
		return add_scalar(param, sizes);
	if (param->value.array.count > OUTBOX_RECORD_MAX / sizeof(struct param_head))
		return -EMSGSIZE;
	sizes->record += sizeof(struct param_head);
	sizes->elements += param->value.array.count;
	for (size_t i = 0; r == 0 && i < param->value.array.count; i++) {
		const struct db_param *element = &param->value.array.elements[i];

		r = element->type == db_type_element(param->type) ? add_scalar(element, sizes) : -EINVAL;
	}
	return r;
}

/* An array's head says how many elements follow, each with a head of its own. */
static char *param_put(const struct db_param *param, char *at)
{
	bool array = is_array(param->type) && !param->null;
	size_t len = param->null || array ? 0 : (size_t)scalar_len(param);
	struct param_head head = { .oid = db_type_oid(param->type),
				   .len = param->null ? NO_VALUE
					  : array     ? (uint32_t)param->value.array.count
						      : (uint32_t)len };

	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	for (size_t i = 0; array && i < param->value.array.count; i++)
		at = param_put(&param->value.array.elements[i], at);
	if (len == 0)
		return at;
	if (is_bytes(param->type))
		memcpy(at, param->value.text.bytes, len);
	else if (param->type == DB_TYPE_BOOL)
		*at = (char)param->value.b;
	else
		memcpy(at, &param->value, len);
	return at + len;
}

static enum db_type type_of_oid(uint32_t oid)
{
	for (int type = DB_TYPE_NONE + 1; type < DB_TYPE_COUNT; type++)
		if (db_type_oid((enum db_type)type) == oid)
			return (enum db_type)type;
	return DB_TYPE_NONE;
}

/* Where an entry's texts and elements go. */
struct stores {
	char *texts;
	struct db_param *elements;
};

/* Copies @len bytes and a NUL to *@at, moving it. */
static const char *copy(char **at, const char *bytes, size_t len)
{
	char *copied = *at;

	if (len > 0)
		memcpy(copied, bytes, len);
	copied[len] = '\0';
	*at += len + 1;
	return copied;
}

/* Reads one parameter from *@at, moving it. @type: what it must be; DB_TYPE_NONE: any. */
static int param_get(const char **at, const char *end, enum db_type type, struct stores *stores,
		     struct db_param *ret_param)
{
	struct param_head head;
	struct db_param param = { 0 };
	int r = 0;

	if ((size_t)(end - *at) < sizeof(head))
		return -SHOAL_EDAMAGED;
	memcpy(&head, *at, sizeof(head));
	*at += sizeof(head);
	param.type = type_of_oid(head.oid);
	param.null = head.len == NO_VALUE;
	if (param.type == DB_TYPE_NONE || (type != DB_TYPE_NONE && param.type != type))
		return -SHOAL_EDAMAGED;
	if (param.null) {
		*ret_param = param;
		return 0;
	}
	if (head.len > (size_t)(end - *at) / (is_array(param.type) ? sizeof(head) : 1))
		return -SHOAL_EDAMAGED;
	if (is_array(param.type)) {
		struct db_param *elements = stores->elements;

		stores->elements += head.len;
		param.value.array.elements = elements;
		param.value.array.count = head.len;
		for (size_t i = 0; r == 0 && i < head.len; i++)
			r = param_get(at, end, db_type_element(param.type), stores, &elements[i]);
		*ret_param = param;
		return r;
	}
	if (is_bytes(param.type)) {
		param.value.text.bytes = *at;
		param.value.text.len = head.len;
	} else if (head.len != (param.type == DB_TYPE_BOOL ? 1 : sizeof(int64_t))) {
		return -SHOAL_EDAMAGED;
	} else if (param.type == DB_TYPE_BOOL) {
		param.value.b = **at != 0;
	} else {
		memcpy(&param.value, *at, sizeof(int64_t));
	}
	if (scalar_len(&param) < 0) /* a NUL in a text */
		return -SHOAL_EDAMAGED;
	*at += head.len;
	if (is_bytes(param.type))
		param.value.text.bytes = copy(&stores->texts, param.value.text.bytes, param.value.text.len);
	*ret_param = param;
	return 0;
}

static void param_copy(const struct db_param *param, struct stores *stores, struct db_param *ret_param)
{
	struct db_param *elements = stores->elements;

	*ret_param = *param;
	if (param->null)
		return;
	if (is_bytes(param->type)) {
		ret_param->value.text.bytes = copy(&stores->texts, param->value.text.bytes, param->value.text.len);
	} else if (is_array(param->type)) {
		stores->elements += param->value.array.count;
		ret_param->value.array.elements = elements;
		for (size_t i = 0; i < param->value.array.count; i++)
			param_copy(&param->value.array.elements[i], stores, &elements[i]);
	}
}

/* --- making one --------------------------------------------------------------------------------------------------- */

static bool name_fits(const char *name)
{
	return name && name[0] && strlen(name) <= OUTBOX_NAME_MAX;
}

static int measure(const struct outbox_write *write, const struct statement *statement, struct sizes *ret_sizes)
{
	struct sizes sizes = { .texts = strlen(write->owner) + strlen(write->statement) + strlen(write->key.name) + 3 +
					(write->value ? write->value_len + 1 : 0) };
	int r = 0;

	sizes.record = sizeof(struct head) + OUTBOX_REASON_SIZE + sizes.texts;
	if (write->param_count != statement_param_count(statement))
		return -EINVAL;
	for (size_t i = 0; r == 0 && i < write->param_count; i++)
		r = write->params[i].type == statement->params[i] ? add_param(&write->params[i], &sizes) : -EINVAL;
	*ret_sizes = sizes;
	return r < 0 ? r : sizes.record > OUTBOX_RECORD_MAX ? -EMSGSIZE : 0;
}

/* One with room for so many texts and elements of arrays. */
static struct outbox_entry *entry_alloc(size_t texts, size_t elements, struct stores *ret_stores)
{
	CLEANUP(outbox_entry_freep) struct outbox_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->text = malloc(texts);
	entry->elements = elements > 0 ? calloc(elements, sizeof(*entry->elements)) : NULL;
	if (!entry->text || (elements > 0 && !entry->elements))
		return NULL;
	*ret_stores = (struct stores){ entry->text, entry->elements };
	return TAKE(entry);
}

int outbox_entry_new(const struct outbox_write *write, const struct statement *statement,
		     struct outbox_entry **ret_entry)
{
	struct outbox_entry *entry;
	struct stores stores;
	struct sizes sizes;
	int r;

	if (!name_fits(write->owner) || !name_fits(write->statement) || !name_fits(write->key.name) ||
	    write->value_len > OUTBOX_RECORD_MAX)
		return -EINVAL;
	r = measure(write, statement, &sizes);
	if (r < 0)
		return r;
	entry = entry_alloc(sizes.texts, sizes.elements, &stores);
	if (!entry)
		return -ENOMEM;
	entry->owner = copy(&stores.texts, write->owner, strlen(write->owner));
	entry->statement = copy(&stores.texts, write->statement, strlen(write->statement));
	entry->key.name = copy(&stores.texts, write->key.name, strlen(write->key.name));
	entry->key.id = write->key.id;
	if (write->value) {
		entry->value = copy(&stores.texts, write->value, write->value_len);
		entry->value_len = write->value_len;
	}
	for (size_t i = 0; i < write->param_count; i++)
		param_copy(&write->params[i], &stores, &entry->params[i]);
	entry->param_count = write->param_count;
	entry->user_id = write->user_id;
	entry->created_ms = clock_wall_ms();
	entry->bytes = sizes.record;
	*ret_entry = entry;
	return 0;
}

/* --- the record --------------------------------------------------------------------------------------------------- */

static char *put(char *at, const char *bytes, size_t len)
{
	if (len > 0)
		memcpy(at, bytes, len);
	return at + len;
}

size_t outbox_entry_encode(const struct outbox_entry *entry, void *bytes)
{
	struct head head = { .magic = MAGIC,
			     .version = RECORD_VERSION,
			     .kind = entry->kind,
			     .flags = entry->flags,
			     .seq = entry->seq,
			     .source = entry->source,
			     .number = entry->number,
			     .epoch = entry->epoch,
			     .key_id = entry->key.id,
			     .user_id = entry->user_id,
			     .created_ms = entry->created_ms,
			     .died_ms = entry->died_ms,
			     .error = entry->error,
			     .tries = entry->tries,
			     .value_len = entry->value ? (uint32_t)entry->value_len : NO_VALUE,
			     .owner_len = (uint16_t)strlen(entry->owner),
			     .statement_len = (uint16_t)strlen(entry->statement),
			     .key_len = (uint16_t)strlen(entry->key.name),
			     .reason_len = (uint16_t)strlen(entry->reason),
			     .param_count = (uint32_t)entry->param_count };
	char *begin = bytes, *at = begin + sizeof(head);

	at = put(at, entry->owner, head.owner_len);
	at = put(at, entry->statement, head.statement_len);
	at = put(at, entry->key.name, head.key_len);
	at = put(at, entry->value, entry->value ? entry->value_len : 0);
	at = put(at, entry->reason, head.reason_len);
	for (size_t i = 0; i < entry->param_count; i++)
		at = param_put(&entry->params[i], at);
	head.len = (uint32_t)(at - begin);
	memcpy(begin, &head, sizeof(head));
	head.crc = crc32c(0, begin + 8, head.len - 8);
	memcpy(begin, &head, sizeof(head));
	return head.len;
}

static bool head_is_sound(const struct head *head, size_t len)
{
	size_t texts = (size_t)head->owner_len + head->statement_len + head->key_len + head->reason_len +
		       (head->value_len == NO_VALUE ? 0 : head->value_len);

	return head->magic == MAGIC && head->version == RECORD_VERSION && head->len == len &&
	       head->len <= OUTBOX_RECORD_MAX && head->kind <= OUTBOX_KIND_TOKEN &&
	       head->owner_len <= OUTBOX_NAME_MAX && head->owner_len > 0 && head->statement_len <= OUTBOX_NAME_MAX &&
	       head->statement_len > 0 && head->key_len <= OUTBOX_NAME_MAX && head->key_len > 0 &&
	       head->reason_len < OUTBOX_REASON_SIZE && head->param_count <= STATEMENT_PARAMS_MAX && head->source > 0 &&
	       head->source <= INT64_MAX && head->number > 0 && head->number <= INT64_MAX &&
	       texts + head->param_count * sizeof(struct param_head) <= len - sizeof(*head);
}

size_t outbox_entry_sniff(const void *bytes, size_t len)
{
	struct head head;

	if (len < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	return head.magic == MAGIC && head.len <= len && head.len >= sizeof(head) && head_is_sound(&head, head.len)
		       ? head.len
		       : 0;
}

static int decode_params(struct outbox_entry *entry, size_t count, const char *at, const char *end,
			 struct stores *stores)
{
	int r;

	for (size_t i = 0; i < count; i++) {
		r = param_get(&at, end, DB_TYPE_NONE, stores, &entry->params[i]);
		if (r < 0)
			return r;
	}
	entry->param_count = count;
	return at == end ? 0 : -SHOAL_EDAMAGED;
}

int outbox_entry_decode(const void *bytes, size_t len, struct outbox_entry **ret_entry)
{
	CLEANUP(outbox_entry_freep) struct outbox_entry *entry = NULL;
	const char *at = (const char *)bytes + sizeof(struct head), *end = (const char *)bytes + len;
	size_t most = len / sizeof(struct param_head); /* parameters and elements; each text gets a NUL */
	struct stores stores;
	struct head head;
	int r;

	if (len < sizeof(head))
		return -SHOAL_EDAMAGED;
	memcpy(&head, bytes, sizeof(head));
	if (!head_is_sound(&head, len) || head.crc != crc32c(0, (const char *)bytes + 8, len - 8))
		return -SHOAL_EDAMAGED;
	entry = entry_alloc(len + 4 + most, most, &stores);
	if (!entry)
		return -ENOMEM;
	entry->seq = head.seq;
	entry->source = head.source;
	entry->number = head.number;
	entry->kind = head.kind;
	entry->flags = head.flags;
	entry->epoch = head.epoch;
	entry->user_id = head.user_id;
	entry->created_ms = head.created_ms;
	entry->died_ms = head.died_ms;
	entry->error = head.error;
	entry->tries = head.tries;
	entry->key.id = head.key_id;
	entry->bytes = len + OUTBOX_REASON_SIZE;
	entry->owner = copy(&stores.texts, at, head.owner_len);
	at += head.owner_len;
	entry->statement = copy(&stores.texts, at, head.statement_len);
	at += head.statement_len;
	entry->key.name = copy(&stores.texts, at, head.key_len);
	at += head.key_len;
	if (head.value_len != NO_VALUE) {
		entry->value = copy(&stores.texts, at, head.value_len);
		entry->value_len = head.value_len;
		at += head.value_len;
	}
	memcpy(entry->reason, at, head.reason_len);
	at += head.reason_len;
	if (strlen(entry->owner) != head.owner_len || strlen(entry->statement) != head.statement_len ||
	    strlen(entry->key.name) != head.key_len || strlen(entry->reason) != head.reason_len)
		return -SHOAL_EDAMAGED;
	r = decode_params(entry, head.param_count, at, end, &stores);
	if (r < 0)
		return r;
	*ret_entry = TAKE(entry);
	return 0;
}
