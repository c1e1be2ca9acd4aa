// Package cache keeps tokens fresh. It knows nothing of HTTP.
package cache
