package ccstatus

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
)

// A condition says what a token is doing, in the order in which it wants attention.
type condition string

const (
	coolingDown condition = "cooling down"
	none        condition = "without a token"
	expiring    condition = "expiring"
	stale       condition = "stale"
	refreshing  condition = "refreshing"
	fresh       condition = "fresh"
)

var conditions = []condition{coolingDown, none, expiring, stale, refreshing, fresh}

func conditionOf(s *ccclient.TokenStatus) condition {
	switch {
	case !s.CoolDown.IsZero():
		return coolingDown
	case s.Fetching:
		return refreshing
	case s.State == cache.StateFresh:
		return fresh
	case s.State == cache.StateStale:
		return stale
	case s.State == cache.StateExpiring:
		return expiring
	default:
		return none
	}
}

// A page is what is shown at once.
type page struct {
	Time   time.Time         `json:"time"`
	Total  int               `json:"total"`
	Number int               `json:"page"`
	Pages  int               `json:"pages"`
	States map[condition]int `json:"states"`
	Tokens []row             `json:"tokens"`
}

// A row is one token.
type row struct {
	Condition condition `json:"shown_as"`
	ccclient.TokenStatus
	now time.Time
}

// newPage returns the page of all that has a number, or the one that is nearest to it.
func newPage(all []ccclient.TokenStatus, number int, now time.Time) *page {
	p := &page{Time: now.UTC().Truncate(time.Second), Total: len(all), States: make(map[condition]int)}
	rows := make([]row, len(all))
	for i := range all {
		rows[i] = row{conditionOf(&all[i]), all[i], now}
		p.States[rows[i].Condition]++
	}
	rank := make(map[condition]int)
	for i, c := range conditions {
		rank[c] = i
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(rank[a.Condition], rank[b.Condition]) })
	p.Pages = max(1, (len(rows)+perPage-1)/perPage)
	p.Number = min(max(number, 1), p.Pages)
	first := (p.Number - 1) * perPage
	p.Tokens = rows[first:min(first+perPage, len(rows))]
	return p
}

// A count is how many tokens are in one condition.
type count struct {
	Condition condition
	Tokens    int
}

// Counts returns those that are not 0, in the order of the page.
func (p *page) Counts() (counts []count) {
	for _, c := range conditions {
		if n := p.States[c]; n > 0 {
			counts = append(counts, count{c, n})
		}
	}
	return counts
}

// Previous and Next are the numbers of the pages beside this one; 0: there is none.
func (p *page) Previous() int { return p.Number - 1 }

func (p *page) Next() int {
	if p.Number == p.Pages {
		return 0
	}
	return p.Number + 1
}

// Style is what the page looks like.
func (p *page) Style() template.CSS { return template.CSS(style) }

// Class returns what the style calls the condition.
func (c condition) Class() string { return strings.ReplaceAll(string(c), " ", "-") }

// Name returns what a person may know the token by.
func (r row) Name() string {
	return cmp.Or(r.Label, r.Audience, strings.Join(r.Scopes, " "), strings.Join(r.Resources, " "), r.ClientID)
}

// Age returns for how long the token has been there; empty if there is none.
func (r row) Age() string { return span(r.now.Sub(r.Obtained), r.Obtained) }

// ExpiresIn, RefreshIn, CoolDownFor, FailedAgo and FailingFor return how far away these are; empty if they are not.
func (r row) ExpiresIn() string   { return span(r.Expiry.Sub(r.now), r.Expiry) }
func (r row) RefreshIn() string   { return span(r.TokenStatus.Refresh.Sub(r.now), r.TokenStatus.Refresh) }
func (r row) CoolDownFor() string { return span(r.CoolDown.Sub(r.now), r.CoolDown) }
func (r row) FailedAgo() string   { return span(r.now.Sub(r.FailedAt), r.FailedAt) }
func (r row) FailingFor() string  { return span(r.now.Sub(r.Since), r.Since) }

// span returns d as people read it, of an instant that may be none.
func span(d time.Duration, of time.Time) string {
	switch {
	case of.IsZero():
		return ""
	case d <= 0:
		return "now"
	case d < time.Second:
		return "under 1s"
	}
	unit := time.Second
	if d >= time.Hour {
		unit = time.Minute
	}
	text := d.Truncate(unit).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

//go:embed page.html
var source string

//go:embed page.css
var style string

var layout = template.Must(template.New("page").Parse(source))

// policy lets the page show its own style, and nothing else.
var policy = func() string {
	hash := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()
