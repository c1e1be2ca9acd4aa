#!/usr/bin/env bash
# Runs gosec over all modules. Here is the one place where its findings are answered; comments in the code are not.
#
#   bash .ci/gosec.sh [GOSEC]        the program, if not the one of internal/tools
set -euo pipefail
cd "$(dirname "$0")/.."
gosec=${1:-go tool -modfile=internal/tools/go.mod gosec}

everywhere=(
	G104 # Errors unhandled: what is dropped is that of Close, of draining a body, and of unlocking; nobody could act on it.
	G115 # Integer overflow: it sees conversions, not the bounds before them.
)
# PATH:RULE,... from the root on
places=(
	# Weak random numbers spread refreshes over time. Where numbers must not be guessed (ccclient, transport) the rule holds.
	'cache/.*:G404'
	'internal/(backoff|bench)/.*:G404'
	# A nonce that is "hardcoded": it is nil, for cipher.NewGCMWithRandomNonce, which makes one itself.
	'cache/seal\.go:G407'
	# A record of the cache holds a token: that is what a Store is for, and Seal encrypts it.
	'cache/record\.go:G117'
	# SecretFile and the like read the file that the configuration names.
	'ccclient/.*:G304'
	'internal/certfile/.*:G304'
	# They start redis-server and copies of themselves, write what their flags name, and call the servers that they started.
	'cache/rediscache/redistest/.*:G204,G304'
	'examples/.*:G204,G304,G704'
	# A page's own style, from a file that is built in.
	'ccclient/ccstatus/page\.go:G203'
	'internal/bench/.*:G101,G304,G306'
	# A tool for those who work on the tree: it runs git, and writes where it is told to.
	'internal/tools/.*:G204,G301,G304,G306,G702,G703'
)
join() {
	local IFS=$1
	shift
	echo "$*"
}
$gosec -quiet -color=false -nosec -exclude "$(join , "${everywhere[@]}")" -exclude-rules "$(join ';' "${places[@]/#/^$PWD/}")" ./...
