package main

import "runtime"

// ballast gives some 48 MB in half a million objects, as a service
// would hold them: on an empty heap the collector runs all the time, and what
// an allocation costs is mostly that.
func ballast() [][]*[96]byte {
	live := make([][]*[96]byte, 1000)
	for i := range live {
		live[i] = make([]*[96]byte, 500)
		for j := range live[i] {
			live[i][j] = new([96]byte)
		}
	}
	return live
}

// heap is how many bytes are live.
func heap() float64 {
	runtime.GC()
	runtime.GC() // What finalizers and pools held goes at the second.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
