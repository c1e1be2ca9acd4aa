// Package environ reads a configuration from environment variables that share a prefix, and finds those that are
// misspelt.
package environ

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ccclient/go-ccclient/internal/faults"
)

// A Reader reads an environment variable by variable. What is asked for is known; anything else with the prefix is a
// fault.
type Reader struct {
	Faults faults.List // in the variables read so far

	prefix string
	values map[string]string // of variables with the prefix, by their whole name
	known  []string          // the names that were asked for
}

// New returns a reader of the variables with prefix in environ, which is like what [os.Environ] returns.
func New(prefix string, environ []string) *Reader {
	r := &Reader{prefix: prefix, values: make(map[string]string)}
	for _, variable := range environ {
		if name, value, ok := strings.Cut(variable, "="); ok && name != "" && strings.HasPrefix(name, prefix) {
			r.values[name] = value
		}
	}
	return r
}

// Name returns the name of the variable for a field.
func (r *Reader) Name(field string) string { return r.prefix + strings.ToUpper(field) }

// value returns a variable as it is; empty if it is not set.
func (r *Reader) value(field string) (name, value string) {
	name = r.Name(field)
	r.known = append(r.known, name)
	return name, r.values[name]
}

// Text returns a variable without the white space around it; empty if it is not set.
func (r *Reader) Text(field string) string {
	_, value := r.value(field)
	return strings.TrimSpace(value)
}

// List returns what a variable holds, by white space; nil if that is nothing.
func (r *Reader) List(field string) []string {
	_, value := r.value(field)
	if list := strings.Fields(value); len(list) > 0 {
		return list
	}
	return nil
}

// Flag returns a variable that is true or false; false if it is not set.
func (r *Reader) Flag(field string) bool {
	name, value := r.value(field)
	value = strings.TrimSpace(value)
	if value == "" {
		return false
	}
	set, err := strconv.ParseBool(value)
	if err != nil {
		r.Faults.Add(name, "neither true nor false: set it to one of the two")
	}
	return set
}

// Form returns a variable that is form-encoded; nil if it is not set. Its faults repeat nothing of it: a parameter may
// be a key to something.
func (r *Reader) Form(field string) url.Values {
	name, value := r.value(field)
	value = strings.TrimSpace(value)
	if value == "" {
		return nil
	}
	const remedy = "it is to be name=value&name=value, with anything special percent-encoded"
	if strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' }) {
		r.Faults.Add(name, "has white space in it: %s", remedy)
		return nil
	}
	for part := range strings.SplitSeq(value, "&") {
		if part != "" && !strings.Contains(part, "=") {
			r.Faults.Add(name, `has a parameter without "=": %s`, remedy)
			return nil
		}
	}
	params, err := url.ParseQuery(value)
	if err != nil { // its text has part of the value
		r.Faults.Add(name, "is not form-encoded: %s", remedy)
		return nil
	}
	return params
}

// Secret returns a variable as it is, less the newline that a secret from a file may end with.
func (r *Reader) Secret(field string) string {
	_, value := r.value(field)
	if rest, ok := strings.CutSuffix(value, "\n"); ok {
		value = strings.TrimSuffix(rest, "\r")
	}
	return value
}

// Unknown adds to the faults the variables that nobody asked for: with a prefix all that have it, without one those
// that look like a known one which is not set.
func (r *Reader) Unknown() {
	var names []string
	for name := range r.values {
		if !slices.Contains(r.known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		nearest, far := r.nearest(name)
		switch {
		case r.prefix != "":
			r.Faults.Add(printable(name), "unknown: the nearest known variable is %s, and every variable with the prefix %s has to "+
				"be known", nearest, printable(r.prefix))
		case far <= 1 && r.values[nearest] == "":
			r.Faults.Add(printable(name), "unknown: rename it to %s, or set that too if this one is for something else", nearest)
		}
	}
}

// nearest returns the known name that is most like name, and how far that is: by what follows the prefix, in capitals
// and without underscores.
func (r *Reader) nearest(name string) (nearest string, far int) {
	for _, known := range r.known {
		if d := distance(plain(name[len(r.prefix):]), plain(known[len(r.prefix):])); nearest == "" || d < far {
			nearest, far = known, d
		}
	}
	return nearest, far
}

func plain(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "_", "")) }

// maxCompared bounds the length of the names that are compared, in bytes: no known one is longer.
const maxCompared = 64

// distance returns how many bytes are to be added, left out, replaced or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(last[j]+cost, last[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}

// printable returns a variable's name as it may be shown, which others may have set.
func printable(name string) string {
	if len(name) > maxCompared {
		name = name[:maxCompared] + "…"
	}
	return strings.Trim(strconv.QuoteToASCII(name), `"`)
}
