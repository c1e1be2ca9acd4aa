package ccclient

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// tenant is an Auth of a user's own that says what tells its tokens apart.
type tenant struct {
	AuthFunc
	name string
}

func (t tenant) Identity() string { return t.name }

func TestMethodsCarryTheirOwnFacts(t *testing.T) {
	key := parsed(t, "p256.sec1.pem")
	s := SecretString(strings.Repeat("s", 64))
	keys := func(context.Context) (Key, error) { return Key{Signer: key}, nil }
	assertion := strings.Join(assertionParameters, " ")
	both := []string{"tls_client_auth", "self_signed_tls_client_auth"}
	for _, tc := range []struct {
		auth       Auth
		name       string
		listed     []string
		parameters string
		identity   []string
	}{
		{ClientSecretBasic(s), "client_secret_basic", []string{"client_secret_basic"}, "", []string{"client_secret_basic"}},
		{ClientSecretBasicUnencoded(s), "client_secret_basic_unencoded", []string{"client_secret_basic"}, "",
			[]string{"client_secret_basic_unencoded"}},
		{ClientSecretPost(s), "client_secret_post", []string{"client_secret_post"}, "client_id client_secret",
			[]string{"client_secret_post"}},
		{ClientSecretJWT(s, AssertionOptions{KeyID: "k1"}), "client_secret_jwt", []string{"client_secret_jwt"},
			assertion,
			[]string{"client_secret_jwt", "", "k1", ""}},
		{PrivateKeyJWT(key, AssertionOptions{KeyID: "k1"}), "private_key_jwt", []string{"private_key_jwt"}, assertion,
			[]string{"private_key_jwt", "", "k1", ""}},
		{PrivateKeyJWT(key, AssertionOptions{Algorithm: "ES256"}), "private_key_jwt", []string{"private_key_jwt"},
			assertion, []string{"private_key_jwt", "ES256", "", ""}},
		{PrivateKeyJWTFrom(keys, AssertionOptions{}), "private_key_jwt", []string{"private_key_jwt"}, assertion,
			[]string{"private_key_jwt", "", "", ""}},
		{ClientAssertion(s), "private_key_jwt", []string{"private_key_jwt"}, assertion, []string{"private_key_jwt"}},
		{SPIFFEAssertion(s), "spiffe_jwt", nil, assertion, []string{"spiffe_jwt"}},
		{TLSClientAuth(), "tls_client_auth", both, "client_id", []string{"tls_client_auth"}},
	} {
		f := factsOf(tc.auth)
		if f.name != tc.name || !slices.Equal(f.listed, tc.listed) ||
			strings.Join(f.parameters, " ") != tc.parameters ||
			f.fault != nil || f.remedy == "" {
			t.Errorf("%s: %+v", tc.name, f)
		}
		if identity, err := identityOf(tc.auth); err != nil || !slices.Equal(identity, tc.identity) {
			t.Errorf("%s: identity %q, %v; want %q", tc.name, identity, err, tc.identity)
		}
		if f.certificate != (tc.name == "tls_client_auth") {
			t.Errorf("%s: certificate %v", tc.name, f.certificate)
		}
	}
}

func TestForeignAuthIsIdentifiedByWhatItSaysAlone(t *testing.T) {
	prove := AuthFunc(func(context.Context, Request) (Credentials, error) { return Credentials{}, nil })
	if identity, err := identityOf(prove); err != nil || len(identity) != 0 {
		t.Errorf("an AuthFunc: %q, %v", identity, err)
	}
	identity, err := identityOf(tenant{prove, "client_secret_basic"})
	if err != nil || slices.Equal(identity, []string{"client_secret_basic"}) ||
		!slices.Contains(identity, "client_secret_basic") {
		t.Errorf("with an identity: %q, %v", identity, err)
	}
	for _, auth := range []Auth{nil, prove, tenant{prove, "a"}} {
		if f := factsOf(auth); f.name == "" || f.certificate || len(f.listed) > 0 || f.fault != nil ||
			!slices.Contains(f.parameters, "client_secret") {
			t.Errorf("%T: %+v", auth, f)
		}
	}
	if factsOf(AuthFunc(nil)).fault == nil || factsOf(PrivateKeyJWT(nil, AssertionOptions{})).fault == nil {
		t.Error("New would not hear of the fault")
	}
}

func TestErrorOfAMethodKnowsWhenItsCauseHasGone(t *testing.T) {
	sealed := errors.New("the vault is sealed")
	fault := sealed
	secret := func(context.Context) (string, error) { return "secret", fault }
	_, err := ClientSecretPost(secret).Authenticate(t.Context(), Request{ClientID: "client"})
	u, ok := errors.AsType[*unproven](err)
	if !ok || !errors.Is(err, sealed) || u.Outdated(t.Context()) {
		t.Fatalf("%v, outdated while the vault is sealed", err)
	}
	fault = nil
	if !u.Outdated(t.Context()) {
		t.Error("not outdated after it was opened")
	}
	// What was had and did not fit is outdated by another alone.
	short := "short"
	_, err = ClientSecretJWT(func(context.Context) (string, error) { return short, nil },
		AssertionOptions{}).Authenticate(t.Context(), Request{})
	if u, ok = errors.AsType[*unproven](err); !ok || u.Outdated(t.Context()) {
		t.Errorf("%v, outdated though nothing changed", err)
	}
	short = strings.Repeat("long", 8)
	if !u.Outdated(t.Context()) {
		t.Error("not outdated by a longer secret")
	}
}
