/* SPDX-License-Identifier: MIT */
/* What a worker inherits: what is listed, and nothing that we never heard of. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/surroundings.h"
#include "tests/unit/unit.h"

extern char **environ;

static const char *find(char **env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static void test_worker_env(void **state)
{
	char **env;

	(void)state;
	clearenv();
	setenv("PATH", "/usr/bin", 1);
	setenv("SSL_CERT_FILE", "/ca.pem", 1);
	setenv("DISCORD_TOKEN", "secret", 1);
	setenv("DATABASE_URL", "secret", 1);
	setenv("SOME_PASSWORD", "secret", 1);
	setenv("PATHS", "not PATH", 1);
	setenv("UV_THREADPOOL_SIZE", "64", 1);
	env = surroundings_worker_env();
	assert_non_null(env);
	assert_string_equal(find(env, "PATH"), "/usr/bin");
	assert_string_equal(find(env, "SSL_CERT_FILE"), "/ca.pem");
	assert_string_equal(find(env, "GNUTLS_NO_IMPLICIT_INIT"), "1");
	assert_string_equal(find(env, "UV_THREADPOOL_SIZE"), "2");
	for (char **entry = env; *entry; entry++)
		assert_null(strstr(*entry, "secret"));
	assert_null(find(env, "PATHS"));
	surroundings_free_env(env);
}

/* An environment may name a thing many times; the list has room for each once. */
static void test_no_overflow(void **state)
{
	char *many[200], **before = environ, **env;
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(many) / sizeof(many[0]); i++)
		many[i] = (char *)(uintptr_t) "PATH=/usr/bin";
	many[sizeof(many) / sizeof(many[0]) - 1] = NULL;
	environ = many;
	env = surroundings_worker_env();
	environ = before;
	assert_non_null(env);
	while (env[count])
		count++;
	assert_in_range(count, 3, 100);
	surroundings_free_env(env);
	surroundings_free_env(NULL);
}

static void test_empty(void **state)
{
	char *none[] = { NULL }, **before = environ, **env;

	(void)state;
	environ = none;
	env = surroundings_worker_env();
	environ = NULL;
	assert_non_null(env);
	assert_string_equal(find(env, "GNUTLS_NO_IMPLICIT_INIT"), "1");
	surroundings_free_env(env);
	env = surroundings_worker_env();
	environ = before;
	assert_non_null(env);
	surroundings_free_env(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker_env),
		cmocka_unit_test(test_no_overflow),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
