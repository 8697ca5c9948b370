/* libFuzzer's way into the records of an outbox's file. The checksum is put right first, or nothing would get behind
 * it. What is accepted comes back the same when it is written and read again; what is read out of a damaged file,
 * likewise. */
#include <stdlib.h>
#include <string.h>

#include "shared/base/crc32c.h"
#include "shared/db/outbox_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(struct outbox_entry *entry)
{
	struct outbox_entry *again = NULL;
	struct outbox_item item;
	char *record = malloc(entry->bytes);
	size_t len;

	outbox_entry_show(entry, &item);
	if (!record || !item.reason)
		abort();
	len = outbox_entry_encode(entry, record);
	if (len > entry->bytes || outbox_entry_sniff(record, len) != len ||
	    outbox_entry_decode(record, len, &again) < 0)
		abort();
	if (again->seq != entry->seq || again->param_count != entry->param_count ||
	    !outbox_key_equal(again->key, entry->key) || (again->value == NULL) != (entry->value == NULL))
		abort();
	outbox_entry_free(again);
	free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outbox_entry *entry = NULL;
	char *bytes = malloc(size + 1);
	uint32_t crc;

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	if (size > 12) {
		uint32_t len = (uint32_t)size;

		memcpy(bytes, "SOB1", 4);
		memcpy(bytes + 8, &len, sizeof(len));
		crc = crc32c(0, bytes + 8, size - 8);
		memcpy(bytes + 4, &crc, sizeof(crc));
	}
	outbox_entry_sniff(bytes, size);
	if (outbox_entry_decode(bytes, size, &entry) == 0) {
		check_entry(entry);
		outbox_entry_free(entry);
	}
	free(bytes);
	return 0;
}
