package fingerprint_test

import (
	"crypto/sha256"
	"testing"

	"github.com/ccclient/go-ccclient/internal/fingerprint"
)

func TestEqualSecretsAloneHaveEqualFingerprints(t *testing.T) {
	if fingerprint.Of("s3cret") != fingerprint.Of("s3"+"cret") {
		t.Error("one secret has two fingerprints")
	}
	for _, other := range []string{"", "s3cre", "s3cret "} {
		if fingerprint.Of(other) == fingerprint.Of("s3cret") {
			t.Errorf("%q has the fingerprint of another secret", other)
		}
	}
}

func TestFingerprintSaysNothingWithoutTheKey(t *testing.T) {
	if fingerprint.Of("s3cret") == sha256.Sum256([]byte("s3cret")) {
		t.Error("anyone can compute it, and so try secrets out")
	}
	if fingerprint.Of("") == (fingerprint.Print{}) {
		t.Error("an empty secret is no secret at all")
	}
}
