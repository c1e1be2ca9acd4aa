// Package interop runs package ccclient against authorization servers that
// others wrote, each started on loopback by the tests themselves: oidc-provider,
// oauth2-mock-server and node-oauth2-server (npm), Authlib and
// django-oauth-toolkit (PyPI), and ory/fosite (Go). README.md says how.
package interop
