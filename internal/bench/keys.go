package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/oauth2"
)

var (
	perKey     = figure{"held a key, beyond the token", size}
	askedTwice = figure{"tokens asked for again", count}
)

// keysHeld is the memory that 10,000 tokens of one client take. The token
// itself, an oauth2.Token with its strings, is what it is; the rest counts,
// the name of the scope included.
func keysHeld() *workload {
	const keys = 10_000
	return &workload{
		name:     "keys",
		setting:  "10,000; x/oauth2: a map of token sources",
		entrants: []entrant{ours, xoauth2, floor},
		run:      func(e entrant) outcome { return heldByKeys(e, keys) },
		targets:  []target{atMost(480, perKey), exactly(0, askedTwice)},
	}
}

func heldByKeys(e entrant, keys int) outcome {
	s := &stub{size: 100}
	c := e.enter(s.arena())
	defer c.Close()
	tokens := make([]*oauth2.Token, keys)
	call := func(i int) {
		token, err := c.For(fmt.Sprintf("tenant-%d", i)).Token(context.Background())
		must(err)
		tokens[i] = token
	}
	empty := heap()
	for i := range keys {
		call(i)
	}
	asked := s.made.Load()
	for i := range keys {
		call(i)
	}
	full := heap()

	// The same tokens again, and nothing else.
	copies := make([]*oauth2.Token, keys)
	before := heap()
	for i, t := range tokens {
		copies[i] = &oauth2.Token{
			AccessToken: strings.Clone(t.AccessToken), TokenType: t.TokenType, Expiry: t.Expiry, ExpiresIn: t.ExpiresIn,
		}
	}
	alone := heap() - before
	runtime.KeepAlive(copies)
	runtime.KeepAlive(tokens)
	return outcome{
		perKey:     (full - empty - alone) / float64(keys),
		askedTwice: float64(s.made.Load() - asked),
	}
}
