// Package seconds reads the numbers of seconds that authorization servers write: as a JSON number, a numeric string,
// a fraction or with an exponent.
package seconds

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Max bounds what Parse and Duration return, in either direction: ten years. No server means more, and nothing that
// adds a few of them overflows.
const Max = 10 * 365 * 24 * time.Hour

// Parse reads v, a number of seconds as encoding/json or a form decoder left it, rounded to nanoseconds and clamped
// to [-Max, Max]. ok is false if v is not a number: null, text, NaN, an infinity, or another type.
func Parse(v any) (d time.Duration, ok bool) {
	f, ok := Number(v)
	if !ok {
		return 0, false
	}
	return Duration(f), true
}

// Duration returns f seconds clamped to [-Max, Max]. What is not zero does not round to zero, since zero has a
// meaning of its own in token responses. f is not NaN.
func Duration(f float64) time.Duration {
	switch {
	case f >= Max.Seconds():
		return Max
	case f <= -Max.Seconds():
		return -Max
	}
	d := time.Duration(math.Round(f * float64(time.Second)))
	switch {
	case d == 0 && f > 0:
		return 1
	case d == 0 && f < 0:
		return -1
	}
	return d
}

// Number reads v as a decimal number. A numeral beyond float64 becomes the largest float64 of its sign, never an
// infinity.
func Number(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case json.Number:
		return decimal(string(v))
	case string:
		return decimal(strings.TrimSpace(v))
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}

// decimal reads as strconv.ParseFloat without the words (inf, nan), hexadecimal and underscores that it also takes.
func decimal(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return math.Copysign(math.MaxFloat64, f), true
	case err != nil:
		return 0, false
	}
	return f, true
}
