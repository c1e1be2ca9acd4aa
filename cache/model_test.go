package cache_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

var (
	modelSeed = flag.Uint64("model.seed", 0, "play this seed alone")
	modelFor  = flag.Duration("model.for", 0, "play seeds for so long, rather than a few")
)

// TestModelOfAFleetKeepsTheInvariants lets small fleets live through whatever a seed says: a server that is down,
// hangs, panics, asks for patience or repeats its token; a Store that is down, slow, hangs, takes no writes, holds
// rubbish or loses locks, or a lock that nobody gives back; callers that give up, revocations, evictions, kills. The
// truth about each token is the server's, and every answer is held to it. After that all is well again, and has to look
// it.
//
//	go test ./cache -run TestModel -model.for=10m
//	go test ./cache -run TestModel -model.seed=17 -v
//
// A seed fixes what happens to a fleet. Which goroutine runs first, and the cache's own jitter, it does not.
func TestModelOfAFleetKeepsTheInvariants(t *testing.T) {
	if *modelSeed != 0 {
		playSeed(t, *modelSeed)
		return
	}
	seeds := uint64(25)
	if testing.Short() {
		seeds = 10
	}
	first := rand.Uint64() % 1_000_000
	played := uint64(0)
	for start := time.Now(); !t.Failed() && (played < seeds || time.Since(start) < *modelFor); played++ {
		playSeed(t, first+played)
	}
	t.Logf("%d seeds from %d on", played, first)
}

func playSeed(t *testing.T, seed uint64) {
	t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			defer w.end()
			w.turmoil()
			w.heal()
			w.calm()
			w.quiet()
			w.outage()
		})
	})
}

// A world is a server, a Store, and the processes of a fleet.
type world struct {
	t      *testing.T
	rng    *rand.Rand // the driver's alone
	server *truth
	store  *faultyStore
	fleet  []*process
	keys   []string
	stop   chan struct{} // closed at the end of a phase
	wg     sync.WaitGroup
	churn  bool // keys are evicted
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), keys: []string{"a", "b", "c"}[:1+seed%3]}
	w.server = &truth{t: t, life: w.between(time.Second, 100*time.Second), tokens: make(map[string]*issued),
		blocked: make(map[*process]time.Time), answered: make(map[*process]bool),
		shut: make(map[*process]time.Time), probe: make(map[*process]time.Time)}
	w.store = &faultyStore{Store: cache.Memory(), calls: make(map[*process]int)}
	w.churn = w.rng.IntN(4) == 0
	for i := range 1 + w.rng.IntN(5) {
		w.fleet = append(w.fleet, w.start(i))
	}
	return w
}

func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least)+1))
}

func (w *world) start(i int) *process {
	p := &process{world: w, name: fmt.Sprint("process ", i), rng: rand.New(rand.NewPCG(w.rng.Uint64(), 2)),
		last: make(map[string]*issued)}
	o := cache.Options{
		KeepFresh:    w.rng.IntN(2) == 0,
		FetchTimeout: fetchTimeout,
		ExpiryMargin: w.between(0, 10*time.Second),
		Logger:       slog.New(&needyHandler{p}),
	}
	p.keeps = o.KeepFresh
	if w.rng.IntN(8) > 0 {
		o.Store = &handle{faultyStore: w.store, p: p}
	} else {
		p.alone = true
	}
	if w.churn {
		o.MaxKeys = 2
	}
	p.cache = cache.New(o)
	return p
}

func (w *world) end() {
	w.server.set(func(s *truth) { s.mode = up })
	for _, p := range w.fleet {
		p.cache.Close()
	}
	time.Sleep(time.Minute) // what hung comes back
}

// turmoil is some minutes in which everything goes wrong at once.
func (w *world) turmoil() {
	w.begin(0)
	for range 20 + w.rng.IntN(20) {
		switch w.rng.IntN(10) {
		case 0, 1, 2, 3:
			mode, life, delay := serverMode(w.rng.IntN(int(serverModes))), w.between(time.Millisecond, 60*time.Second),
				w.between(0, 3*time.Second)
			w.server.set(func(s *truth) { s.mode, s.life, s.delay = mode, life, delay })
		case 4, 5, 6:
			w.store.set(storeMode(w.rng.IntN(int(storeModes))))
		case 7:
			w.server.revokeAll()
		case 8: // A process is killed, and another takes its place.
			i := w.rng.IntN(len(w.fleet))
			w.fleet[i].kill()
			p := w.start(len(w.fleet))
			w.fleet = append(w.fleet, p)
			w.employ(p, 0)
		case 9:
			w.store.holdForEver(w.keys[w.rng.IntN(len(w.keys))])
		}
		time.Sleep(w.between(0, 20*time.Second))
	}
	w.pause()
}

// heal ends all faults, and leaves them time to be forgotten: no pause and no lock is longer than a minute here.
func (w *world) heal() {
	w.server.set(func(s *truth) { s.mode, s.life, s.delay = up, 100*time.Second, 100*time.Millisecond })
	w.store.set(works)
	w.store.forgetLocks()
	w.begin(200 * time.Millisecond)
	time.Sleep(3 * time.Minute)
	w.pause()
}

// calm is a time in which nobody may notice anything.
func (w *world) calm() {
	before, calls := w.server.count(), w.store.count()
	w.begin(time.Second)
	const lives = 4
	for _, p := range w.fleet {
		p.expect(nobodyWaits)
	}
	time.Sleep(lives * 100 * time.Second)
	for _, p := range w.fleet {
		p.expect(0)
	}
	w.pause()
	together, apart := 0, 0 // keys that a fleet shares, and those of processes that have no Store
	for _, p := range w.fleet {
		switch {
		case p.dead:
		case p.alone:
			apart += len(w.keys)
		default:
			together = len(w.keys)
		}
	}
	if n, most := w.server.count()-before, (together*2+apart)*(lives*100/75+2); !w.churn && n > most {
		w.t.Errorf("%d requests in %d lives of %d tokens, want %d at most", n, lives, together+apart, most)
	}
	if n, most := w.store.count()-calls, 40*len(w.fleet)*len(w.keys)*(lives+1); !w.churn && n > most {
		w.t.Errorf("%d calls of the Store in %d lives, want %d at most", n, lives, most)
	}
}

// quiet is a time in which nobody asks. What is kept fresh is there afterwards.
func (w *world) quiet() {
	w.server.set(func(s *truth) { s.delay = 1500 * time.Millisecond }) // so that they get into each other's way
	calls := w.store.count()
	time.Sleep(3*100*time.Second + w.between(0, 100*time.Second))
	if n, most := w.store.count()-calls, 100*len(w.fleet)*len(w.keys); n > most {
		w.t.Errorf("%d calls of the Store in four lives that nobody asks in, want %d at most", n, most)
	}
	w.store.set(isDown) // It is there in each process, not in the Store alone.
	w.server.set(func(s *truth) { s.mode = down })
	for _, p := range w.fleet {
		if p.keeps && !p.dead && !w.churn {
			p.expect(nobodyWaits)
			for _, key := range w.keys {
				p.token(context.Background(), p.entry(key), key, 0)
			}
			p.expect(0)
		}
	}
	synctest.Wait()
	w.store.set(works)
	w.server.set(func(s *truth) { s.mode = up })
	time.Sleep(2 * time.Minute)
}

// outage has the server down for two lives of a token.
func (w *world) outage() {
	if w.churn {
		return
	}
	w.begin(time.Second)
	w.server.set(func(s *truth) { s.mode, s.delay = down, 100*time.Millisecond })
	before := w.server.count()
	time.Sleep(200 * time.Second)
	apart := 0
	for _, p := range w.fleet {
		if p.alone && !p.dead {
			apart++
		}
	}
	// 1, 2, 4, 8, 10, 10, ... s, each up to a quarter less.
	if n, most := w.server.count()-before, len(w.keys)*(1+apart)*(6+200/7); n > most {
		w.t.Errorf("%d requests into an outage of 200 s by a fleet and %d others, want %d at most", n, apart, most)
	}
	w.server.set(func(s *truth) { s.mode = up })
	time.Sleep(11 * time.Second)
	for _, p := range w.fleet {
		p.expect(nobodyFails)
	}
	time.Sleep(30 * time.Second)
	for _, p := range w.fleet {
		p.expect(0)
	}
	w.pause()
}

// begin sets everybody to work, with a pause of step between calls, random if that is zero.
func (w *world) begin(step time.Duration) {
	w.stop = make(chan struct{})
	for _, p := range w.fleet {
		w.employ(p, step)
	}
}

func (w *world) employ(p *process, step time.Duration) {
	for _, key := range w.keys {
		for range 1 + w.rng.IntN(2) {
			seed, stop := w.rng.Uint64(), w.stop
			w.wg.Go(func() { p.work(key, rand.New(rand.NewPCG(seed, 3)), step, stop) })
		}
	}
}

func (w *world) pause() {
	close(w.stop)
	w.wg.Wait()
	synctest.Wait()
}

type expectation int

const (
	nobodyFails expectation = 1 + iota
	nobodyWaits             // nor fails
)

// A process of the fleet.
type process struct {
	*world
	name  string
	rng   *rand.Rand
	cache *cache.Cache
	alone bool // without a Store
	keeps bool // tokens fresh

	mu     sync.Mutex // guards what follows
	dead   bool
	wanted expectation
	last   map[string]*issued // by key: what a caller got last, and nobody has rejected
}

func (p *process) expect(x expectation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = x
}

func (p *process) expected() expectation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted
}

// kill stops p in the middle of whatever it does: it asks nobody any more, writes nothing, gives no lock back.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *process) killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) entry(key string) *cache.Entry {
	return p.cache.Entry(key, func(ctx context.Context) (*oauth2.Token, error) { return p.server.answer(ctx, p, key) })
}

// work is a caller.
func (p *process) work(key string, rng *rand.Rand, step time.Duration, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(max(step, time.Duration(rng.Int64N(int64(4*time.Second)))*time.Duration(b2i(step == 0)))):
		}
		if p.killed() {
			return
		}
		e := p.entry(key)
		ctx, limit := context.Background(), time.Duration(0)
		if step == 0 && rng.IntN(3) == 0 {
			limit = time.Duration(rng.Int64N(int64(5 * time.Second)))
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		if step == 0 && rng.IntN(20) == 0 {
			p.refresh(ctx, e, key, limit)
			continue
		}
		p.token(ctx, e, key, limit)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *process) token(ctx context.Context, e *cache.Entry, key string, limit time.Duration) {
	p.mu.Lock()
	had := p.last[key]
	p.mu.Unlock()
	before := p.expected()
	began := time.Now()
	tok, err := e.Token(ctx)
	took := time.Since(began)
	if p.killed() {
		return
	}
	if limit > 0 && took > limit {
		p.t.Errorf("%s: Token returned after %v, its caller's deadline was %v", p.name, took, limit)
	}
	if most := 2*time.Minute + 30*time.Second; took > most {
		p.t.Errorf("%s: a call took %v", p.name, took)
	}
	wanted := min(before, p.expected())
	if err != nil {
		p.mu.Lock()
		// A record's times are whole milliseconds.
		withheld := had != nil && had == p.last[key] && time.Until(had.ends) > time.Millisecond && !p.churn &&
			p.server.latestOf(key) == had
		p.mu.Unlock()
		if withheld {
			p.t.Errorf("%s: %v, though %s lives for %v yet", p.name, err, had.text, time.Until(had.ends))
		}
		if wanted > 0 {
			p.t.Errorf("%s, %s: %v after %v, while all is well", p.name, key, err, took)
		}
		return
	}
	if wanted == nobodyWaits && took > 0 && !p.churn {
		p.t.Errorf("%s, %s: a caller waited %v, while all is well", p.name, key, took)
	}
	p.took(e, key, tok)
}

func (p *process) refresh(ctx context.Context, e *cache.Entry, key string, limit time.Duration) {
	if limit == 0 { // Nothing else bounds it.
		limit = time.Second
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	began := time.Now()
	tok, err := e.Refresh(context.WithValue(ctx, forced{}, true))
	if took := time.Since(began); took > limit+20*time.Millisecond {
		p.t.Errorf("%s: Refresh returned after %v, its caller's deadline was %v", p.name, took, limit)
	}
	if err == nil && !p.killed() {
		p.took(e, key, tok)
	}
}

type forced struct{}

// took judges a token by the truth, and spends it.
func (p *process) took(e *cache.Entry, key string, tok *oauth2.Token) {
	got := p.server.known(tok.AccessToken)
	switch {
	case got == nil:
		p.t.Errorf("%s: %q is no token of the server", p.name, tok.AccessToken)
		return
	case got.key != key:
		p.t.Errorf("%s: a token of %s for %s", p.name, got.key, key)
	case !time.Now().Before(got.ends):
		p.t.Errorf("%s: %s has been dead for %v", p.name, got.text, time.Since(got.ends))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.server.revoked(got) {
		p.last[key] = got
		return
	}
	if p.last[key] == got {
		p.last[key] = nil
	}
	e.Invalidate(tok)
}

// needyHandler is a log handler that itself needs a token, as one does that ships logs over an authorized client.
type needyHandler struct{ p *process }

func (h *needyHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *needyHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *needyHandler) WithGroup(string) slog.Handler            { return h }
func (h *needyHandler) Handle(context.Context, slog.Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := h.p.entry(h.p.keys[0]).Token(ctx)
	return err
}

type serverMode int

const (
	up serverMode = iota
	down
	askPatience // with Retry-After, for the client
	refuseKey   // for this key alone
	hangs
	hangsForGood // whatever the context says
	panics
	repeats // one token until it has expired
	serverModes
)

// The truth is an authorization server that remembers what it gave.
type truth struct {
	t *testing.T

	mu      sync.Mutex // guards what follows
	mode    serverMode
	life    time.Duration
	delay   time.Duration
	tokens  map[string]*issued
	latest  []*issued
	n       int
	history []string
	blocked map[*process]time.Time // who has been told to ask nothing until then

	// What a process knows of the server, from its own requests.
	answered map[*process]bool      // something else than a failure about all keys
	shut     map[*process]time.Time // since when it knows of such a failure
	probe    map[*process]time.Time // when it sent the request under way, while it knows nothing good
	dead     map[*issued]bool
}

type issued struct {
	text, key string
	ends      time.Time
}

func (i *issued) lives() bool { return time.Now().Before(i.ends) }

func (s *truth) set(f func(s *truth)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *truth) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *truth) known(text string) *issued {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[text]
}

func (s *truth) revoked(i *issued) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead[i]
}

func (s *truth) latestOf(key string) *issued {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range slices.Backward(s.latest) {
		if i.key == key {
			return i
		}
	}
	return nil
}

func (s *truth) revokeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = make(map[*issued]bool)
	for _, i := range s.latest {
		s.dead[i] = true
	}
	s.latest = nil
}

// A told error says how it wants to cool down.
type told struct{ cool cache.CoolDown }

func (e *told) Error() string            { return "told" }
func (e *told) CoolDown() cache.CoolDown { return e.cool }

const fetchTimeout = 6 * time.Second

const patienceAsked = 15 * time.Second

func (s *truth) answer(ctx context.Context, p *process, key string) (*oauth2.Token, error) {
	if p.killed() {
		return nil, errors.New("killed")
	}
	sent := time.Now()
	s.mu.Lock()
	s.n++
	mode, life, delay := s.mode, s.life, s.delay
	s.note("%s asks for %s (mode %d, forced %v)", p.name, key, mode, ctx.Value(forced{}) != nil)
	if until := s.blocked[p]; sent.Before(until) && ctx.Value(forced{}) == nil {
		s.t.Errorf("%s asks for %s %v before it may\n%s", p.name, key, until.Sub(sent),
			strings.Join(s.history[max(0, len(s.history)-25):], "\n"))
	}
	if shut, is := s.shut[p]; ctx.Value(forced{}) == nil && (is || !s.answered[p]) {
		if last, out := s.probe[p]; out && last.After(shut) && sent.Sub(last) < fetchTimeout/3 {
			s.t.Errorf("%s asks for %s, though it knows nothing good and has asked %v ago\n%s", p.name, key,
				sent.Sub(last), strings.Join(s.history[max(0, len(s.history)-25):], "\n"))
		}
		s.probe[p] = sent
	}
	s.mu.Unlock()
	ended := func() {
		s.set(func(s *truth) {
			if s.probe[p].Equal(sent) {
				delete(s.probe, p)
			}
		})
	}
	defer ended()
	defer context.AfterFunc(ctx, ended)()
	switch mode {
	case hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	case hangsForGood:
		time.Sleep(20 * time.Second)
		return nil, errors.New("late")
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("%s is answered for %s, what it asked at %v (mode %d)", p.name, key, sent.Format("04:05.000"), mode)
	switch mode {
	case down:
		if ctx.Value(forced{}) == nil {
			s.shut[p] = time.Now()
		}
		return nil, &told{cache.CoolDown{Shared: true}}
	case askPatience:
		if ctx.Value(forced{}) == nil {
			s.shut[p] = time.Now()
			s.blocked[p] = time.Now().Add(patienceAsked)
		}
		return nil, &told{cache.CoolDown{RetryAfter: patienceAsked, Shared: true}}
	case refuseKey:
		s.answered[p] = true
		if !sent.Before(s.shut[p]) {
			delete(s.shut, p)
		}
		if !sent.Before(s.blocked[p]) {
			delete(s.blocked, p)
		}
		return nil, &told{cache.CoolDown{Permanent: true}}
	case panics:
		panic("told to")
	case repeats:
		for _, i := range slices.Backward(s.latest) {
			if i.key == key && i.lives() {
				s.succeeded(p)
				return &oauth2.Token{AccessToken: i.text, TokenType: "Bearer",
					ExpiresIn: int64(time.Until(i.ends) / time.Second), Expiry: i.ends}, nil
			}
		}
	}
	s.succeeded(p)
	i := &issued{text: fmt.Sprint("token-", len(s.tokens)+1, "-of-", key), key: key, ends: sent.Add(life)}
	s.tokens[i.text] = i
	s.latest = append(s.latest, i)
	return &oauth2.Token{AccessToken: i.text, TokenType: "Bearer", Expiry: i.ends}, nil
}

// succeeded notes that p gets a token. Those who see it in the Store may ask as well. s.mu is held.
func (s *truth) succeeded(p *process) {
	s.answered[p] = true
	clear(s.blocked)
	clear(s.shut)
}

// note keeps what happened, for when a seed fails. s.mu is held.
func (s *truth) note(format string, args ...any) {
	s.history = append(s.history, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

type storeMode int

const (
	works storeMode = iota
	isDown
	isSlow
	isHanging
	isReadOnly
	isRubbish
	losesLocks
	storeModes
)

// A faultyStore is what lies behind the handles of all processes.
type faultyStore struct {
	cache.Store

	mu    sync.Mutex // guards what follows
	mode  storeMode
	calls map[*process]int
	stuck map[string]time.Time // locks that nobody will give back
}

func (s *faultyStore) set(m storeMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
}

func (s *faultyStore) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, calls := range s.calls {
		n += calls
	}
	return n
}

func (s *faultyStore) holdForEver(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck == nil {
		s.stuck = make(map[string]time.Time)
	}
	s.stuck[key] = time.Now()
}

func (s *faultyStore) forgetLocks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck = nil
}

func (s *faultyStore) call(p *process) (storeMode, error) {
	if p.killed() {
		return 0, errors.New("killed")
	}
	s.mu.Lock()
	s.calls[p]++
	mode := s.mode
	s.mu.Unlock()
	switch mode {
	case isDown:
		return mode, errors.New("the store is down")
	case isSlow:
		time.Sleep(120 * time.Millisecond)
	case isHanging:
		time.Sleep(7 * time.Second)
	}
	if p.killed() {
		return 0, errors.New("killed")
	}
	return mode, nil
}

// A handle is one process's way to the Store.
type handle struct {
	*faultyStore
	p *process
}

func (h *handle) Get(ctx context.Context, key string) ([]byte, error) {
	mode, err := h.call(h.p)
	if err != nil {
		return nil, err
	}
	if mode == isRubbish {
		return []byte("rubbish"), nil
	}
	return h.Store.Get(context.WithoutCancel(ctx), key)
}

func (h *handle) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	mode, err := h.call(h.p)
	if err == nil && mode == isReadOnly {
		err = errors.New("read-only")
	}
	if err != nil {
		return err
	}
	return h.Store.Put(context.WithoutCancel(ctx), key, data, ttl)
}

func (h *handle) TryLock(
	ctx context.Context, key string, ttl time.Duration,
) (func(context.Context) error, bool, error) {
	mode, err := h.call(h.p)
	if err != nil {
		return nil, false, err
	}
	h.mu.Lock()
	_, stuck := h.stuck[key]
	h.mu.Unlock()
	if stuck {
		return nil, false, nil
	}
	if mode == losesLocks {
		return func(context.Context) error { return nil }, true, nil
	}
	unlock, ok, err := h.Store.(cache.Locker).TryLock(context.WithoutCancel(ctx), key, ttl)
	if !ok || err != nil {
		return nil, false, err
	}
	return func(ctx context.Context) error {
		if _, err := h.call(h.p); err != nil {
			return err
		}
		return unlock(context.WithoutCancel(ctx))
	}, true, nil
}
