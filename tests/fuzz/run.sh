#!/bin/bash
# Runs each built fuzzer in turn for a while, over its committed corpus; says what each did in one line.
#   tests/fuzz/run.sh <folder of fuzzers> <seconds each>
# New inputs go to a folder of their own, removed at the end; what broke something stays beside the fuzzers.
set -u
programs=$1 seconds=$2 failed=0
scratch=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/shoal-fuzz.XXXXXX")
# Names instead of addresses in a report, where the tool for it is there.
ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-16 llvm-symbolizer-19 llvm-symbolizer | head -1)
export ASAN_SYMBOLIZER_PATH
trap 'rm -rf "$scratch"' EXIT

for program in "$programs"/fuzz_*; do
	[ -x "$program" ] || continue
	name=${program##*/fuzz_}
	mkdir -p "$scratch/$name"
	corpus=tests/fuzz/corpus/$name
	[ -d "$corpus" ] || corpus=
	if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$programs/$name-" "$scratch/$name" $corpus >"$scratch/$name.log" 2>&1 &&
		grep -q '^Done' "$scratch/$name.log"; then
		echo "fuzz $name: $(grep '^Done' "$scratch/$name.log"), $(grep -o 'cov: [0-9]*' "$scratch/$name.log" | tail -1)"
	else
		failed=1
		echo "fuzz $name: FAILED"
		tail -40 "$scratch/$name.log"
	fi
done
exit $failed
