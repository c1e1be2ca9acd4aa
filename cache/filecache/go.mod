module github.com/ccclient/go-ccclient/cache/filecache

go 1.26.0

require (
	github.com/ccclient/go-ccclient v0.1.0
	golang.org/x/sys v0.47.0
)

require golang.org/x/oauth2 v0.37.0 // indirect

replace github.com/ccclient/go-ccclient => ../..
