package fleet

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"
)

var (
	processes = flag.Int("processes", 500, "how many are simulated")
	svg       = flag.String("svg", "", "write the plot to this `file`")
)

func TestTry(t *testing.T) {
	for _, k := range []kind{sharing, alone, xoauth2} {
		start := time.Now()
		var w *world
		synctest.Test(t, func(t *testing.T) {
			w = newWorld(sixHours(*processes))
			w.run(k)
		})
		sum := func(s series, win window) (n, peak int) {
			for i := range s {
				if win.holds(time.Duration(i) * time.Second) {
					v := int(s[i].Load())
					n += v
					peak = max(peak, v)
				}
			}
			return
		}
		t.Log(k.name, time.Since(start), "calls", w.calls.Load(), "slowest", time.Duration(w.slowest.Load()))
		all := window{0, w.span + time.Minute}
		for name, win := range map[string]window{"all": all, "start": {0, 5 * time.Minute}, "calm": w.calm, "restart": w.restart, "server": w.serverDown, "store": w.storeDown} {
			rn, rp := sum(w.requests, win)
			fn, fp := sum(w.failed, win)
			sn, sp := sum(w.storeOps, win)
			t.Logf("%10s requests %d peak %d failed %d peak %d store %d peak %d", name, rn, rp, fn, fp, sn, sp)
		}
	}
}
