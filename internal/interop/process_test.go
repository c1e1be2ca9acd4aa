package interop_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// errNotSetUp is why servers that run in other languages cannot be started.
var errNotSetUp = errors.New("not installed: install Node.js 20.19 or later and Python 3.10 or later, then run internal/interop/setup.sh")

// A process is a server's, running. It gets its settings as one line of JSON,
// answers with its URLs in another, and ends when its stdin does.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr strings.Builder
}

// startNode starts a script of this folder.
func startNode(script string, settings, urls any) (*process, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errNotSetUp
	}
	if _, err := os.Stat("node_modules/.package-lock.json"); errors.Is(err, fs.ErrNotExist) {
		return nil, errNotSetUp
	}
	return start(exec.Command(node, script), settings, urls)
}

// startPython starts a script of this folder.
func startPython(script string, settings, urls any) (*process, error) {
	const python = ".venv/bin/python"
	if _, err := os.Stat(".venv/complete"); errors.Is(err, fs.ErrNotExist) {
		return nil, errNotSetUp
	}
	return start(exec.Command(python, "-B", script), settings, urls)
}

func start(cmd *exec.Cmd, settings, urls any) (*process, error) {
	s := &process{cmd: cmd}
	s.cmd.Stderr = &s.stderr
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.stdin = stdin
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(stdin).Encode(settings); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, urls)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s said no URLs: %w\n%s", cmd, err, s.stderr.String())
	}
	return s, nil
}

func (s *process) stop() error {
	s.stdin.Close()
	return s.cmd.Wait()
}
