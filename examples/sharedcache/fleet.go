package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// A fleet are the processes that this one has started, of its own program.
type fleet struct {
	settings settings // of all, but for the ID
	started  int
	members  []*member // that run

	mu       sync.Mutex   // guards failures
	failures []failedCall // of all, the dead included
}

// A failedCall is what a process says of a call that failed.
type failedCall struct {
	process int
	began   time.Time
	took    time.Duration
	text    string
}

func (c failedCall) String() string {
	return fmt.Sprintf("process %d, after %v: %s", c.process, ms(c.took), c.text)
}

// ended returns when the call had failed.
func (c failedCall) ended() time.Time { return c.began.Add(c.took) }

// A member is one process, seen from its parent.
type member struct {
	id      int
	cmd     *exec.Cmd
	in      io.WriteCloser
	ready   chan struct{} // closed when it has made its client
	served  chan struct{} // closed when its first call had an answer
	ended   chan struct{} // closed when it has ended; then come the next two
	slowest time.Duration // call; zero if it was killed
	err     error
}

// start starts n processes, and lets them make their first call together. The
// new ones are the last of f.members.
func (f *fleet) start(n int) error {
	var wg sync.WaitGroup
	recruits := make([]*member, n)
	errs := make([]error, n)
	for i := range n {
		f.started++
		id := f.started
		wg.Go(func() { recruits[i], errs[i] = f.launch(id) })
	}
	wg.Wait()
	recruits = slices.DeleteFunc(recruits, func(m *member) bool { return m == nil })
	f.members = append(f.members, recruits...)
	for _, m := range recruits {
		_, err := fmt.Fprintln(m.in, "go")
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// launch starts one process and waits until it is ready.
func (f *fleet) launch(id int) (*member, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, processArg)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m := &member{
		id: id, cmd: cmd, in: in,
		ready: make(chan struct{}), served: make(chan struct{}), ended: make(chan struct{}),
	}
	go f.listen(m, out) // ends with the process; kill and stop wait for it

	s := f.settings
	s.ID = id
	// Through a pipe: arguments and environments are for everybody to see.
	if err := json.NewEncoder(in).Encode(s); err != nil {
		m.cmd.Process.Kill()
		return nil, err
	}
	select {
	case <-m.ready:
		return m, nil
	case <-m.ended:
		return nil, fmt.Errorf("process %d ended: %w", id, m.err)
	}
}

// listen notes what a process says, until it ends.
func (f *fleet) listen(m *member, out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		what, more, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "ready":
			close(m.ready)
		case "served":
			close(m.served)
		case "slowest":
			m.slowest, _ = time.ParseDuration(more)
		case "failed":
			began, more, _ := strings.Cut(more, " ")
			took, text, _ := strings.Cut(more, " ")
			c := failedCall{process: m.id, text: text}
			c.began, _ = time.Parse(time.RFC3339Nano, began)
			c.took, _ = time.ParseDuration(took)
			f.mu.Lock()
			f.failures = append(f.failures, c)
			f.mu.Unlock()
		}
	}
	m.err = m.cmd.Wait()
	close(m.ended)
}

// served waits until each process has been served once.
func (f *fleet) served() error {
	for _, m := range f.members {
		select {
		case <-m.served:
		case <-m.ended:
			return fmt.Errorf("process %d ended: %w", m.id, m.err)
		}
	}
	return nil
}

// kill kills a process as kill -9 does: it cannot say anything any more.
func (f *fleet) kill(id int) error {
	for i, m := range f.members {
		if m.id == id {
			f.members = slices.Delete(f.members, i, i+1)
			err := m.cmd.Process.Kill()
			<-m.ended
			return err
		}
	}
	return fmt.Errorf("no process %d", id)
}

// stop lets all processes end, and returns the time of the slowest call.
func (f *fleet) stop() (slowest time.Duration, err error) {
	for _, m := range f.members {
		m.in.Close()
	}
	for _, m := range f.members {
		<-m.ended
		slowest = max(slowest, m.slowest)
		err = errors.Join(err, m.err)
	}
	f.members = nil
	return slowest, err
}

// failed returns the calls that failed so far.
func (f *fleet) failed() []failedCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.failures)
}
