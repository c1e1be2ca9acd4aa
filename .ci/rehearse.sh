#!/usr/bin/env bash
# Rehearses a release of what is committed: tags it in a clone, makes a file-based module proxy of the tags, and uses
# each module from there as a stranger does, in an empty module, without a replace.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v0.99.0
core=$(go list -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOWORK=off

echo "== $version, in a clone"
export GIT_AUTHOR_NAME=rehearsal GIT_AUTHOR_EMAIL=rehearsal@example.com
export GIT_COMMITTER_NAME=rehearsal GIT_COMMITTER_EMAIL=rehearsal@example.com
git clone -q --no-tags . "$work/clone"
git -C "$work/clone" checkout -q -B main
echo "## ${version#v} - unreleased" >>"$work/clone/CHANGELOG.md"
git -C "$work/clone" commit -q -a -m "a section for the rehearsal"
bash "$work/clone/.ci/release.sh" -y "$version"
modules=$(go -C internal/tools run ./modproxy "$work/clone" "$core" "$version" "$work/proxy")

# A module cache of its own: in the machine's, what is rehearsed today would be found tomorrow under the same version.
# Other modules come from what the machine has in its cache, or else from its own GOPROXY. No checksum database knows ours.
export GOPROXY="file://$work/proxy,file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)"
export GONOSUMDB="$core,$(go env GONOSUMDB)" GOMODCACHE="$work/modcache" GOFLAGS=-modcacherw

for module in $modules; do
	echo "== go get $module@$version"
	mkdir "$work/empty"
	cd "$work/empty"
	go mod init example.com/empty 2>/dev/null
	go get "$module@$version"
	# A program that imports all of it.
	{
		echo "package main"
		go list -find -f '{{if ne .Name "main"}}import _ "{{.ImportPath}}"{{end}}' "$module/..." | grep -vE '/internal[/"]'
		echo "func main() {}"
	} >main.go
	go get .
	go build -o "$work/program" .
	go list -m all | grep "^$core"
	if go list -m all | grep "^$core" | grep -v " $version\$"; then
		echo "that is not $version"
		exit 1
	fi
	cd /
	rm -rf "$work/empty"
done

echo "== go run $core/examples/quickstart@$version"
go run "$core/examples/quickstart@$version"
