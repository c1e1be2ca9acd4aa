//go:build kafka && unix

package kafka_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience bounds the wait for what happens by itself: Maven may have to download Kafka.
const patience = 5 * time.Minute

// startBroker starts Apache Kafka, which takes tokens that the keys at jwks have signed, and wants another one before a
// session's token expires. It returns the broker's address.
func startBroker(t *testing.T, jwks string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	jars := filepath.Join(dir, "lib")
	run(t, ctx, "mvn", "-q", "-B", "-f", "testdata/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+jars)

	broker, internal, controller := freePort(t), freePort(t), freePort(t)
	settings := filepath.Join(dir, "server.properties")
	const oauth = "listener.name.sasl.oauthbearer."
	const handler = "org.apache.kafka.common.security.oauthbearer.OAuthBearer"
	write(t, settings, fmt.Sprint(
		"process.roles=broker,controller\nnode.id=1\n",
		"controller.quorum.voters=1@127.0.0.1:", controller, "\n",
		"controller.listener.names=CONTROLLER\ninter.broker.listener.name=INTERNAL\n",
		"listeners=SASL://127.0.0.1:", broker, ",INTERNAL://127.0.0.1:", internal, ",CONTROLLER://127.0.0.1:", controller, "\n",
		"advertised.listeners=SASL://127.0.0.1:", broker, ",INTERNAL://127.0.0.1:", internal, "\n",
		"listener.security.protocol.map=SASL:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n",
		"listener.name.sasl.sasl.enabled.mechanisms=OAUTHBEARER\n",
		oauth, "sasl.jaas.config=", handler, "LoginModule required;\n",
		oauth, "sasl.server.callback.handler.class=", handler, "ValidatorCallbackHandler\n",
		oauth, "connections.max.reauth.ms=3600000\n",
		"sasl.oauthbearer.jwks.endpoint.url=", jwks, "\n",
		"offsets.topic.replication.factor=1\nlog.dirs=", filepath.Join(dir, "logs"), "\n",
	))
	id := make([]byte, 16)
	rand.Read(id)
	java := []string{"-cp", filepath.Join(jars, "*"), "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + jwks}
	run(t, ctx, "java", append(java, "kafka.tools.StorageTool", "format",
		"-t", base64.RawURLEncoding.EncodeToString(id), "-c", settings)...)

	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", append(java, "-Xmx512m", "kafka.Kafka", settings)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the end of the broker's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	addr := net.JoinHostPort("127.0.0.1", broker)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return addr
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the broker does not start")
		}
	}
}

func run(t *testing.T, ctx context.Context, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v (install Java 17 and Maven)\n%s", name, err, &out)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
