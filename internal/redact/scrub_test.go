package redact_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ccclient/go-ccclient/internal/redact"
)

func TestErrorThatHoldsSecretsIsReplaced(t *testing.T) {
	r := redact.New("canary-canary")
	harmless := errors.New("connection refused")
	if r.Scrub(harmless) != harmless || r.Scrub(nil) != nil {
		t.Error("a harmless error was replaced")
	}
	inner := fmt.Errorf("sending canary-canary: %w", context.DeadlineExceeded)
	err := r.Scrub(inner)
	if err.Error() != "sending [redacted]: context deadline exceeded" || !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, inner) {
		t.Errorf("%v", err)
	}
	if timeout, ok := err.(interface{ Timeout() bool }); !ok || !timeout.Timeout() {
		t.Error("it is no timeout any more")
	}
	if err := r.Scrub(errors.New("canary-canary")); err.Error() != redact.Redacted {
		t.Errorf("%v", err)
	}
	op := &net.OpError{Op: "read", Net: "tcp canary-canary", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	if err := r.Scrub(op); !errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) ||
		strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

// quiet is an error that does not say what is in it.
type quiet struct{ error }

func (quiet) Error() string   { return "it failed" }
func (q quiet) Unwrap() error { return q.error }

func TestErrorsInsideOfErrorsHoldNoSecretsEither(t *testing.T) {
	r := redact.New("canary-canary")
	told := errors.New("canary-canary")
	for _, err := range []error{quiet{told}, errors.Join(io.EOF, quiet{told}), fmt.Errorf("%w", quiet{told})} {
		text := err.Error()
		if got := r.Scrub(err); errors.Is(got, told) || got.Error() != strings.ReplaceAll(text, "\n", " ") {
			t.Errorf("%#v", got)
		}
	}
	for range 200 {
		told = quiet{told}
	}
	if got := r.Scrub(told); errors.Unwrap(got) != nil {
		t.Errorf("%#v", got)
	}
}

func TestErrorOfManyLinesIsOneLine(t *testing.T) {
	cause := errors.New("two\r\nlines \u202e" + strings.Repeat("x", 1000))
	for _, r := range []*redact.Redactor{nil, redact.New("canary-canary")} {
		err := r.Scrub(cause)
		if !strings.HasPrefix(err.Error(), "two  lines  ") || len(err.Error()) > 510 || !errors.Is(err, cause) {
			t.Errorf("%v", err)
		}
		if said := fmt.Sprintf("%+v %#v", err, err); strings.Contains(said, "\u202e") || strings.Contains(said, "\n") {
			t.Errorf("%s", said)
		}
	}
}

func TestRedactorPrintsNoSecret(t *testing.T) {
	r := redact.New("canary-canary")
	r.Hide("x")
	if said := fmt.Sprintf("%v %+v %#v %v %+v", r, r, r, *r, *r); strings.Contains(said, "canary") {
		t.Error(said)
	}
}
