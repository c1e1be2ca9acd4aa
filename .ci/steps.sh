# The steps of .ci/run, which sources this. Each is a function that fails with
# its first command that fails.

results=()
failed=0

# step TITLE COMMAND...: takes a step, and notes how it ended.
step() {
	local title=$1 start=$SECONDS status word=ok
	shift
	printf '\n== %s\n' "$title"
	set +e
	(
		set -e
		"$@"
	) 2>&1
	status=$?
	set -e
	if ((status != 0)); then
		word=FAIL failed=1
	fi
	results+=("$(printf '%-4s %4ds  %s' "$word" $((SECONDS - start)) "$title")")
	printf -- '-- %s, %ds\n' "$word" $((SECONDS - start))
}

summary() {
	printf '\n== summary\n'
	printf '%s\n' "${results[@]}"
	printf '%s after %d:%02d\n' "$( ((failed)) && echo FAILED || echo 'all is well')" $((SECONDS / 60)) $((SECONDS % 60))
	exit "$failed"
}

# nested: the directories of the nested modules that have packages.
nested() {
	local mod dir
	git ls-files '*/go.mod' | while read -r mod; do
		dir=${mod%/go.mod}
		if git ls-files "$dir" | grep -q '\.go$'; then echo "$dir"; fi
	done
}

# in_each DIR... -- COMMAND...: the command in each directory, whether or not
# it failed in one before.
in_each() {
	local dirs=() dir bad=0
	while [[ $1 != -- ]]; do
		dirs+=("$1")
		shift
	done
	shift
	for dir in "${dirs[@]}"; do
		(cd "$dir" && "$@") || {
			echo "in $dir: $* failed"
			bad=1
		}
	done
	return "$bad"
}

each() { in_each . $(nested) -- "$@"; }
each_module() { in_each $(git ls-files '*go.mod' | xargs -n1 dirname) -- "$@"; }

machine() {
	go version
	echo "$(uname -srm), $(nproc) processors"
	echo "node $(node --version 2>/dev/null || echo 'is missing'), npm $(npm --version 2>/dev/null || echo 'is missing')"
	python3 --version || echo "python3 is missing"
	git log -1 --format='commit %h, %cs: %s'
}

install() {
	local missing=()
	command -v redis-server >/dev/null || missing+=(redis-server)
	command -v curl >/dev/null || missing+=(curl)
	command -v python3 >/dev/null || missing+=(python3)
	command -v kubectl >/dev/null || missing+=(kubernetes-client)
	command -v promtool >/dev/null || missing+=(prometheus)
	command -v "$(go env CC)" >/dev/null || missing+=(gcc libc6-dev) # for the race detector
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
	if ((${#missing[@]})); then
		local sudo=
		if (($(id -u) != 0)); then sudo=sudo; fi
		$sudo apt-get update -qq
		DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/apt" || {
			cat "$work/apt"
			return 1
		}
	fi
	redis-server --version
	git ls-files '*/setup.sh' | while read -r setup; do
		echo "$setup"
		"./$setup" </dev/null
	done
}

formatted() {
	local ugly
	ugly=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
	if [[ $ugly ]]; then
		echo "gofmt would change:" $ugly
		return 1
	fi
}

build_tools() { GOBIN="$work/bin" go -C internal/tools install tool; }

# Without its database govulncheck can say nothing.
vulnerabilities() {
	if command -v curl >/dev/null && ! curl -fsS -m 10 -o /dev/null https://vuln.go.dev/index/modules.json.gz; then
		echo "skipped: the database of vulnerabilities cannot be reached"
		return
	fi
	each "$work/bin/govulncheck" ./...
}

# Tests, too, have to compile elsewhere: the core's, and those of the store that talks to the operating system.
cross() {
	local os
	for os in darwin windows; do
		echo "$os"
		GOOS=$os in_each . cache/filecache -- go vet ./...
	done
}

other_examples() {
	local dir
	for dir in examples/*/; do
		dir=${dir%/}
		case $dir in
		examples/quickstart) continue ;;
		esac
		echo "- $dir"
		if [[ -f $dir/go.mod ]]; then go -C "$dir" run .; else go run "./$dir"; fi
	done
}

# no_skips COMMAND...: runs tests; one that is skipped is a failure here, where everything that tests need is installed.
# What tests print is shown, their names are not.
no_skips() {
	local log="$work/tests" status=0
	GOFLAGS="$GOFLAGS -v" "$@" >"$log" 2>&1 || status=$?
	grep -vE '^ *(=== |--- PASS|PASS$)' "$log" || true
	if grep -qE '^ *--- SKIP' "$log"; then
		echo "a test was skipped"
		return 1
	fi
	return "$status"
}

nested_tests() {
	local race=-race
	case $1 in internal/* | examples/*) race= ;; esac # not what users import
	no_skips go -C "$1" test $race -shuffle=on ./...
}

clean() { git status --porcelain | diff "$work/before" -; }
