package interop_test

import "testing"

// TestEveryMethodAtEveryServer gets a token by each method that a server knows,
// spends it, and outlives its revocation and its expiry.
func TestEveryMethodAtEveryServer(t *testing.T) {
	for _, s := range servers {
		for _, method := range methods {
			t.Run(s.name+"/"+method, func(t *testing.T) {
				c, ok := s.cells[method]
				if !ok {
					results.set(method, s.name, "FAIL: not tried")
					t.Fatal("the server does not say whether it knows the method")
				}
				if c.why != "" {
					results.set(method, s.name, "not supported: "+c.why)
					return
				}
				t.Parallel()
				outcome := "ok"
				if c.note != "" {
					outcome += ": " + c.note
				}
				t.Cleanup(func() {
					if t.Failed() {
						outcome = "FAIL"
					}
					results.set(method, s.name, outcome)
				})
				live(t, s, c)
			})
		}
	}
}
