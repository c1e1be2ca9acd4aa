// Package challenge reads the WWW-Authenticate header: a list of challenges as in RFC 9110, section 11.6.1.
package challenge

import (
	"net/http"
	"strings"

	"github.com/ccclient/go-ccclient/internal/field"
)

// The bounds on what is read of one response; no server has reason to come near them.
const (
	maxLine       = 16 << 10 // bytes of one field line
	maxChallenges = 64
	maxParams     = 64 // of one challenge
)

// Challenge is one challenge of a server.
type Challenge struct {
	Scheme  string            // as sent; compare it with strings.EqualFold
	Token68 string            // the one value that some schemes have in place of parameters
	Params  map[string]string // by lower-case name, quotes and escapes removed; of a repeated one the first
}

// Parse returns the challenges in all WWW-Authenticate lines of h, in order. It takes time linear in their size and
// never fails: what is not a challenge is passed over, and so is a comma that is missing between two parameters.
func Parse(h http.Header) []Challenge {
	var all []Challenge
	for _, line := range h["Www-Authenticate"] {
		p := parser{rest: line[:min(len(line), maxLine)], all: all}
		p.list()
		if all = p.all; len(all) >= maxChallenges {
			return all[:maxChallenges]
		}
	}
	return all
}

// parser reads one field line. A challenge never goes on in the next line.
type parser struct {
	rest  string
	all   []Challenge
	begun bool // a challenge of this line takes the parameters that come
}

// list = #( auth-scheme [ 1*SP ( token68 / #auth-param ) ] )
//
// Challenges and their parameters are both separated by commas, so the two lists are read as one: a token followed by
// "=" is a parameter of the last challenge, any other token begins a challenge.
func (p *parser) list() {
	for len(p.all) < maxChallenges {
		p.skip(" \t,")
		if p.rest == "" {
			return
		}
		name := p.token()
		if name == "" {
			p.junk()
			continue
		}
		space := p.skip(" \t")
		if strings.HasPrefix(p.rest, "=") {
			p.rest = p.rest[1:]
			p.skip(" \t")
			p.param(name, p.value())
			continue
		}
		p.all = append(p.all, Challenge{Scheme: name})
		p.begun = true
		if space {
			p.all[len(p.all)-1].Token68 = p.token68()
		}
	}
}

func (p *parser) param(name, value string) {
	if !p.begun {
		return // a parameter of no challenge
	}
	c := &p.all[len(p.all)-1]
	if c.Params == nil {
		c.Params = make(map[string]string)
	}
	name = strings.ToLower(name)
	if _, repeated := c.Params[name]; !repeated && len(c.Params) < maxParams {
		c.Params[name] = value
	}
}

// token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
//
// It counts only if the list goes on or ends after it: "a=b" is a parameter, and so is "a". A bare word is taken as a
// token68, since no parameter is without a value.
func (p *parser) token68() string {
	n := 0
	for n < len(p.rest) && isToken68(p.rest[n]) {
		n++
	}
	if n == 0 {
		return ""
	}
	for n < len(p.rest) && p.rest[n] == '=' {
		n++
	}
	if after := strings.TrimLeft(p.rest[n:], " \t"); after != "" && after[0] != ',' {
		return ""
	}
	value := p.rest[:n]
	p.rest = p.rest[n:]
	return value
}

func (p *parser) token() string {
	n := 0
	for n < len(p.rest) && field.IsTokenChar(p.rest[n]) {
		n++
	}
	token := p.rest[:n]
	p.rest = p.rest[n:]
	return token
}

// value = token / quoted-string
//
// A value without quotes that holds more than a token may, as a URL does, is taken up to the next space or comma.
func (p *parser) value() string {
	if strings.HasPrefix(p.rest, `"`) {
		return p.quoted()
	}
	n := strings.IndexAny(p.rest, " \t,")
	if n < 0 {
		n = len(p.rest)
	}
	value := p.rest[:n]
	p.rest = p.rest[n:]
	return value
}

// quoted reads a quoted-string. One that does not end is taken to the end of the line.
func (p *parser) quoted() string {
	s := p.rest[1:]
	end := strings.IndexAny(s, `"\`)
	if end >= 0 && s[end] == '"' {
		p.rest = s[end+1:]
		return s[:end]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			p.rest = s[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	p.rest = ""
	return b.String()
}

// junk passes over what no token begins: a quoted string as a whole, anything else byte by byte.
func (p *parser) junk() {
	if p.rest[0] == '"' {
		p.quoted()
		return
	}
	p.rest = p.rest[1:]
}

// skip passes over any of chars and reports whether there were some.
func (p *parser) skip(chars string) bool {
	before := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, chars)
	return len(p.rest) < before
}

func isToken68(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("-._~+/", c) >= 0
}
