//go:build unix

package rediscache_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/rediscache"
	"github.com/ccclient/go-ccclient/cache/rediscache/redistest"
	"github.com/ccclient/go-ccclient/cache/storetest"
)

// client closes c at the end of the test.
func client[C io.Closer](t testing.TB, c C) C {
	t.Cleanup(func() { c.Close() })
	return c
}

func single(t testing.TB, s *redistest.Server) *redis.Client {
	return client(t, redis.NewClient(&redis.Options{Addr: s.Addr}))
}

func addrs(servers []*redistest.Server) (addrs []string) {
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	return addrs
}

func cluster(t testing.TB, servers []*redistest.Server) *redis.ClusterClient {
	return client(t, redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs(servers)}))
}

func put(t testing.TB, s cache.Store, key, data string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(data), time.Hour); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func holds(t testing.TB, s cache.Store, key, want string) {
	t.Helper()
	if data, err := s.Get(t.Context(), key); err != nil || string(data) != want {
		t.Fatalf("Get = %q, %v, want %q", data, err, want)
	}
}

func TestRedisStoreIsAConformingStore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) cache.Store {
		return rediscache.New(single(t, server), rediscache.Options{})
	})
}

func TestRedisStoreIsSharedByTheClientsOfAServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	storetest.RunShared(t, func(t *testing.T) (a, b cache.Store) {
		return rediscache.New(single(t, server), rediscache.Options{}),
			rediscache.New(single(t, server), rediscache.Options{})
	})
}

func TestSealedRedisStoreIsAConformingStore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) cache.Store {
		s, err := cache.Seal(rediscache.New(single(t, server), rediscache.Options{}), make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestRedisClusterIsAConformingStore(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t)
	storetest.RunShared(t, func(t *testing.T) (a, b cache.Store) {
		return rediscache.New(cluster(t, servers), rediscache.Options{}),
			rediscache.New(cluster(t, servers), rediscache.Options{})
	})
}

func TestRedisStoreConformsOverTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, roots := selfSigned(t)
	server := redistest.StartTLS(t, certFile, keyFile)
	storetest.Run(t, func(t *testing.T) cache.Store {
		return rediscache.New(client(t, redis.NewClient(&redis.Options{
			Addr:      server.Addr,
			TLSConfig: &tls.Config{RootCAs: roots},
		})), rediscache.Options{})
	})
}

// The permissions are those that the package comment gives.
var (
	singlePermissions  = "~ccclient:* -@all +get +set +del +eval +evalsha +hello"
	clusterPermissions = singlePermissions + " +cluster|slots +command"
)

func limitUser(t *testing.T, admin *redis.Client, permissions string) {
	t.Helper()
	args := []any{"ACL", "SETUSER", "tokens", "on", ">password"}
	for p := range strings.FieldsSeq(permissions) {
		args = append(args, p)
	}
	if err := admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestDocumentedPermissionsSuffice(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	limitUser(t, single(t, server), singlePermissions)
	storetest.Run(t, func(t *testing.T) cache.Store {
		return rediscache.New(client(t, redis.NewClient(&redis.Options{
			Addr: server.Addr, Username: "tokens", Password: "password",
		})), rediscache.Options{})
	})
}

func TestDocumentedPermissionsSufficeInACluster(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t)
	for _, s := range servers {
		limitUser(t, single(t, s), clusterPermissions)
	}
	storetest.Run(t, func(t *testing.T) cache.Store {
		return rediscache.New(client(t, redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: addrs(servers), Username: "tokens", Password: "password",
		})), rediscache.Options{})
	})
}

func TestDocumentedPermissionsAreThoseTested(t *testing.T) {
	source, err := os.ReadFile("rediscache.go")
	if err != nil {
		t.Fatal(err)
	}
	extra := strings.TrimSpace(strings.TrimPrefix(clusterPermissions, singlePermissions))
	for _, p := range []string{singlePermissions, extra} {
		if !strings.Contains(string(source), p) {
			t.Errorf("the package comment does not say %q", p)
		}
	}
}

func TestKeysHaveThePrefixAndEndWithTheirTTL(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := single(t, server)
	for prefix, want := range map[string]string{"": "ccclient:", "mine/": "mine/"} {
		s := rediscache.New(admin, rediscache.Options{Prefix: prefix})
		put(t, s, "k", "v")
		if _, ok, err := s.TryLock(t.Context(), "k", time.Hour); !ok || err != nil {
			t.Fatalf("TryLock = %t, %v", ok, err)
		}
		for _, key := range []string{want + "data:k", want + "lock:k"} {
			if ttl, err := admin.PTTL(t.Context(), key).Result(); err != nil || ttl <= 59*time.Minute ||
				ttl > time.Hour {
				t.Errorf("%s has a ttl of %v, %v, want an hour", key, ttl, err)
			}
		}
	}
	if n := admin.DBSize(t.Context()).Val(); n != 4 {
		t.Errorf("the server holds %d keys, want 4", n)
	}
}

func TestTTLIsRoundedUpToMilliseconds(t *testing.T) {
	t.Parallel()
	var sets []string
	admin := single(t, redistest.Start(t))
	admin.AddHook(spy(func(cmd redis.Cmder) {
		if cmd.Name() == "set" {
			sets = append(sets, fmt.Sprint(cmd.Args()[3:]...))
		}
	}))
	s := rediscache.New(admin, rediscache.Options{})
	for _, ttl := range []time.Duration{1, time.Millisecond, time.Millisecond + 1, time.Second,
		100 * 365 * 24 * time.Hour} {
		if err := s.Put(t.Context(), "k", nil, ttl); err != nil {
			t.Errorf("Put for %v: %v", ttl, err)
		}
	}
	if got, want := fmt.Sprint(sets), "[px1 px1 px2 ex1 ex3153600000]"; got != want {
		t.Errorf("ttls sent: %s, want %s", got, want)
	}
}

func TestStoreWithoutAClientIsAnErrorNotAPanic(t *testing.T) {
	s := rediscache.New(nil, rediscache.Options{})
	ctx := t.Context()
	_, getErr := s.Get(ctx, "k")
	_, _, lockErr := s.TryLock(ctx, "k", time.Hour)
	_, _, ttlErr := s.TryLock(ctx, "k", 0)
	for call, err := range map[string]error{
		"Get": getErr, "Put": s.Put(ctx, "k", nil, time.Hour), "Delete": s.Delete(ctx, "k"), "TryLock": lockErr, "TryLock for 0": ttlErr,
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "rediscache: ") {
			t.Errorf("%s: %v, want an error of rediscache", call, err)
		}
	}
}

func TestPrintingARedisStoreShowsNoCredentials(t *testing.T) {
	c := client(t, redis.NewClient(&redis.Options{Username: "tokens", Password: "canary-password"}))
	s := rediscache.New(c, rediscache.Options{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if printed := fmt.Sprintf(verb, s); strings.Contains(printed, "canary") ||
			strings.Contains(printed, fmt.Sprintf("%x", "canary")) {
			t.Errorf("%s prints %s", verb, printed)
		}
	}
}

// spy is a hook that sees every command before it is sent.
type spy func(cmd redis.Cmder)

func (f spy) DialHook(next redis.DialHook) redis.DialHook { return next }
func (f spy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		f(cmd)
		return next(ctx, cmd)
	}
}
func (f spy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t testing.TB) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for file, data := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}
