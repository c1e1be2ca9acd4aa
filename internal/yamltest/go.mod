module github.com/ccclient/go-ccclient/internal/yamltest

go 1.26.0

require (
	github.com/ccclient/go-ccclient v0.1.0
	gopkg.in/yaml.v3 v3.0.1
)

require (
	github.com/go-jose/go-jose/v4 v4.1.8 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
)

replace github.com/ccclient/go-ccclient => ../..
