package redact

import (
	"slices"
	"strings"
	"sync"
)

// A Recent remembers what was secret in the last exchanges of a client. The zero Recent is ready for use.
type Recent struct {
	mu      sync.Mutex // guards what follows, each the latest few of its kind
	secrets []func() string
	proofs  []func() string // assertions, each of them used once
	tokens  []func() string
}

// How many are remembered: rotations are rare, and of the others it is the last that matters.
const (
	recentSecrets = 8
	recentProofs  = 4
	recentTokens  = 8
)

// Secrets remembers all; those among assertions are used once.
func (r *Recent) Secrets(all, assertions []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range all {
		if slices.Contains(assertions, s) {
			remember(&r.proofs, recentProofs, s)
		} else {
			remember(&r.secrets, recentSecrets, s)
		}
	}
}

// Token remembers an access token.
func (r *Recent) Token(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	remember(&r.tokens, recentTokens, token)
}

// remember makes s the latest of list, which has most at most.
func remember(list *[]func() string, most int, s string) {
	const longest = 64 << 10
	if len(s) < MinRun || len(s) > longest {
		return
	}
	if i := slices.IndexFunc(*list, func(known func() string) bool { return known() == s }); i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	} else if len(*list) == most {
		*list = slices.Delete(*list, 0, 1)
	}
	*list = append(*list, func() string { return s })
}

// All returns all that is remembered.
func (r *Recent) All() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range [][]func() string{r.secrets, r.proofs, r.tokens} {
		for _, s := range list {
			all = append(all, s())
		}
	}
	return all
}

// SecretValues returns the values of parameters that are likely to be secret, going by their names.
func SecretValues(m map[string][]string) (all []string) {
	for name, values := range m {
		if SecretName(name) {
			all = append(all, values...)
		}
	}
	return all
}

// What names of parameters and fields that hold secrets have in them, and what they end with.
var (
	secretParts = []string{"secret", "passw", "passphrase", "pwd", "token", "assertion", "key", "code", "credential",
		"signature", "cookie", "jwt", "saml"}
	secretEnds = []string{"authorization", "pin", "pass", "sig", "otp", "session", "session_id", "ticket"}
)

// SecretName reports whether a parameter of this name is likely to hold a secret.
func SecretName(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "_type") || strings.HasSuffix(name, "_format") {
		return false
	}
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) }) ||
		slices.ContainsFunc(secretEnds, func(end string) bool { return strings.HasSuffix(name, end) })
}
