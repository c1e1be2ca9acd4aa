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

// errNotSetUp is why the servers that run on Node.js cannot be started.
var errNotSetUp = errors.New("the servers are not installed: install Node.js 20.19 or later, then run internal/interop/setup.sh")

// A nodeServer is a script of this folder, running. It gets its settings as one
// line of JSON, answers with its URLs in another, and ends when its stdin does.
type nodeServer struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr strings.Builder
}

func startNode(script string, settings, urls any) (*nodeServer, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errNotSetUp
	}
	if _, err := os.Stat("node_modules/.package-lock.json"); errors.Is(err, fs.ErrNotExist) {
		return nil, errNotSetUp
	}

	s := &nodeServer{cmd: exec.Command(node, script)}
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
		return nil, fmt.Errorf("%s said no URLs: %w\n%s", script, err, s.stderr.String())
	}
	return s, nil
}

func (s *nodeServer) stop() error {
	s.stdin.Close()
	return s.cmd.Wait()
}
