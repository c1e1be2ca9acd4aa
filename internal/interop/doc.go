// Package interop runs package ccclient against authorization servers that
// others wrote, each started on loopback by the tests themselves: oidc-provider
// and oauth2-mock-server (npm), and ory/fosite (Go). README.md says how.
package interop
