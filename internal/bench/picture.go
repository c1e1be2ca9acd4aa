package main

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"os"
	"time"
)

// The picture of the README: what callers wait for when a token runs out. Tokens live for longer than x/oauth2's fixed
// margin of 10 s, so that both are measured as they come.
const (
	pictureLife = 30 * time.Second
	pictureSpan = time.Minute
)

// What of it is drawn: the calls around the second token request.
const (
	pictureFrom = -200 * time.Millisecond
	pictureTo   = 600 * time.Millisecond
	pictureTop  = 250 * time.Millisecond // of the scale of waits
)

// A panel of the picture is one contestant.
type panel struct {
	name    string
	calls   []call
	asked   time.Time // when the second token was asked for
	longest float64   // wait of all calls, in milliseconds
	slow    float64   // calls, those over patience
}

// drawExpiry measures the contestants and draws them.
func drawExpiry(file string, progress io.Writer) error {
	panels := []panel{{name: "golang.org/x/oauth2/clientcredentials"}, {name: "go-ccclient"}}
	for i, e := range []entrant{xoauth2, ours} {
		fmt.Fprintf(progress, "%s: calls for %v\n", e.name, pictureSpan)
		panels[i] = steadily(func() panel { return measure(panels[i].name, e) }, func(d time.Duration) {
			fmt.Fprintf(progress, "%s: the machine stood still for %v\n", e.name, d.Round(time.Millisecond))
		})
		fmt.Fprintf(progress, "%s: %s\n", e.name, panels[i].summary())
	}
	var svg bytes.Buffer
	draw(&svg, panels)
	return os.WriteFile(file, svg.Bytes(), 0o644)
}

func measure(name string, e entrant) panel {
	s, calls := acrossExpiries(e, pictureLife, pictureSpan)
	asked := s.server.TokenRequests()[1].Time
	return panel{name: name, calls: calls, asked: asked, longest: longest(calls), slow: tally(calls, heldUp)}
}

func (p panel) summary() string {
	return fmt.Sprintf("%.0f of %d calls waited over %d ms, the longest %s",
		p.slow, len(p.calls), patience.Milliseconds(), longestCall.format(p.longest))
}

// The picture's measures, in pixels.
const (
	pictureWidth  = 880
	pictureHeight = 336
	panelLeft     = 62 // of the first one
	panelWidth    = 360
	panelDistance = 424 // from one's left to the next one's
	panelTop      = 124
	panelBottom   = 294
)

// The colours are the reader's: those of a dark page where that is preferred.
const pictureStyle = `
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 } .name { font-weight: 600 } .small { font-size: 12px; fill: #59636e }
.page { fill: #ffffff } .grid { stroke: #d1d9e0 } .asked { fill: #eff2f5 }
.panel0 { fill: #cf222e } .panel1 { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 }
  .page { fill: #0d1117 } .grid { stroke: #3d444d } .asked { fill: #212830 }
  .panel0 { fill: #ff7b72 } .panel1 { fill: #58a6ff }
}
`

// draw writes the picture as SVG.
func draw(w io.Writer, panels []panel) {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`, pictureWidth, pictureHeight)
	fmt.Fprintf(w, "\n<title>How long calls wait when a token runs out</title>\n<desc>")
	for _, p := range panels {
		fmt.Fprintf(w, "%s: %s. ", html.EscapeString(p.name), p.summary())
	}
	fmt.Fprintf(w, "</desc>\n<style>%s</style>\n", pictureStyle)
	fmt.Fprintf(w, `<rect class="page" width="%d" height="%d" rx="6"/>`+"\n", pictureWidth, pictureHeight)
	text(w, "title", 16, 30, "How long calls wait when a token runs out")
	text(w, "small", 16, 52, fmt.Sprintf("%d calls a second for a minute, tokens of %.0f s, a token server that takes %d ms. "+
		"Dots are calls, the grey band is the next token's request.",
		time.Second/interval, pictureLife.Seconds(), serverSlow.Milliseconds()))
	for i, p := range panels {
		p.draw(w, i, panelLeft+panelDistance*i)
	}
	fmt.Fprintln(w, "</svg>")
}

// draw writes one panel.
func (p panel) draw(w io.Writer, i, left int) {
	text(w, "name", left, panelTop-34, p.name)
	text(w, "small", left, panelTop-14, p.summary())
	asked, answered := x(left, 0), x(left, serverSlow)
	fmt.Fprintf(w, `<rect class="asked" x="%.1f" y="%d" width="%.1f" height="%d"/>`+"\n",
		asked, panelTop, answered-asked, panelBottom-panelTop)
	for wait := time.Duration(0); wait < pictureTop; wait += 100 * time.Millisecond {
		fmt.Fprintf(w, `<path class="grid" d="M%d %.1fh%d"/>`+"\n", left, y(wait), panelWidth)
		fmt.Fprintf(w, `<text class="small" x="%d" y="%.1f" text-anchor="end">%d ms</text>`+"\n",
			left-6, y(wait)+4, wait.Milliseconds())
	}
	for at := pictureFrom; at <= pictureTo; at += 200 * time.Millisecond {
		fmt.Fprintf(w, `<text class="small" x="%.1f" y="%d" text-anchor="middle">%g s</text>`+"\n",
			x(left, at), panelBottom+22, at.Seconds())
	}
	fmt.Fprintf(w, `<g class="panel%d">`+"\n", i)
	for _, c := range p.calls {
		if at := c.at.Sub(p.asked); at >= pictureFrom && at <= pictureTo {
			fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="2.2"/>`+"\n", x(left, at), y(c.took))
		}
	}
	fmt.Fprintln(w, `</g>`)
}

// x is where a time is in the panel that begins at left; zero is when the token is asked for.
func x(left int, at time.Duration) float64 {
	return float64(left) + panelWidth*float64(at-pictureFrom)/float64(pictureTo-pictureFrom)
}

// y is where a wait is in a panel.
func y(wait time.Duration) float64 {
	return panelBottom - (panelBottom-panelTop)*min(1, wait.Seconds()/pictureTop.Seconds())
}

func text(w io.Writer, class string, x, y int, s string) {
	fmt.Fprintf(w, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, html.EscapeString(s))
}
