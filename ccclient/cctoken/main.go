// Command cctoken gets OAuth 2.0 access tokens by the client-credentials grant (RFC 6749, section 4.4), for people at a
// shell and for programs in any language: a token to look at, a diagnosis of a configuration, a request, a proxy.
//
//	cctoken token [-format text|header|json|exec]    prints a token
//	cctoken check                                    says why a configuration fails, or what was granted
//	cctoken call [-method M] [-header H] [-data D] URL
//	                                                 sends one request with a token, and shows it without that
//	cctoken proxy -to URL [-listen ADDRESS]          adds tokens to the requests of other programs
//
// It is configured by the environment ([ccclient.ConfigFromEnv]: ISSUER, CLIENT_ID, CLIENT_SECRET_FILE and so on), or
// by a JSON file of [ccclient.Settings] with -config FILE; -prefix P_ reads P_ISSUER as ISSUER. No secret is ever on
// its command line, and none is printed: "cctoken token" alone prints the token, which is its purpose.
//
// -v logs to standard error what is done; -timeout bounds token, check and call (30s).
//
// It exits with
//
//	0  when it did what it was asked to
//	1  when something else went wrong: the API was not reached, or answered call with 400 or above
//	2  when it was used or configured wrongly
//	3  when the authorization server cannot be reached, is not well or says not now: later it may work
//	4  when the authorization server refuses: time alone will not mend it
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ccclient/go-ccclient/ccclient"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(status)
}

// The exit statuses.
const (
	succeeded = iota
	failed
	misused     // by its arguments or its configuration
	unavailable // the authorization server; it may be back
	refused     // by the authorization server
)

// streams are where a command reads from and writes to.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// A command is what the first argument names.
type command struct {
	name, synopsis, purpose string
	run                     func(ctx context.Context, args []string, s streams) error
}

var commands = []command{
	{"token", "[-format text|header|json|exec]", "prints a token", runToken},
	{"check", "", "says why a configuration fails, or what was granted", runCheck},
	{"call", "[-method M] [-header H] [-data D] URL", "sends one request with a token", runCall},
	{"proxy", "-to URL [-listen ADDRESS]", "adds tokens to the requests of other programs", runProxy},
}

// run does what args say, and returns the exit status.
func run(ctx context.Context, args []string, s streams) int {
	if len(args) == 0 {
		usage(s.err)
		return misused
	}
	for _, c := range commands {
		if c.name == args[0] {
			return report(c.run(ctx, args[1:], s), s.err)
		}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(s.out)
		return succeeded
	}
	return report(usagef("%.40q is no command: see cctoken help", args[0]), s.err)
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "cctoken gets OAuth 2.0 access tokens by the client-credentials grant.\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  cctoken %s %s\n        %s\n", c.name, c.synopsis, c.purpose)
	}
	fmt.Fprintf(w, `
Each takes -config FILE (JSON) or reads the environment: ISSUER or TOKEN_URL,
CLIENT_ID, CLIENT_SECRET_FILE, SCOPES, AUDIENCE and so on; -prefix P reads
P_ISSUER and so on. See cctoken COMMAND -h for more flags.

Exit status: 0 done; 1 the API failed; 2 wrong usage or configuration;
3 the authorization server is down; 4 the authorization server refuses.
`)
}

// report prints err, and returns the exit status that stands for it.
func report(err error, w io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return succeeded
	}
	if printed, ok := errors.AsType[*usageError](err); !ok || printed.err != nil {
		fmt.Fprintf(w, "cctoken: %v\n", err)
	}
	return statusOf(err)
}

// A usageError is a mistake in the arguments or in the configuration. Its err is nil if package flag has printed it.
type usageError struct{ err error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func statusOf(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return misused
	}
	e, ok := errors.AsType[*ccclient.Error](err)
	switch {
	case !ok:
		return failed
	case e.Temporary():
		return unavailable
	case e.StatusCode == 0: // the server has refused nothing: a secret is missing, say, or a CA
		return misused
	default:
		return refused
	}
}
