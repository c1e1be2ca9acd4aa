package fleet

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colours are those of the kinds: legible on white, and to the colour-blind.
var colours = [len(kinds)]color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xd5, 0x5e, 0x00, 0xff},
}

var widths = [len(kinds)]vg.Length{vg.Points(2), vg.Points(1), vg.Points(1)}

const margin = 4 * vg.Millimeter

// bottom is where a logarithmic axis shows zero.
const bottom = 0.5

// drawSVG draws what happened to the fleets, minute by minute.
func drawSVG(file string, p plan, fleets [len(kinds)]*world) error {
	above, err := panel(p, fleets, requests, "token requests a minute")
	if err != nil {
		return err
	}
	above.Title.Text = fmt.Sprintf("%s processes, tokens of one hour", thousands(p.processes))
	above.Legend.Top = true
	above.Legend.Padding = vg.Points(1)
	for i, k := range kinds {
		above.Legend.Add(k.name, &plotter.Line{LineStyle: draw.LineStyle{Color: colours[i], Width: widths[i]}})
	}
	below, err := panel(p, fleets, failed, "failed calls a minute")
	if err != nil {
		return err
	}
	below.X.Label.Text = "hours"

	canvas := vgsvg.New(22*vg.Centimeter, 18*vg.Centimeter)
	paper := draw.New(canvas)
	paper.SetColor(color.White)
	paper.Fill(paper.Rectangle.Path())
	tiles := draw.Tiles{
		Rows: 2, Cols: 1, PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: 2 * margin, PadY: margin,
	}
	parts := [][]*plot.Plot{{above}, {below}}
	for i, c := range plot.Align(parts, tiles, paper) {
		parts[i][0].Draw(c[0])
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// panel is the plot of one series of all fleets.
func panel(p plan, fleets [len(kinds)]*world, of func(*world) series, label string) (*plot.Plot, error) {
	top := 10.0
	var lines [len(kinds)]*plotter.Line
	for i, w := range fleets {
		minutes := byMinute(of(w))
		for _, point := range minutes {
			top = max(top, point.Y)
		}
		line, err := plotter.NewLine(minutes)
		if err != nil {
			return nil, err
		}
		line.Color = colours[i]
		line.Width = widths[i]
		line.StepStyle = plotter.PostStep
		lines[i] = line
	}
	top = math.Pow(10, math.Ceil(math.Log10(top)))

	out := plot.New()
	out.Y.Label.Text = label
	out.Y.Scale = plot.LogScale{}
	out.Y.Tick.Marker = decades{}
	out.Y.Min, out.Y.Max = bottom, top
	out.X.Min, out.X.Max = 0, p.span.Hours()
	out.X.Tick.Marker = hours{}
	for _, shade := range []struct {
		window
		name string
	}{{p.restart, "rolling restart"}, {p.serverDown, "server down"}, {p.storeDown, "store down"}} {
		from, to := shade.from.Hours(), shade.to.Hours()
		corners := plotter.XYs{{X: from, Y: bottom}, {X: to, Y: bottom}, {X: to, Y: top}, {X: from, Y: top}}
		area, err := plotter.NewPolygon(corners)
		if err != nil {
			return nil, err
		}
		area.Color, area.LineStyle.Width = color.Gray{0xea}, 0
		name, err := plotter.NewLabels(plotter.XYLabels{
			XYs: plotter.XYs{{X: from, Y: top / 1.7}}, Labels: []string{" " + shade.name},
		})
		if err != nil {
			return nil, err
		}
		out.Add(area, name)
	}
	for i := range lines {
		line := lines[len(lines)-1-i] // the library's last, on top
		out.Add(line)
	}
	return out, nil
}

func byMinute(s series) plotter.XYs {
	const minute = int(time.Minute / time.Second)
	points := make(plotter.XYs, len(s)/minute)
	for i := range points {
		n := 0
		for second := range minute {
			n += int(s[i*minute+second].Load())
		}
		points[i].X = float64(i) / 60
		points[i].Y = max(float64(n), bottom)
	}
	return points
}

// decades are the ticks of a logarithmic axis with a zero.
type decades struct{}

func (decades) Ticks(low, high float64) []plot.Tick {
	ticks := []plot.Tick{{Value: low, Label: "0"}}
	for v := 1.0; v <= high; v *= 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: thousands(int(v))})
	}
	return ticks
}

type hours struct{}

func (hours) Ticks(low, high float64) (ticks []plot.Tick) {
	for v := low; v <= high; v++ {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprint(v)})
	}
	return ticks
}
