package main

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for address, good := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "127.0.0.2:0": runtime.GOOS == "linux",
		":0": false, "0.0.0.0:0": false, "[::]:0": false, "192.0.2.1:0": false, "api.example.com:80": false, "8080": false,
		"localhost.:0": false,
	} {
		l, err := listenLocally(t.Context(), address)
		if err == nil {
			l.Close()
		}
		equal(t, address, err == nil, good)
	}
}

func TestUnixSocketIsThisUsersAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l, err := listenLocally(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		equal(t, "mode", info.Mode().Perm(), 0o600)
	}
	if _, err := listenLocally(t.Context(), "unix:"+path); err == nil {
		t.Error("two listen at one socket")
	}
	l.Close()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "files left behind", len(entries), 0)
}

func TestSocketOfADeadProcessIsReplacedAndNoFileIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	r := newRig(t, cctest.Options{}, nil)
	resp, _ := r.startProxy(t, "unix:"+path).do(t, "GET", "/", nil, nil)
	equal(t, "status", resp.StatusCode, 200)
	precious := file(t, "precious", "data")
	if _, err := listenLocally(t.Context(), "unix:"+precious); err == nil {
		t.Error("a file was replaced")
	}
}
