package main

import "testing"

func TestTenThousandKeysAreCheap(t *testing.T) { reach(t, keysHeld(), false) }
