package redact

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Scrub returns err with a text that is clean, of 500 characters at most, and without secrets. An err that is so
// already is returned as it is, also nil.
//
// What errors.Is and errors.As find in err they find in the result too, unless the text of some part of it has a
// secret, or more than 32 KiB: then only the kind is kept, whether it is a timeout and which of the well-known errors
// of context, io, net, os and the system it is. No field of the result holds err, so that printing it shows its text
// and no more.
func (r *Redactor) Scrub(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	kept := clean(r.Hide(text), maxErrorRunes)
	left := maxTree
	told := r.told(err, "", &left)
	if !told && kept == text {
		return err
	}
	s := scrubbed{text: kept}
	if t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok {
		s.timeout = t.Timeout()
	}
	if !told {
		return &unclean{s, func() error { return err }}
	}
	e := &telling{scrubbed: s}
	for _, known := range wellKnown {
		if errors.Is(err, known) {
			e.kinds = append(e.kinds, known)
		}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		e.kinds = append(e.kinds, errno)
	}
	return e
}

// wellKnown are errors that others look for and that tell nothing else.
var wellKnown = []error{
	context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded,
	os.ErrNotExist, os.ErrPermission,
}

// maxTree bounds how many errors in an error are looked at.
const maxTree = 100

// A scrubbed error has the text of another one, as it may be shown.
type scrubbed struct {
	text    string
	timeout bool
}

func (s *scrubbed) Error() string { return s.text }
func (s *scrubbed) Timeout() bool { return s.timeout }

// An unclean error was one without secrets.
type unclean struct {
	scrubbed
	cause func() error
}

func (e *unclean) Unwrap() error { return e.cause() }

// A telling error was one with secrets. Its kinds are all that is kept of it.
type telling struct {
	scrubbed
	kinds []error
}

func (e *telling) Unwrap() []error { return e.kinds }

// told reports whether the text of err, or of one of the errors in it, has a secret, or is too long to tell, or there
// are more errors in it than are left of what an honest one has. outer is a text that has been looked at.
func (r *Redactor) told(err error, outer string, left *int) bool {
	if r == nil || err == nil {
		return false
	}
	text := err.Error()
	*left--
	if *left < 0 || !strings.Contains(outer, text) && r.Holds(text) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return r.told(e.Unwrap(), text, left)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if r.told(inner, text, left) {
				return true
			}
		}
	}
	return false
}
