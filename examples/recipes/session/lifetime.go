package session

import "github.com/ccclient/go-ccclient/cache"

// Long is Config.Cache for tokens that must be good for at least half of their life when they are handed out.
var Long = cache.Options{
	RefreshAt: 0.5,  // of its life; at the latest then it is replaced
	KeepFresh: true, // even if nobody asks for it meanwhile
}
