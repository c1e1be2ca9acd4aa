package main

import (
	"context"
	"fmt"
	"time"
)

func runCheck(ctx context.Context, args []string, s streams) error {
	f := newFlags("check", "", s).bounded()
	if err := f.parse(args, 0); err != nil {
		return err
	}
	client, err := f.client(nil)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := f.within(ctx)
	defer cancel()
	if err := client.Check(ctx); err != nil {
		return err
	}
	tok, err := client.Token(ctx) // Check's
	if err != nil {
		return err
	}
	scope, ok := tok.Extra("scope").(string)
	if !ok {
		scope = "as asked for" // RFC 6749, section 5.1
	}
	fmt.Fprintf(s.out, "ok: %v\ntype: %s\nscope: %s\nlives for: %s, until %s\n", client, tok.Type(), scope,
		time.Until(tok.Expiry).Round(time.Second), tok.Expiry.UTC().Format(time.RFC3339))
	return nil
}
