package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// flags are those of one command, with what all commands have.
type flags struct {
	*flag.FlagSet
	streams streams
	config  string
	prefix  string
	verbose bool
	timeout time.Duration
}

func newFlags(name, arguments string, s streams) *flags {
	f := &flags{FlagSet: flag.NewFlagSet("cctoken "+name, flag.ContinueOnError), streams: s}
	f.SetOutput(s.err)
	f.Usage = func() {
		fmt.Fprintf(s.err, "usage: cctoken %s [flags]%s\n", name, arguments)
		f.PrintDefaults()
	}
	f.StringVar(&f.config, "config", "", "JSON `file` of settings; without it the environment is read")
	f.StringVar(&f.prefix, "prefix", "", "of the environment variables that are read, such as ORDERS_")
	f.BoolVar(&f.verbose, "v", false, "log to standard error what is done")
	return f
}

// bounded adds the flag -timeout.
func (f *flags) bounded() *flags {
	f.DurationVar(&f.timeout, "timeout", 30*time.Second, "for everything, such as 10s")
	return f
}

// parse reads args, of which at most max may be no flags.
func (f *flags) parse(args []string, max int) error {
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return &usageError{} // the flag package has said what is wrong
	case f.NArg() > max:
		return usagef("too many arguments after the flags: %d, and %d at most", f.NArg(), max)
	case f.config != "" && f.prefix != "":
		return usagef("-config and -prefix together: the one is for a file, the other for the environment")
	}
	return nil
}

// within returns ctx, ended by -timeout.
func (f *flags) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, f.timeout)
}

// client returns the Client that the flags configure; change, if not nil, completes its Config.
func (f *flags) client(change func(*ccclient.Config) error) (*ccclient.Client, error) {
	cfg, err := f.read()
	if err != nil {
		return nil, &usageError{err}
	}
	if f.verbose {
		cfg.Logger = slog.New(slog.NewTextHandler(f.streams.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if change != nil {
		if err := change(&cfg); err != nil {
			return nil, err
		}
	}
	client, err := ccclient.New(cfg)
	if err != nil {
		return nil, &usageError{err}
	}
	return client, nil
}

func (f *flags) read() (ccclient.Config, error) {
	if f.config == "" {
		return ccclient.ConfigFromEnv(f.prefix)
	}
	settings, err := readSettings(f.config)
	if err != nil {
		return ccclient.Config{}, fmt.Errorf("-config: %w", err)
	}
	return settings.Config(nil)
}

// maxSettings bounds a file of Settings, in bytes.
const maxSettings = 1 << 20

// readSettings reads a JSON file. Its errors repeat nothing of what the file holds but the names of its fields.
func readSettings(path string) (s ccclient.Settings, err error) {
	file, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer file.Close()
	d := json.NewDecoder(io.LimitReader(file, maxSettings))
	d.DisallowUnknownFields()
	err = d.Decode(&s)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
	case errors.As(err, &wrong):
		return s, fmt.Errorf("%s: %s is a %s, and should be a %s", path, wrong.Field, wrong.Value, wrong.Type)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return s, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "json: "))
	default:
		return s, fmt.Errorf("%s is no JSON object of settings, such as {\"issuer\": \"https://as.example.com\"}: "+
			"it goes wrong at byte %d", path, d.InputOffset())
	}
	if d.More() {
		return s, fmt.Errorf("%s has more than one JSON value", path)
	}
	return s, nil
}
