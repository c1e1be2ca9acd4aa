// Package cache keeps tokens fresh. It knows nothing of HTTP: a [Fetch] gets a token from wherever tokens come from, a
// [Cache] decides when, and hands the token out to any number of callers. [docs/architecture.md] has the table by which
// it decides, and follows a fetch through it.
//
// # What it promises
//
// A fresh token costs no lock, no allocation and no goroutine: Token loads one pointer and reads both clocks, and notes
// the use if there are many keys to choose from when room is needed. Callers who need a token that is not there share
// one fetch; each waits on its own context, and none can fail the others. A token is replaced in the background before
// it runs out, so that nobody waits for it.
//
// A token that has expired is never handed out, and one that lives is never withheld because a refresh failed. Failures
// are shared as well: while one cools down, callers get its error at once and the server gets no request. One that is
// about all keys ([CoolDown].Shared) keeps them all from the server, until one of them has tried again. The first
// request of a Cache goes alone for the same reason: with a wrong secret a thousand keys make one failed login. Its
// answer lets the others go, all at once; one that hangs is waited for a third of its FetchTimeout.
//
// A resource that rejects a token says so with Invalidate, which names the token: a late rejection of the last one does
// not hurt its successor, and a resource that rejects everything does not cause a fetch each time.
//
// # What it does not do
//
// There is no goroutine between fetches (a timer, with Options.KeepFresh), and no clock to inject: tests run it in a
// testing/synctest bubble.
//
// How it does it, one cold token from call to answer, the words and who owns which goroutine, is in
// [docs/architecture.md].
//
// # What is stable
//
// From v1.0.0 on the exported API changes as Go's own does. So that a fleet can be upgraded one process at a time, a
// version that writes other records into a Store, sealed or not, reads those of the version before, and takes what it
// does not know for a miss. Keys are the caller's and go into the Store as they are. Texts of errors and logs may
// change.
//
// [docs/architecture.md]: https://github.com/ccclient/go-ccclient/blob/main/docs/architecture.md
package cache
