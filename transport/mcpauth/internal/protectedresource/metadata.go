package protectedresource

import (
	"encoding/json"
	"errors"
)

// Metadata is the part of a resource's metadata that a client-credentials client can use (RFC 9728, section 2). It is
// shared: do not modify it.
type Metadata struct {
	// Resource is the resource's identifier.
	Resource string

	// AuthorizationServers are issuer identifiers, as the resource wrote them; 64 at most.
	AuthorizationServers []string

	// Scopes is scopes_supported; 256 at most, and nil if there is no such list of strings.
	Scopes []string

	// DPoPRequired is dpop_bound_access_tokens_required.
	DPoPRequired bool
}

const (
	maxServers = 64
	maxScopes  = 256
)

// parse reads a document. Of members whose form is wrong only those count that nothing works without.
func parse(data []byte) (*Metadata, error) {
	var members map[string]json.RawMessage // encoding/json takes the names of a struct's fields in any case
	if json.Unmarshal(data, &members) != nil || members == nil {
		return nil, errors.New("not a JSON object")
	}
	var m Metadata
	if json.Unmarshal(members["resource"], &m.Resource) != nil || m.Resource == "" {
		return nil, errors.New("no resource, or one that is not a string")
	}
	servers, ok := list(members["authorization_servers"], maxServers)
	if !ok {
		return nil, errors.New("authorization_servers is not a list of strings")
	}
	m.AuthorizationServers = servers
	m.Scopes, _ = list(members["scopes_supported"], maxScopes)
	if json.Unmarshal(members["dpop_bound_access_tokens_required"], &m.DPoPRequired) != nil {
		m.DPoPRequired = false
	}
	return &m, nil
}

// list reads at most so many of a list of strings. A list that is missing or null is empty.
func list(data json.RawMessage, most int) (texts []string, ok bool) {
	if len(data) == 0 {
		return nil, true
	}
	if json.Unmarshal(data, &texts) != nil {
		return nil, false
	}
	return texts[:min(len(texts), most)], true
}
