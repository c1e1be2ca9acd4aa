package ccclient

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// FromOAuth2 returns the Config for what a program has configured for golang.org/x/oauth2/clientcredentials. It is to
// be completed, and [New] says what is wrong with it. AuthStyleAutoDetect becomes [ClientSecretBasic], which every
// server must support and x/oauth2 tries first: no method is probed, and the error of a server that refuses it says so.
// Its secret is the one that c holds now. Nil is the zero Config.
func FromOAuth2(c *clientcredentials.Config) Config {
	if c == nil {
		return Config{}
	}
	cfg := Config{
		TokenURL:       c.TokenURL,
		ClientID:       c.ClientID,
		Scopes:         strings.Fields(strings.Join(c.Scopes, " ")),
		EndpointParams: maps.Clone(c.EndpointParams),
	}
	for name, values := range cfg.EndpointParams {
		cfg.EndpointParams[name] = slices.Clone(values)
	}
	switch secret := SecretString(c.ClientSecret); c.AuthStyle {
	case oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader:
		cfg.Auth = ClientSecretBasic(secret)
	case oauth2.AuthStyleInParams:
		cfg.Auth = ClientSecretPost(secret)
	}
	return cfg
}
