// Package cctest is an authorization server in memory, for tests of whatever
// uses the client credentials grant of OAuth 2.0.
//
// It is small but not gullible: it checks every request as RFC 6749 and its
// extensions say, independently of the client library beside it, and it can be
// told to be slow, to fail, to be down, to revoke what it gave, and to answer
// in the odd ways of real servers.
//
//	s := cctest.NewServer(cctest.Options{})
//	defer s.Close()
//	api := httptest.NewServer(s.Protect(yourHandler))
//	defer api.Close()
//	// Point your service at s.TokenURL(), as client "client" with secret "secret".
//
// In a testing/synctest bubble, where time is virtual and sockets are not
// allowed, use Server.RoundTripper as the Transport of an http.Client and any
// https URL that ends in /token; lifetimes, delays and outages of hours then
// pass in no time.
package cctest
