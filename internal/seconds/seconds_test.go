package seconds_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

func TestSecondsAreReadInEveryShapeThatServersWrite(t *testing.T) {
	tests := []struct {
		in   any
		want time.Duration
		ok   bool
	}{
		{float64(3600), time.Hour, true},
		{json.Number("3600"), time.Hour, true},
		{"3600", time.Hour, true},
		{" 3600\n", time.Hour, true},
		{int64(60), time.Minute, true},
		{60, time.Minute, true},
		{"14399", 14399 * time.Second, true},
		{1.5, 1500 * time.Millisecond, true},
		{"0.25", 250 * time.Millisecond, true},
		{json.Number("3.6e3"), time.Hour, true},
		{"1E2", 100 * time.Second, true},
		{"+60", time.Minute, true},
		{float64(0), 0, true},
		{"0", 0, true},
		{"-0", 0, true},
		{float64(-5), -5 * time.Second, true},
		{"-0.5", -500 * time.Millisecond, true},
		{"1e-12", 1, true},
		{-1e-12, -1, true},
		{1e300, seconds.Max, true},
		{json.Number("1e400"), seconds.Max, true},
		{"-1e400", -seconds.Max, true},
		{float64(9223372036854775807), seconds.Max, true},
		{seconds.Max.Seconds(), seconds.Max, true},

		{nil, 0, false},
		{"", 0, false},
		{" ", 0, false},
		{"never", 0, false},
		{"NaN", 0, false},
		{"Inf", 0, false},
		{"-inf", 0, false},
		{"infinity", 0, false},
		{"0x10", 0, false},
		{"1_000", 0, false},
		{"1,5", 0, false},
		{"3600s", 0, false},
		{"1 000", 0, false},
		{"--1", 0, false},
		{json.Number(""), 0, false},
		{math.NaN(), 0, false},
		{math.Inf(1), 0, false},
		{math.Inf(-1), 0, false},
		{true, 0, false},
		{[]any{3600.0}, 0, false},
		{map[string]any{}, 0, false},
	}
	for _, test := range tests {
		got, ok := seconds.Parse(test.in)
		if got != test.want || ok != test.ok {
			t.Errorf("Parse(%#v) = %v, %v; want %v, %v", test.in, got, ok, test.want, test.ok)
		}
	}
}

func FuzzSeconds(f *testing.F) {
	for _, s := range []string{"3600", "1.5", "-1", "1e400", "0x1p3", "NaN", "", "1e-400", "+.e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := seconds.Parse(s)
		if d > seconds.Max || d < -seconds.Max {
			t.Errorf("Parse(%q) = %v, beyond the bound", s, d)
		}
		if !ok && d != 0 {
			t.Errorf("Parse(%q) = %v, false; want 0", s, d)
		}
	})
}
