package ccclient_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A provider stands in, within this process, for an identity provider and for
// an API that takes its tokens. What it gets is checked by cctest; what it
// answers has the shape that the provider documents.
type provider struct {
	tokenURL string              // the one address for token requests
	metadata string              // the one address for metadata, if there are any
	api      string              // the API's addresses begin with this
	client   cctest.Registration // as it is registered, but for what open adds
	keyID    string              // of the client's key, if it has one
	secret   string              // of the client, if it has one
	server   cctest.Options      // but for the client
	success  int                 // the status of a token response; zero: 200

	// demands gives the code of what is wrong with a token request beside
	// what cctest checks: the key of one of refusals; empty: nothing.
	demands  func(h http.Header, form url.Values) string
	refusals map[string]refusal // by the error code that the RFCs have for them

	// rejects is how the API answers to a token that is not good: after the
	// challenge of RFC 6750, or without if bare.
	rejects string
	bare    bool

	// calls is what the API wants with the token; nil: nothing.
	calls func(h http.Header) bool

	header string // of the token; empty: Authorization
}

// A refusal is what a provider answers to a token request, and what becomes of
// it.
type refusal struct {
	status  int
	body    string
	code    ccclient.ErrorCode // of the *Error
	text    string             // its Description
	invalid bool               // errors.Is(err, ccclient.InvalidClient)
}

// The secrets of clients: difficultSecret has all that goes wrong where it is
// not encoded, or not decoded. Those who document neither get the simple one.
const (
	difficultSecret = "s3cr+t/with=all %41~of&it"
	simpleSecret    = "fLVxR7k2Nq"
)

// providerKey is the private key of all clients that have one: RSA, which all
// providers take.
var providerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// providerCertificate belongs to providerKey.
var providerCertificate = sync.OnceValue(func() tls.Certificate {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "service"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, providerKey().Public(), providerKey()))
	return tls.Certificate{
		Certificate: [][]byte{der}, PrivateKey: providerKey(), Leaf: must(x509.ParseCertificate(der)),
	}
})

// A standIn is a provider in use by one client.
type standIn struct {
	provider
	as     *cctest.Server
	client *ccclient.Client
	shown  *x509.Certificate // by the client, in place of a handshake
	header http.Header       // of the last token request
	form   url.Values        // its parameters
	jose   map[string]any    // the header of its assertion
}

// transcript is what providers saw.
var transcript strings.Builder

// trial lets a test use another Config than a function has, up to its first token.
var trial struct {
	change func(*ccclient.Config)
	token  *oauth2.Token
	err    error
}

// open gives a client of the provider, whose secrets are in the environment,
// and the way to its API.
func (p provider) open(cfg ccclient.Config) (*ccclient.Client, *standIn) {
	o := &standIn{provider: p}
	os.Setenv("CLIENT_SECRET", p.secret)
	switch p.client.AuthMethods[0] {
	case cctest.PrivateKeyJWT, cctest.SPIFFEJWT:
		der := must(x509.MarshalPKCS8PrivateKey(providerKey()))
		os.Setenv("PRIVATE_KEY", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
		p.client.Keys = map[string]crypto.PublicKey{p.keyID: providerKey().Public()}
		p.client.Certificate = providerCertificate().Leaf
	case cctest.TLSClientAuth:
		o.shown = providerCertificate().Leaf
		p.server.ClientCAs = x509.NewCertPool()
		p.server.ClientCAs.AddCert(o.shown)
	default:
		p.client.Secret = p.secret
	}
	p.server.Clients = []cctest.Registration{p.client}
	o.as = cctest.NewServer(p.server)
	cfg.WrapTransport = instead(o)
	if trial.change != nil {
		trial.change(&cfg)
	}
	if cfg.TLS != nil &&
		!slices.ContainsFunc(cfg.TLS.Certificates, func(c tls.Certificate) bool { return c.Leaf.Equal(o.shown) }) {
		o.shown = nil
	}
	o.client = must(ccclient.New(cfg))
	return o.client, o
}

func (o *standIn) Close() {
	o.client.Close()
	o.as.Close()
	os.Unsetenv("CLIENT_SECRET")
	os.Unsetenv("PRIVATE_KEY")
}

// run gets a token, spends it at url, and writes down what the provider saw.
func (p provider) run(cfg ccclient.Config, url string) {
	client, base := p.open(cfg)
	defer base.Close()
	base.spend(&http.Client{Transport: client.Transport(base)}, must(http.NewRequest("GET", url, nil)))
}

// spend sends req twice: the second time the token has been revoked, and the
// way in which the API says so must bring another one.
func (o *standIn) spend(c *http.Client, req *http.Request) {
	for i := range 2 {
		if trial.change != nil {
			trial.token, trial.err = o.client.Token(req.Context())
			return
		}
		resp, err := c.Do(req)
		if err != nil {
			fmt.Fprintln(&transcript, "error:", err)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			fmt.Fprintln(&transcript, "the API answered", resp.Status)
		}
		if i == 0 {
			o.printTokenRequest()
			fmt.Fprintf(&transcript, "GET %s\n  %s\n", req.URL, resp.Header.Get("X-Seen"))
			o.as.RevokeAll()
		}
	}
	if n := o.as.Stats().TokensIssued; n != 2 {
		fmt.Fprintf(&transcript, "%d tokens were issued, want one, and one more after the first was revoked\n", n)
	}
}

// printTokenRequest writes down the last token request, without credentials.
func (o *standIn) printTokenRequest() {
	requests := o.as.TokenRequests()
	last := requests[len(requests)-1]
	method := last.AuthMethod
	if o.form.Has(subjectToken) {
		method = subjectToken
	}
	fmt.Fprintf(&transcript, "POST %s\n  %s", o.tokenURL, method)
	if o.jose != nil {
		fmt.Fprintf(&transcript, ", %v of type %v for %v", o.jose["alg"], o.jose["typ"], last.Claims["aud"])
	}
	if last.DPoPKey != "" {
		fmt.Fprint(&transcript, ", with a DPoP proof")
	}
	fmt.Fprintln(&transcript)
	for _, name := range slices.Sorted(maps.Keys(o.header)) {
		switch name {
		case "Authorization", "Accept", "Content-Type", "Dpop":
		default:
			fmt.Fprintf(&transcript, "  %s: %s\n", name, strings.Join(o.header[name], ", "))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.form)) {
		switch name {
		case "client_secret", "client_assertion", subjectToken:
		default:
			fmt.Fprintf(&transcript, "  %s=%s\n", name, strings.Join(o.form[name], " and "))
		}
	}
}

func (o *standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	return cctest.RoundTripper(o).RoundTrip(r)
}

func (o *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch address := "https://" + r.Host + r.RequestURI; {
	case address == o.metadata:
		o.as.Handler().ServeHTTP(w, r)
	case address == o.tokenURL:
		o.serveToken(w, r)
	case strings.HasPrefix(address, o.api):
		o.serveAPI(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (o *standIn) serveToken(w http.ResponseWriter, r *http.Request) {
	body := must(io.ReadAll(r.Body))
	form := must(url.ParseQuery(string(body)))
	o.form = maps.Clone(form)
	if token := form.Get(subjectToken); token != "" { // cctest knows assertions, and this is as good as one
		form.Set("client_assertion", token)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		body = []byte(form.Encode())
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if o.shown != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{o.shown}
	}
	o.header, o.jose = r.Header.Clone(), joseHeader(form.Get("client_assertion"))
	rec := httptest.NewRecorder()
	o.as.Handler().ServeHTTP(rec, r)
	code := ""
	if rec.Code >= 400 {
		var answer struct{ Error string }
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			panic(err)
		}
		code = answer.Error
	} else if o.demands != nil {
		code = o.demands(r.Header, form)
	}
	maps.Copy(w.Header(), rec.Header())
	if known, ok := o.refusals[code]; ok {
		known.write(w)
		return
	}
	if code != "" && rec.Code < 400 {
		refusal{status: http.StatusBadRequest, body: `{"error":"` + code + `"}`}.write(w)
		return
	}
	if rec.Code == http.StatusOK {
		rec.Code = cmp.Or(o.success, rec.Code)
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func (f refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(f.body, "<") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	}
	w.WriteHeader(f.status)
	io.WriteString(w, f.body)
}

func (o *standIn) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := "Authorization"
	if o.provider.header != "" {
		name = o.provider.header
		r.Header.Set("Authorization", "Bearer "+r.Header.Get(name))
	}
	value, _, hasScheme := strings.Cut(r.Header.Get(name), " ")
	if !hasScheme {
		value = "the token"
	}
	seen := name + ": " + value
	rec := httptest.NewRecorder()
	o.as.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.calls != nil && !o.calls(r.Header) {
			w.WriteHeader(http.StatusForbidden)
		}
	})).ServeHTTP(rec, r)
	maps.Copy(w.Header(), rec.Header())
	w.Header().Set("X-Seen", seen)
	if o.bare {
		w.Header().Del("WWW-Authenticate")
	}
	w.WriteHeader(rec.Code)
	if rec.Code == http.StatusUnauthorized {
		io.WriteString(w, o.rejects)
	}
}

// subjectToken is the parameter that has the token to be exchanged (RFC 8693, section 2.1).
const subjectToken = "subject_token"

// joseHeader decodes the header of a JWT; nil if there is none.
func joseHeader(jwt string) map[string]any { return jwtPart(jwt, 0) }

// jwtClaims decodes the claims of a JWT; nil if there is none.
func jwtClaims(jwt string) map[string]any { return jwtPart(jwt, 1) }

func jwtPart(jwt string, i int) (m map[string]any) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil
	}
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[i])), &m); err != nil {
		panic(err)
	}
	return m
}

// What the Configs name beside the environment.

func (p provider) key() crypto.Signer             { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }
func (p provider) certificate() *x509.Certificate { return providerCertificate().Leaf }
func (p provider) pair() tls.Certificate          { return providerCertificate() }
func (p provider) unmount(path string)            { os.Remove(path) }

// mount makes a file with an assertion that somebody else has signed.
func (p provider) mount() string {
	f := must(os.CreateTemp("", "token"))
	defer f.Close()
	must(io.WriteString(f, p.vouch()+"\n"))
	return f.Name()
}

// identity makes a client of an identity provider whose tokens the provider takes.
func (p provider) identity() *ccclient.Client {
	return must(ccclient.New(ccclient.Config{
		TokenURL: "https://identity.example.com/token", ClientID: "service",
		Auth: ccclient.ClientSecretPost(ccclient.SecretString(simpleSecret)),
		HTTPClient: &http.Client{Transport: cctest.RoundTripper(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, p.vouch())
			},
		))},
	}))
}

// vouch makes an assertion that somebody else has signed.
func (p provider) vouch() string {
	signer := must(jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: providerKey()}, (&jose.SignerOptions{}).WithType("JWT"),
	))
	aud := any(p.server.Issuer)
	if p.client.AssertionIssuer != "" { // Kubernetes writes a list, SPIRE a string if it is one
		aud = []string{p.server.Issuer}
	}
	payload := must(json.Marshal(map[string]any{
		"iss": p.client.AssertionIssuer, "sub": p.client.AssertionSubject, "aud": aud,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}))
	return must(must(signer.Sign(payload)).CompactSerialize())
}

// must is for what cannot go wrong in the preparations.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
