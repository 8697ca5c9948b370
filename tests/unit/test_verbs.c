/* The control verbs' table: every field of every row is checked before a handler sees it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "supervisor/verbs.h"

static void test_rows_are_well_formed(void **state)
{
	(void)state;
	assert_true(verb_row_count >= 8);
	for (size_t i = 0; i < verb_row_count; i++) {
		const struct verb_row *row = &verb_rows[i];

		assert_true(row->name[0] != '\0' && row->help[0] != '\0');
		assert_non_null(row->handle);
		assert_true(row->callers != 0 && (row->callers & ~(unsigned)(VERB_WORKER | VERB_OPERATOR)) == 0);
		assert_ptr_equal(verb_find(row->name), row);
		for (size_t other = 0; other < i; other++)
			assert_string_not_equal(verb_rows[other].name, row->name);
	}
	assert_null(verb_find(""));
	assert_null(verb_find("statu"));
	/* What spends or ends something is nobody's but its own caller's. */
	assert_int_equal(verb_find("identify")->callers, VERB_WORKER);
	assert_int_equal(verb_find("identified")->callers, VERB_WORKER);
	assert_int_equal(verb_find("stop")->callers, VERB_OPERATOR);
	assert_int_equal(verb_find("restart")->callers, VERB_OPERATOR);
}

/* A value that fits @field, or (@wrong) one that does not, in several ways; NULL: there is no such way. */
static json_t *value_for(const struct verb_field *field, int wrong)
{
	switch (field->kind) {
	case VERB_U32:
	case VERB_U64:
		switch (wrong) {
		case 0:
			return json_integer((json_int_t)field->max);
		case 1:
			return json_integer(-1);
		case 2:
			return json_string("1");
		case 3:
			return json_real(1.0);
		case 4:
			return field->max < INT64_MAX ? json_integer((json_int_t)field->max + 1) : NULL;
		default:
			return NULL;
		}
	case VERB_BOOL:
		return wrong == 0   ? json_true()
		       : wrong == 1 ? json_integer(1)
		       : wrong == 2 ? json_string("true")
				    : NULL;
	case VERB_STR:
		if (wrong == 1)
			return json_integer(5);
		if (wrong > 2)
			return NULL;
		{
			char text[4096];

			assert_true(field->max + 2 < sizeof(text));
			memset(text, 'x', sizeof(text));
			text[field->max + (wrong == 2)] = '\0';
			return json_string(text);
		}
	case VERB_U32_LIST:
		return wrong == 0   ? json_pack("[i, I]", 0, (json_int_t)UINT32_MAX)
		       : wrong == 1 ? json_integer(1)
		       : wrong == 2 ? json_pack("[i, s]", 1, "x")
		       : wrong == 3 ? json_pack("[i]", -1)
		       : wrong == 4 ? json_pack("[I]", (json_int_t)UINT32_MAX + 1)
		       : wrong == 5 ? json_pack("[[]]")
		       : wrong == 6 ? json_object()
				    : NULL;
	}
	return NULL;
}

static json_t *good_request(const struct verb_row *row)
{
	json_t *request = json_object();

	for (size_t i = 0; i < VERB_FIELDS_MAX && row->fields[i].name; i++)
		json_object_set_new(request, row->fields[i].name, value_for(&row->fields[i], 0));
	return request;
}

static void test_every_field_is_checked(void **state)
{
	char error[128];

	(void)state;
	for (size_t i = 0; i < verb_row_count; i++) {
		const struct verb_row *row = &verb_rows[i];
		json_t *request = good_request(row);

		assert_int_equal(verb_check(row, request, error, sizeof(error)), 0);
		json_object_set_new(request, "field_of_a_newer_peer", json_true());
		assert_int_equal(verb_check(row, request, error, sizeof(error)), 0);
		for (size_t f = 0; f < VERB_FIELDS_MAX && row->fields[f].name; f++) {
			const struct verb_field *field = &row->fields[f];
			json_t *wrong;

			for (int way = 1; (wrong = value_for(field, way)) != NULL; way++) {
				json_object_set_new(request, field->name, wrong);
				error[0] = '\0';
				assert_int_equal(verb_check(row, request, error, sizeof(error)), -EINVAL);
				assert_non_null(strstr(error, field->name));
			}
			json_object_set_new(request, field->name, json_null());
			assert_int_equal(verb_check(row, request, error, sizeof(error)), -EINVAL);
			json_object_del(request, field->name);
			assert_int_equal(verb_check(row, request, error, sizeof(error)), field->required ? -EINVAL : 0);
			json_object_set_new(request, field->name, value_for(field, 0));
		}
		json_decref(request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_well_formed),
		cmocka_unit_test(test_every_field_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
