#!/bin/bash
# What `make lint` holds besides the compilers: format, the house's include rules, self-contained headers, cppcheck.
# Runs from the top of the tree, over what git knows (a tarball: over what lies there). Every finding is one line; the exit
# status says whether there was one.
set -u
cd "$(dirname "$0")/.." || exit 2
findings=0

say() {
	echo "lint: $*"
	findings=$((findings + 1))
}

files() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -- "$@"
	else
		find . -path ./build -prune -o -type f -printf '%P\n' | grep -E "$(printf '%s$|' "$@" | sed 's/\./\\./g; s/\*/.*/g; s/|$//')"
	fi
}

# --- format --------------------------------------------------------------------------------------------------------
check_format() {
	command -v clang-format >/dev/null || { say "clang-format is not installed: make deps"; return; }
	while read -r file; do
		clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || say "$file: clang-format -i $file"
	done < <(files '*.c' '*.h')
}

# --- includes ------------------------------------------------------------------------------------------------------
# Rooms of shard/ in the order in which they may use each other.
ROOMS=(gateway cache events schedule commands modhost)
LIBC='assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
	stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype'

room_of() { # the room's rank, or nothing
	for i in "${!ROOMS[@]}"; do
		[ "${ROOMS[$i]}" = "$1" ] && echo "$i"
	done
}

# May $1 (a file) include $2 (a path with its folder)?
may_include() {
	local file=$1 what=$2 mine theirs

	case $file in
	include/*)
		[[ $what == shoal/* ]] && return 0
		[[ " $(echo $LIBC) " == *" ${what%.h} "* ]]
		return ;;
	shared/*)
		[[ $what != shard/* && $what != supervisor/* && $what != tests/* ]]
		return ;;
	shard/modules/*)
		# Its own folder, the contract, libc.
		[[ $what == shoal/* || $what == "$(dirname "$file")"/* ]] && return 0
		[[ $file == */test_*.c && $what == cmocka.h ]] && return 0
		[[ " $(echo $LIBC) " == *" ${what%.h} "* ]]
		return ;;
	shard/*)
		[[ $what == supervisor/* || $what == tests/* ]] && return 1
		[[ $what == shard/modules/* ]] && return 1
		mine=$(room_of "$(cut -d/ -f2 <<<"$file")")
		[[ $what == shard/* && -n $mine ]] || return 0
		# A room may not reach into shard/ itself, where the rooms are put together.
		theirs=$(room_of "$(cut -d/ -f2 <<<"$what")")
		[[ -n $theirs && $theirs -le $mine ]]
		return ;;
	supervisor/ctl/*)
		[[ $what != shard/* && $what != tests/* && ( $what != supervisor/* || $what == supervisor/ctl/* ) ]]
		return ;;
	supervisor/*)
		[[ $what != shard/* && $what != tests/* && $what != supervisor/ctl/* ]]
		return ;;
	tests/sim/*)
		# Apart from all of shoal: what it judges may not judge itself.
		[[ $what == tests/sim/* || ( $what != shard/* && $what != shared/* && $what != supervisor/* && $what != shoal/* && $what != tests/* ) ]]
		return ;;
	esac
	return 0
}

check_includes() {
	local file line what
	while IFS=: read -r file line what; do
		may_include "$file" "$what" || say "$file:$line: may not include $what"
		[[ $what == *../* ]] && say "$file:$line: includes are written from the top: $what"
	done < <(files '*.c' '*.h' | xargs grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null |
		sed -E 's/^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]+)[>"].*/\1:\2:\3/')
}

# Each header alone must compile: no header leans on what happened to stand before it.
check_headers() {
	local file
	while read -r file; do
		[[ $file == tests/* && $file != tests/sim/* ]] && continue
		${CC:-cc} -D_GNU_SOURCE -DSHOAL_VERSION='""' -Iinclude -I. -std=gnu11 -fsyntax-only -Wall -Wextra -x c \
			-include "$file" /dev/null 2>/dev/null || say "$file: does not compile by itself"
	done < <(files '*.h')
}

# The rules themselves: a table of what they must say, so that a slip in them is seen.
check_rules() {
	local file what want got
	while read -r file what want; do
		may_include "$file" "$what" && got=yes || got=no
		[ "$got" = "$want" ] || say "tests/lint.sh: $file may include $what: $got instead of $want"
	done <<-'END'
		include/shoal/event.h shoal/snowflake.h yes
		include/shoal/event.h stdint.h yes
		include/shoal/event.h jansson.h no
		include/shoal/event.h shared/base/buf.h no
		shared/board/board.c shared/base/clock.h yes
		shared/board/board.c shoal/event.h yes
		shared/board/board.c uv.h yes
		shared/board/board.c shard/worker.h no
		shared/board/board.c supervisor/slot.h no
		shard/main.c shard/worker.h yes
		shard/worker.c shard/gateway/session.h yes
		shard/worker.c supervisor/slot.h no
		shard/gateway/session.c shared/loop/loop.h yes
		shard/gateway/session.c shard/gateway/frame.h yes
		shard/gateway/session.c shard/cache/guilds.h no
		shard/gateway/session.c shard/worker.h no
		shard/cache/guilds.c shard/gateway/reader.h yes
		shard/events/dispatch.c shard/commands/registry.h no
		shard/commands/registry.c shard/events/dispatch.h yes
		shard/modhost/host.c shard/commands/registry.h yes
		shard/modules/x/x.c shoal/module.h yes
		shard/modules/x/x.c shard/modules/x/y.h yes
		shard/modules/x/x.c shard/modules/z/y.h no
		shard/modules/x/x.c shared/log/log.h no
		shard/modules/x/x.c uv.h no
		shard/modules/x/x.c cmocka.h no
		shard/modules/x/test_x.c cmocka.h yes
		supervisor/slot.c shared/board/board.h yes
		supervisor/slot.c shard/worker.h no
		supervisor/slot.c supervisor/ctl/common.h no
		supervisor/ctl/main.c shared/control/control.h yes
		supervisor/ctl/main.c supervisor/ctl/common.h yes
		supervisor/ctl/main.c supervisor/slot.h no
		tests/sim/main.c tests/sim/rest.h yes
		tests/sim/main.c jansson.h yes
		tests/sim/main.c shared/base/buf.h no
		tests/sim/main.c shard/gateway/frame.h no
		tests/unit/test_x.c shard/gateway/frame.h yes
	END
}

# --- words ---------------------------------------------------------------------------------------------------------
check_words() {
	local hit
	while read -r hit; do
		say "$hit"
	done < <(files '*.c' '*.h' '*.py' '*.sh' '*.sql' '*.js' '*.html' '*.css' Makefile '*.md' |
		grep -v '^tests/lint\.sh$' | xargs grep -nE '\b(TODO|FIXME|HACK)\b|(^|[^[:alnum:]_./-])/(work|root)/' /dev/null |
		cut -c1-160)
}

# --- cppcheck ------------------------------------------------------------------------------------------------------
# Loops of libraries whose headers it does not read, as a header for it alone.
write_loops() {
	cat <<-'END'
		#define json_array_foreach(a, i, v) for ((i) = 0; ((v) = json_array_get((a), (i))) != 0; (i)++)
		#define json_object_foreach(o, k, v) \
			for ((k) = first_key(o); ((v) = json_object_get((o), (k))) != 0; (k) = next_key((o), (k)))
		#define json_object_foreach_safe(o, n, k, v) json_object_foreach(o, k, v)
		#define HASH_ITER(hh, h, e, t) for ((e) = (h), (t) = next_of(e); (e) != 0; (e) = (t), (t) = next_of(e))
		#define DL_FOREACH(h, e) for ((e) = (h); (e) != 0; (e) = (e)->next)
		#define LL_FOREACH(h, e) for ((e) = (h); (e) != 0; (e) = (e)->next)
		#define DL_FOREACH_SAFE(h, e, t) for ((e) = (h); (e) != 0 && ((t) = (e)->next, 1); (e) = (t))
	END
}

# What it can't know: the cleanup attribute frees (leaks are LeakSanitizer's to find), NULL ends an argument list on every
# system that we build for, and two of its own troubles with valid C.
SUPPRESSED=(missingInclude memleak resourceLeak varFuncNullUB nullPointerRedundantCheck ctunullpointer internalAstError)
check_cppcheck() {
	local hit
	command -v cppcheck >/dev/null || { say "cppcheck is not installed: make deps"; return; }
	mkdir -p build/cppcheck
	write_loops >build/cppcheck/loops.h
	while read -r hit; do
		say "$hit"
	done < <(nice cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=0 -j2 \
		--cppcheck-build-dir=build/cppcheck --max-configs=1 -D_GNU_SOURCE -DSHOAL_VERSION='""' -Iinclude -I. \
		--include=build/cppcheck/loops.h "${SUPPRESSED[@]/#/--suppress=}" \
		--template='{file}:{line}: {id}: {message}' shared shard supervisor tests/sim 2>&1)
}

for check in ${*:-format rules includes headers words cppcheck}; do
	"check_$check"
done
if [ $findings -gt 0 ]; then
	echo "lint: $findings findings"
	exit 1
fi
