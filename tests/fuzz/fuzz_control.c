/* libFuzzer's way into the control protocol's lines. The first byte says how the rest is cut into reads. Beside not
 * crashing: the lines are the same however they were cut, and what is taken for a request has an id and a verb that the
 * protocol allows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/control/control_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
	size_t lines, bytes;
	uint64_t hash;
};

static void check_request(const char *line, size_t len)
{
	char verb[CONTROL_VERB_MAX], error[CONTROL_ERROR_TEXT] = "";
	json_t *json = NULL;
	int64_t id = -1;
	int r = control_parse_request(line, len, &id, verb, &json, error);

	if (r < 0) {
		if (r != -EBADMSG || json || !error[0] || id < 0 || strlen(error) >= sizeof(error))
			abort();
		return;
	}
	if (id <= 0 || !verb[0] || !memchr(verb, '\0', sizeof(verb)) || !json_is_object(json))
		abort();
	json_decref(json);
}

static int on_line(void *arg, const char *line, size_t len)
{
	struct tally *tally = arg;

	if (len > CONTROL_LINE_MAX || memchr(line, '\n', len))
		abort();
	tally->lines++;
	tally->bytes += len;
	for (size_t i = 0; i < len; i++)
		tally->hash = tally->hash * 31 + (unsigned char)line[i];
	tally->hash = tally->hash * 31 + 1;
	check_request(line, len);
	return 0;
}

static struct tally feed(const char *bytes, size_t size, size_t piece)
{
	struct control_lines lines;
	struct tally tally = { 0 };

	control_lines_init(&lines);
	for (size_t at = 0; at < size; at += piece) {
		size_t len = size - at < piece ? size - at : piece;

		if (control_lines_feed(&lines, bytes + at, len, on_line, &tally) != 0)
			abort(); /* no input here is as long as a line may be */
	}
	if (lines.taken != tally.bytes + tally.lines || lines.taken + lines.partial.len != size)
		abort();
	control_lines_finish(&lines);
	return tally;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tally whole, cut;
	const char *bytes;

	if (size < 1 || size > CONTROL_LINE_MAX / 2)
		return 0;
	bytes = (const char *)data + 1;
	whole = feed(bytes, size - 1, size);
	cut = feed(bytes, size - 1, (size_t)data[0] % 64 + 1);
	if (whole.lines != cut.lines || whole.bytes != cut.bytes || whole.hash != cut.hash)
		abort();
	return 0;
}
