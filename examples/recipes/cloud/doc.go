// Package cloud has the recipes for the SDKs of clouds. Each is a function or a type to be copied; docs/recipes.md says
// what each is for.
package cloud
