module github.com/ccclient/go-ccclient/examples/batchsync

go 1.26.0

require (
	github.com/ccclient/go-ccclient v0.1.0
	github.com/ccclient/go-ccclient/cache/filecache v0.1.0
	github.com/schollz/progressbar/v3 v3.19.1
	golang.org/x/sync v0.25.0
	golang.org/x/term v0.48.0
)

require (
	github.com/go-jose/go-jose/v4 v4.1.8 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace (
	github.com/ccclient/go-ccclient => ../..
	github.com/ccclient/go-ccclient/cache/filecache => ../../cache/filecache
)
