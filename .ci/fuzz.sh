#!/usr/bin/env bash
# Fuzzes every target of every module: as many at a time as there are processors, with one worker each.
#
#   bash .ci/fuzz.sh [TIME]        how long each target runs (20s)
#
# An input that fails is kept in the package's testdata/fuzz, where go test runs it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${1:-20s}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export fuzztime logs

# fuzz DIR TARGET: looks for inputs that fail, and spends little on making those that are merely new as short as can be.
fuzz() {
	local log="$logs/$2.${1//\//_}"
	if go -C "$1" test -run '^$' -fuzz "^$2\$" -fuzztime "$fuzztime" -fuzzminimizetime 1s -parallel 1 . >"$log" 2>&1; then
		printf 'ok    %-24s %-24s %s\n' "$1" "$2" "$(grep -o 'execs: [0-9]*' "$log" | tail -n 1)"
	elif grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input' "$log"; then
		# The fuzzer's own race at the end of its time: golang/go#75804.
		printf 'ok    %-24s %-24s stopped late\n' "$1" "$2"
	else
		printf 'FAIL  %-24s %s\n' "$1" "$2"
		cat "$log"
		git ls-files --others --exclude-standard "$1/testdata/fuzz" | xargs -r tail -n +1
		return 1
	fi
}
export -f fuzz

targets=$(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed -E 's|/[^/]*:func | |')
echo "$(wc -l <<<"$targets") targets"
xargs -L 1 -P "$(getconf _NPROCESSORS_ONLN)" bash -c 'fuzz "$@"' fuzz <<<"$targets"
