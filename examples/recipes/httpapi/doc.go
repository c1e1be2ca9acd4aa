// Package httpapi has the recipes for programs that call an API by HTTP. Each is a function to be copied;
// docs/recipes.md says what each is for.
package httpapi
