package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// synced runs the program, and returns what it printed.
func synced(t *testing.T, o options) string {
	t.Helper()
	o.state, o.lifetime, o.workers = t.TempDir(), 2*time.Second, 8
	if o.records == 0 {
		o.records = 3000
	}
	var out strings.Builder
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

// counted returns the numbers of the last line.
func counted(t *testing.T, out string) (calls, tokenRequests, failed int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	if _, err := fmt.Sscanf(last, "calls=%d token_requests=%d failed=%d", &calls, &tokenRequests, &failed); err != nil {
		t.Fatalf("last line %q: %v", last, err)
	}
	return calls, tokenRequests, failed
}

func TestAllRecordsArriveOnce(t *testing.T) {
	out := synced(t, options{})
	calls, tokenRequests, failed := counted(t, out)
	// One for the number of pages, one a page, one a record.
	if calls != 1+30+3000 || tokenRequests < 1 || failed != 0 {
		t.Error(out)
	}
	for _, line := range []string{"300 of 3000 records\n", "3000 of 3000 records\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in %s", line, out)
		}
	}
}

func TestInterruptedRunGoesOnWithTheTokenOfTheFirst(t *testing.T) {
	out := synced(t, options{failAfter: 1200})
	calls, tokenRequests, failed := counted(t, out)
	// Pages that were begun are asked for at both ends once more, one for each worker at most, and the first call is
	// made twice. That no record came twice run has checked.
	if calls > 2+30+3000+2*8 || calls < 2+30+3000 || failed != 0 {
		t.Error(out)
	}
	if !strings.Contains(out, "goes on after ") {
		t.Errorf("it began anew: %s", out)
	}
	if tokenRequests > 2 { // another only if the run outlasts a token
		t.Error(out)
	}
}

func TestOutageIsSatOut(t *testing.T) {
	out := synced(t, options{outage: 1500 * time.Millisecond})
	if _, tokenRequests, failed := counted(t, out); failed != 0 || tokenRequests > 12 {
		t.Error(out)
	}
	if !strings.Contains(out, "for the authorization server") {
		t.Errorf("nobody waited: %s", out)
	}
}

func TestCheckpointOutlivesACutOffLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(path, []byte("begin 0.\ndone 0 100.\nbegin 1.\nbegin 12"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := openCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		if !c.done(0) || c.done(1) || !c.begun(1) || c.begun(12) || c.records() != 100+c.pages[2].records {
			t.Errorf("%+v", c.pages)
		}
		if err := c.end(2, 7); err != nil {
			t.Fatal(err)
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	for _, o := range []options{{records: 0, workers: 1}, {records: 1, workers: 0}} {
		if err := run(t.Context(), o, nil); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
