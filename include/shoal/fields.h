/* SPDX-License-Identifier: MIT */
/* How the structs of events are declared: one list of rows is both the C struct and the table that reads it from JSON,
 * so a member that is never filled can't exist. A row is F(T, KIND, member, argument); the member's name is the JSON
 * key (a trailing underscore is dropped, and a leading one before a digit: `default_` is "default", `_0` is "0").
 *
 * Every struct begins with two sets of bits, one bit a member:
 *	x->has.member	the key was there with a value of the right type, and the member holds it
 *	x->null.member	the key was there with null
 * Neither: the key was absent (or its value had a wrong type, which is counted and else treated like absence).
 * A member without its `has` bit is zero: NULL, 0, false, empty.
 *
 * KIND	   C type				JSON accepted
 * ID	   uint64_t				snowflake, as text or as integer
 * U32 I32 U64 I64				integer in range
 * DOUBLE  double				number
 * BOOL	   bool
 * MARK	   bool					null or true mean true, absent means false (role tags)
 * STR	   struct shoal_str			text, escapes already resolved
 * TEXT	   struct shoal_str			text, or a number taken as its digits (nonce)
 * TIME	   int64_t				ISO 8601 to Unix milliseconds
 * PERMS   struct shoal_perms			decimal text (or integer) of any length
 * VALUE   struct shoal_value			any
 * RAW	   struct shoal_str			any, left as JSON
 * OBJ	   struct argument			object, by value: always there in what Discord documents
 * PTR	   const struct argument *		object, NULL when not there
 * IDS U32S I64S STRS	struct shoal_ids …	array of ID, U32, I64, STR
 * LIST	   { const struct argument *items; uint32_t count; }	array of objects
 * MAP	   { const uint64_t *keys; const struct argument *items; uint32_t count; }	object keyed by snowflake
 *
 * Everything is borrowed: it lives as long as the event that was handed to you, and not longer. Copy what you keep. */
#ifndef SHOAL_FIELDS_H
#define SHOAL_FIELDS_H

#include <shoal/str.h>

/* A set of permission bits. @over: the number had bits above 63, and @bits are its lowest 64. */
struct shoal_perms {
	uint64_t bits;
	bool over;
};

enum shoal_value_kind {
	SHOAL_VALUE_NONE, /* key absent */
	SHOAL_VALUE_NULL,
	SHOAL_VALUE_BOOL,
	SHOAL_VALUE_INT, /* written without fraction and exponent and fits; @number holds it too */
	SHOAL_VALUE_NUMBER,
	SHOAL_VALUE_STR,
	SHOAL_VALUE_JSON, /* object or array, in @text as JSON */
};

/* A value of a type that only the content tells: command options, modal inputs. */
struct shoal_value {
	enum shoal_value_kind kind;
	bool boolean;
	int64_t integer;
	double number;
	struct shoal_str text;
};

struct shoal_ids {
	const uint64_t *items;
	uint32_t count;
};
struct shoal_u32s {
	const uint32_t *items;
	uint32_t count;
};
struct shoal_i64s {
	const int64_t *items;
	uint32_t count;
};
struct shoal_strs {
	const struct shoal_str *items;
	uint32_t count;
};

/* clang-format off */
#define SHOAL_MEMBER_ID(name, arg)	uint64_t name;
#define SHOAL_MEMBER_U32(name, arg)	uint32_t name;
#define SHOAL_MEMBER_I32(name, arg)	int32_t name;
#define SHOAL_MEMBER_U64(name, arg)	uint64_t name;
#define SHOAL_MEMBER_I64(name, arg)	int64_t name;
#define SHOAL_MEMBER_DOUBLE(name, arg)	double name;
#define SHOAL_MEMBER_BOOL(name, arg)	bool name;
#define SHOAL_MEMBER_MARK(name, arg)	bool name;
#define SHOAL_MEMBER_STR(name, arg)	struct shoal_str name;
#define SHOAL_MEMBER_TEXT(name, arg)	struct shoal_str name;
#define SHOAL_MEMBER_TIME(name, arg)	int64_t name;
#define SHOAL_MEMBER_PERMS(name, arg)	struct shoal_perms name;
#define SHOAL_MEMBER_VALUE(name, arg)	struct shoal_value name;
#define SHOAL_MEMBER_RAW(name, arg)	struct shoal_str name;
#define SHOAL_MEMBER_OBJ(name, arg)	struct arg name;
#define SHOAL_MEMBER_PTR(name, arg)	const struct arg *name;
#define SHOAL_MEMBER_IDS(name, arg)	struct shoal_ids name;
#define SHOAL_MEMBER_U32S(name, arg)	struct shoal_u32s name;
#define SHOAL_MEMBER_I64S(name, arg)	struct shoal_i64s name;
#define SHOAL_MEMBER_STRS(name, arg)	struct shoal_strs name;
#define SHOAL_MEMBER_LIST(name, arg)	struct { const struct arg *items; uint32_t count; } name;
#define SHOAL_MEMBER_MAP(name, arg)	struct { const uint64_t *keys; const struct arg *items; uint32_t count; } name;

#define SHOAL_MEMBER(T, kind, name, arg) SHOAL_MEMBER_##kind(name, arg)
#define SHOAL_BIT(T, kind, name, arg)	 uint64_t name : 1;

/* Declares struct @tag from the list @fields, and struct @tag_has for its bits. */
#define SHOAL_STRUCT(tag, fields)				\
	struct tag##_has { fields(SHOAL_BIT, tag) };		\
	struct tag {						\
		struct tag##_has has;				\
		struct tag##_has null;				\
		fields(SHOAL_MEMBER, tag)			\
	}
/* clang-format on */

#endif
