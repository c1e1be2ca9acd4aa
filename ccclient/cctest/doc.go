// Package cctest is an authorization server in memory, for tests of whatever uses the client credentials grant of
// OAuth 2.0.
//
//	s := cctest.NewServer(cctest.Options{})
//	defer s.Close()
//	api := httptest.NewServer(s.Protect(yourHandler))
//	defer api.Close()
//	// Point your service at s.TokenURL(), as client "client" with secret "secret".
//
// It is small but not gullible. It checks every request as RFC 6749 and its extensions say, independently of the
// client library beside it: secrets, signed assertions (RFC 7523, workload identity, SPIFFE), certificates (RFC 8705)
// and DPoP proofs (RFC 9449), each with replay, audience and time. Where an RFC bids a server to be lenient with a
// careless client, as with an empty parameter, this one is not: a test is to find such faults. What it refuses it
// explains in error_description.
//
// It can be told to misbehave: to be slow (Server.SetDelay), to fail (Server.FailNext), to be down (Server.SetDown),
// to revoke what it gave (Server.Revoke), and to answer in the odd ways of real servers (Options.TokenResponse).
// Server.TokenRequests and Server.Stats say what it has seen.
//
// In a testing/synctest bubble, where time is virtual and sockets are not allowed, use Server.RoundTripper as the
// Transport of an http.Client, with any token URL; lifetimes, delays and outages of hours then pass in no time. The
// function RoundTripper serves a protected API beside it in the same way.
//
// It is for tests alone: it takes its own name from the request, keeps all requests it has seen, and has never been
// meant to face a network.
package cctest
