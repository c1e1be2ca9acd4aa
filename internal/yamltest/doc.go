// Package yamltest has only tests: of ccclient.Settings with a YAML library, which the core must not need.
package yamltest
