package cache

// What a Token does follows from two things: how its token is, and whether the last fetch failed.
//
//	                                     no failure, or over   cooling down   cooling down, probe due
//	fresh; stale, refresh not due        serve                 serve          serve
//	stale, refresh due                   serve, refresh        serve          serve, refresh
//	expiring (inside of the margin)      wait                  serve          serve, refresh
//	gone                                 wait                  refuse         wait
//
// A refresh that is running is not due. Where an expiring token is to be waited for, that is brief if the last fetch
// failed or if there is a Store: both may take long, and there is a token that can be served.
//
// A flight asks the same table before it asks the server, since another may have landed since it was started.

// A view is all that a decision depends on. Taking one changes nothing.
type view struct {
	phase    phase
	due      bool // the refresh of a stale token is due
	cooling  bool // a failure is cooling down
	probeDue bool // and it is time to see whether it may end before its time
	slow     bool // a fetch may take long: the last one failed, or there is a Store
}

type phase int

const (
	gone     phase = iota // there is nothing that may be handed out
	expiring              // it lives, but is to be replaced first
	stale                 // it is handed out, and refreshed in the background
	fresh
)

type action int

const (
	serve        action = iota // hand out the token
	serveRefresh               // hand it out and start a flight
	wait                       // start or join a flight and wait for what it brings
	waitBriefly                // the same, but hand out the token if it takes long
	refuse                     // return the error that is cooling down
)

// decide is the table above.
func decide(v view) action {
	quiet := v.cooling && !v.probeDue // the server is left alone
	switch v.phase {
	case fresh:
		return serve
	case stale:
		if !v.due || quiet {
			return serve
		}
		return serveRefresh
	case expiring:
		switch {
		case quiet:
			return serve
		case v.cooling:
			return serveRefresh
		case v.slow:
			return waitBriefly
		}
		return wait
	}
	if quiet {
		return refuse
	}
	return wait
}
