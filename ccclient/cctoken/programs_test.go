package main

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// build returns the path of the command, built once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "cctoken")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cctoken")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

func TestMain(m *testing.M) {
	status := m.Run()
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}

func built(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// needs skips the test without a program.
func needs(t *testing.T, program, remedy string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is missing: install %s", program, remedy)
	}
	return path
}

// startProcess runs "cctoken proxy" in a process of its own, and returns that and where it listens.
func (r *rig) startProcess(t *testing.T) (*exec.Cmd, string, *lockedBuffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built(t), "proxy", "-v", "-to", r.api.URL, "-listen", "127.0.0.1:0")
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	if !lines.Scan() {
		t.Fatalf("no line came: %v", cmd.Wait())
	}
	address := strings.Fields(lines.Text())[1]
	log := new(lockedBuffer)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
			log.add(lines.Text())
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-drained
		cmd.Wait()
	})
	return cmd, address, log
}

// A lockedBuffer holds lines that one goroutine writes and another reads.
type lockedBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *lockedBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

// Each program makes a request every 100 ms for four seconds, and prints how many were made and how many failed.
const (
	curlProgram = `
i=0 failed=0
while [ $i -lt 40 ]; do
	curl -fsS -o /dev/null "$PROXY/orders" || failed=$((failed + 1))
	i=$((i + 1))
	sleep 0.1
done
echo "$i $failed"`

	pythonProgram = `
import os, time, urllib.request
made = failed = 0
while made < 40:
    try:
        with urllib.request.urlopen(os.environ["PROXY"] + "/orders", timeout=10) as answer:
            answer.read()
    except Exception as e:
        failed += 1
    made += 1
    time.sleep(0.1)
print(made, failed)`

	nodeProgram = `
const http = require("http")
const agent = new http.Agent({ keepAlive: true })
const get = () => new Promise(done => {
  const request = http.get(process.env.PROXY + "/orders", { agent }, answer => {
    answer.resume()
    answer.on("end", () => done(answer.statusCode === 200))
  })
  request.on("error", () => done(false))
})
const main = async () => {
  let made = 0, failed = 0
  for (; made < 40; made++) {
    if (!await get()) failed++
    await new Promise(done => setTimeout(done, 100))
  }
  console.log(made, failed)
  agent.destroy()
}
main()`
)

func TestProgramsBehindTheProxyOutliveTheirTokens(t *testing.T) {
	r := newRig(t, cctest.Options{Lifetime: time.Second}, nil)
	_, address, log := r.startProcess(t)
	outputs := map[string]*bytes.Buffer{}
	var all []*exec.Cmd
	for _, argv := range [][]string{
		{needs(t, "sh", "a shell"), "-c", curlProgram},
		{needs(t, "python3", "python3"), "-c", pythonProgram},
		{needs(t, "node", "nodejs"), "-e", nodeProgram},
	} {
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "PROXY="+address)
		output := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = output, output
		outputs[argv[0]] = output
		all = append(all, cmd)
	}
	needs(t, "curl", "curl")
	for _, cmd := range all {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		equal(t, cmd.Path+": requests made and failed", strings.TrimSpace(outputs[cmd.Path].String()), "40 0")
	}
	if lives := r.as.Stats().TokenRequests; lives < 4 {
		t.Errorf("only %d tokens were needed", lives)
	}
	lacks(t, "log", log.text(), secret)
}

func TestSecretIsInNoProcessList(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("install Linux: it shows processes under /proc")
	}
	r := newRig(t, cctest.Options{}, nil)
	cmd, address, _ := r.startProcess(t)
	resp, err := http.Get(address + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	equal(t, "status", resp.StatusCode, http.StatusOK)
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 {
			t.Errorf("%s is empty", name)
		}
		lacks(t, name, string(text), secret)
	}
}

func TestKubectlReadsTheExecCredential(t *testing.T) {
	kubectl := needs(t, "kubectl", "kubectl, in Debian's package kubernetes-client")
	r := newRig(t, cctest.Options{}, nil)
	api := httptest.NewTLSServer(r.as.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"path": %q}`, r.URL.Path)
	})))
	defer api.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	config := file(t, "kubeconfig", fmt.Sprintf(`
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users:
- name: test
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: %q
      args: [token, -format, exec]
      interactiveMode: Never
`, api.URL, file(t, "ca.pem", string(ca)), built(t)))
	cmd := exec.CommandContext(t.Context(), kubectl, "--kubeconfig", config, "get", "--raw", "/orders")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	equal(t, "answer", strings.TrimSpace(string(out)), `{"path": "/orders"}`)
	equal(t, "token requests", r.as.Stats().TokenRequests, 1)
}
