// Package rpc has the recipes for remote procedure calls and for what is exported by them. Each is a function to be
// copied; docs/recipes.md says what each is for.
package rpc
