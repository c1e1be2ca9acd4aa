// Package session has the recipes for protocols that look at the token when a connection is made, or once in a while.
// Each is a function to be copied; docs/recipes.md says what each is for.
package session
