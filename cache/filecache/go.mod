module github.com/ccclient/go-ccclient/cache/filecache

go 1.26.0

require (
	github.com/ccclient/go-ccclient v0.1.0
	github.com/gofrs/flock v0.13.1
)

require (
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/ccclient/go-ccclient => ../..
