#!/usr/bin/env bash
# Releases the core and the library modules nested in it, all with the same version; see docs/releasing.md.
#
#   bash .ci/release.sh VERSION        says what it would do
#   bash .ci/release.sh -y VERSION     does it: one commit and the tags, here; pushing them stays with you
set -euo pipefail
cd "$(dirname "$0")/.."

for_real=
if [[ ${1:-} == -y ]]; then
	for_real=yes
	shift
fi
version=${1:-}
stop() {
	echo "$*" >&2
	exit 1
}
[[ $version =~ ^v[01]\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || stop "usage: bash .ci/release.sh [-y] VERSION, as in v0.2.0"
heading="## ${version#v} - "
grep -q "^${heading}unreleased\$" CHANGELOG.md || stop "CHANGELOG.md has no section '${heading}unreleased'"
if [[ $for_real ]]; then
	[[ $(git branch --show-current) == main ]] || stop "releases are made from main"
	[[ -z $(git status --porcelain) ]] || stop "commit or remove first what git status lists"
fi

core=$(go list -m)
all=$(git ls-files '*/go.mod')
tags=("$version")
# What is in internal and examples is for work in the tree; every other module is a library.
for mod in $(grep -vE '^(internal|examples)/' <<<"$all"); do tags+=("${mod%/go.mod}/$version"); done
for tag in "${tags[@]}"; do
	if git rev-parse -q --verify "refs/tags/$tag" >/dev/null; then stop "there is a tag $tag"; fi
done

run() {
	echo "+ $*"
	if [[ $for_real ]]; then "$@"; fi
}
# The lines of go.mod that require a module of this repository. With a replace beside it, go builds a version before
# it is tagged, and so one commit is enough for all modules.
run perl -pi -e "s{^((?:require )?\s*\Q$core\E\S* )v\S+}{\${1}$version}" $all
run perl -pi -e "s{^\Q$heading\Eunreleased\$}{$heading$(date -u +%F)}" CHANGELOG.md
run git commit -q -a -m "all: release $version"
for tag in "${tags[@]}"; do run git tag -a -m "$tag" "$tag"; done

echo "Then, all at once, so that nobody sees a part of it:"
echo "  git push --atomic origin main ${tags[*]}"
