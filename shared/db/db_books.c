/* Sets of statements and their counters. Run by the loop. Books never move once made, for jobs point at them. */
#include "shared/db/db_books.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"

const uint32_t db_bucket_us[DB_BUCKETS - 1] = { 100,   250,   500,    1000,   2500,    5000,   10000,
						25000, 50000, 100000, 250000, 1000000, 5000000 };

int db_books_add(struct db_books *books, const struct statement_set *set)
{
	struct db_book *rows;
	char error[256];

	for (size_t i = 0; i < books->count; i++) {
		if (books->sets[i].set == set)
			return 0;
		if (set->owner && strcmp(books->sets[i].set->owner, set->owner) == 0)
			return -EEXIST;
	}
	if (books->count == DB_SETS_MAX)
		return -E2BIG;
	if (statement_set_check(set, error, sizeof(error)) < 0) {
		log_error(NULL, "db.bad_statements", KV_MSG(error));
		return -EINVAL;
	}
	rows = calloc(set->count ? set->count : 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	books->sets[books->count].set = set;
	books->sets[books->count].books = rows;
	books->sets[books->count++].first = books->total;
	books->total += set->count;
	return 0;
}

bool db_books_place(const struct db_books *books, const struct statement *statement, struct db_place *ret_place)
{
	uintptr_t at = (uintptr_t)statement;

	for (size_t i = 0; i < books->count; i++) {
		const struct statement_set *set = books->sets[i].set;
		uintptr_t first = (uintptr_t)set->rows;
		size_t row;

		if (at < first || at >= first + set->count * sizeof(*statement))
			continue;
		row = (at - first) / sizeof(*statement);
		if (statement != &set->rows[row])
			return false;
		ret_place->owner = set->owner;
		ret_place->index = books->sets[i].first + row;
		ret_place->book = &books->sets[i].books[row];
		return true;
	}
	return false;
}

const struct statement *db_books_find(const struct db_books *books, const char *owner, const char *name)
{
	for (size_t i = 0; i < books->count; i++) {
		const struct statement_set *set = books->sets[i].set;

		if (strcmp(set->owner, owner) != 0)
			continue;
		for (size_t row = 0; row < set->count; row++)
			if (strcmp(set->rows[row].name, name) == 0)
				return &set->rows[row];
	}
	return NULL;
}

void db_books_each(const struct db_books *books, db_each_fn fn, void *arg)
{
	for (size_t i = 0; i < books->count; i++)
		for (size_t row = 0; row < books->sets[i].set->count; row++)
			fn(arg, books->sets[i].set->owner, &books->sets[i].set->rows[row],
			   &books->sets[i].books[row].stats);
}

void db_books_finish(struct db_books *books)
{
	for (size_t i = 0; i < books->count; i++)
		free(TAKE(books->sets[i].books));
	books->count = 0;
}

void db_book_done(struct db_book *book, uint64_t took_us)
{
	size_t bucket = 0;

	while (bucket < DB_BUCKETS - 1 && took_us > db_bucket_us[bucket])
		bucket++;
	book->stats.buckets[bucket]++;
	book->stats.done++;
	book->stats.total_us += took_us;
	if (took_us > book->stats.max_us)
		book->stats.max_us = took_us;
}
