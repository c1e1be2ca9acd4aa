package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/oauth2"
)

// formats are how a token can be printed.
var formats = map[string]func(w io.Writer, tok *oauth2.Token) error{
	"text":   printText,
	"header": printHeader,
	"json":   printJSON,
	"exec":   printExecCredential,
}

func runToken(ctx context.Context, args []string, s streams) error {
	f := newFlags("token", "", s).bounded()
	format := f.String("format", "text", "text, header (for curl -H @file), json, or exec (a Kubernetes ExecCredential)")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	print, ok := formats[*format]
	if !ok {
		return usagef("-format %.40q: it is text, header, json or exec", *format)
	}
	client, err := f.client(nil)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := f.within(ctx)
	defer cancel()
	tok, err := client.Token(ctx)
	if err != nil {
		return err
	}
	return print(s.out, tok)
}

func printText(w io.Writer, tok *oauth2.Token) error {
	_, err := fmt.Fprintln(w, tok.AccessToken)
	return err
}

func printHeader(w io.Writer, tok *oauth2.Token) error {
	_, err := fmt.Fprintf(w, "Authorization: %s %s\n", tok.Type(), tok.AccessToken)
	return err
}

// printJSON prints what a token response has (RFC 6749, section 5.1), with the time of expiry beside what is left.
func printJSON(w io.Writer, tok *oauth2.Token) error {
	scope, _ := tok.Extra("scope").(string)
	return encode(w, struct {
		AccessToken string    `json:"access_token"`
		TokenType   string    `json:"token_type"`
		ExpiresIn   int64     `json:"expires_in"`
		Expiry      time.Time `json:"expiry"`
		Scope       string    `json:"scope,omitempty"`
	}{tok.AccessToken, tok.Type(), int64(time.Until(tok.Expiry).Seconds()), wholeSeconds(tok.Expiry), scope})
}

// An execCredential is what kubectl and its like read from a credential plugin: client.authentication.k8s.io.
type execCredential struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Status     execStatus `json:"status"`
}

type execStatus struct {
	Token               string    `json:"token"`
	ExpirationTimestamp time.Time `json:"expirationTimestamp"`
}

func printExecCredential(w io.Writer, tok *oauth2.Token) error {
	version, err := execVersion(os.Getenv("KUBERNETES_EXEC_INFO"))
	if err != nil {
		return err
	}
	return encode(w, execCredential{version, "ExecCredential", execStatus{tok.AccessToken, wholeSeconds(tok.Expiry)}})
}

// execVersion returns the version of the API that the caller speaks, as it says in KUBERNETES_EXEC_INFO.
func execVersion(info string) (string, error) {
	const v1, v1beta1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"
	if info == "" {
		return v1, nil
	}
	var asked struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal([]byte(info), &asked); err != nil {
		return "", usagef("KUBERNETES_EXEC_INFO is not JSON: leave it to kubectl to set it")
	}
	switch asked.APIVersion {
	case v1, v1beta1:
		return asked.APIVersion, nil
	}
	return "", usagef("KUBERNETES_EXEC_INFO asks for apiVersion %.80q: set %s in the kubeconfig", asked.APIVersion, v1)
}

// wholeSeconds returns t without its fraction, which only makes an expiry earlier, in UTC.
func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
