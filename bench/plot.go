//go:build linux

package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// The plot has two panels with one axis of sizes: the rate above, p99 below.
const (
	plotWidth   = 720
	panelHeight = 190
	plotLeft    = 80
	plotRight   = 20
	plotTop     = 56
	panelGap    = 66
	plotBottom  = 58
)

// panel is one of the two.
type panel struct {
	title  string
	top    float64
	most   float64 // the value at the upper edge
	series []series
}

// series is a line of a panel: a value for each size.
type series struct {
	name, colour string
	values       []float64
}

// plot draws the study as SVG.
func (s study) plot() []byte {
	if len(s.Sizes) == 0 {
		return nil
	}
	column := func(of func(sized) float64) (values []float64) {
		for _, one := range s.Sizes {
			values = append(values, of(one))
		}
		return values
	}
	panels := []panel{
		{title: "callbacks a second, durable credits, closed loop", series: []series{
			{"this many payments", "#1f5fa8", column(func(o sized) float64 { return o.Rate })},
			{"when all of its customers top up", "#7fb2e5", column(func(o sized) float64 { return o.AllRate })},
			{"an empty database, measured in turns", "#9a9a9a", column(func(o sized) float64 { return o.EmptyRate })},
		}},
		{title: "milliseconds at half of the rate of all customers, open loop", series: []series{
			{"p99", "#b3402a", column(func(o sized) float64 { return o.P99Millis })},
			{"p50", "#c99a2e", column(func(o sized) float64 { return o.P50Millis })},
		}},
	}
	height := plotTop + len(panels)*panelHeight + (len(panels)-1)*panelGap + plotBottom
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#333">`+"\n", plotWidth, height)
	fmt.Fprintf(&out, `<title>Rate and p99 of callbacks against the number of payments</title>`+"\n")
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, height)
	for i := range panels {
		panels[i].top = plotTop + float64(i)*(panelHeight+panelGap)
		s.panel(&out, &panels[i])
	}
	s.sizes(&out, panels[len(panels)-1].top+panelHeight)
	fmt.Fprintf(&out, `<text x="%d" y="%d" font-size="10" fill="#777">%s</text>`+"\n</svg>\n", plotLeft, height-8, html.EscapeString(s.Machine))
	return out.Bytes()
}

// panel draws the frame, the grid and the lines.
func (s study) panel(out *bytes.Buffer, p *panel) {
	for _, line := range p.series {
		for _, value := range line.values {
			p.most = max(p.most, value)
		}
	}
	step := niceStep(p.most / 4)
	p.most = step * math.Ceil(p.most/step)
	fmt.Fprintf(out, `<text x="%d" y="%.1f" font-weight="bold">%s</text>`+"\n", plotLeft, p.top-30, html.EscapeString(p.title))
	for value := 0.0; value <= p.most*1.0001; value += step {
		fmt.Fprintf(out, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#e4e4e4"/>`, plotLeft, p.y(value), plotWidth-plotRight, p.y(value))
		fmt.Fprintf(out, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", plotLeft-8, p.y(value)+4, number(value))
	}
	for i, line := range p.series {
		s.line(out, p, line)
		x := plotLeft + 190*i
		fmt.Fprintf(out, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s" stroke-width="2"/>`, x, p.top-16, x+18, p.top-16, line.colour)
		fmt.Fprintf(out, `<text x="%d" y="%.1f" font-size="11">%s</text>`+"\n", x+24, p.top-12, html.EscapeString(line.name))
	}
}

func (s study) line(out *bytes.Buffer, p *panel, line series) {
	fmt.Fprintf(out, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, line.colour)
	for i, value := range line.values {
		fmt.Fprintf(out, "%.1f,%.1f ", s.x(i), p.y(value))
	}
	fmt.Fprint(out, `"/>`+"\n")
	for i, value := range line.values {
		fmt.Fprintf(out, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"><title>%s</title></circle>`+"\n", s.x(i), p.y(value), line.colour, number(value))
	}
}

// sizes draws the axis of payments.
func (s study) sizes(out *bytes.Buffer, y float64) {
	for i, one := range s.Sizes {
		fmt.Fprintf(out, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", s.x(i), y+18, number(float64(one.Payments)))
	}
	fmt.Fprintf(out, `<text x="%d" y="%.1f" text-anchor="middle">payments in the database</text>`+"\n", (plotLeft+plotWidth-plotRight)/2, y+36)
}

// x is the position of a size on the logarithmic axis.
func (s study) x(i int) float64 {
	const margin = 30
	width := float64(plotWidth - plotLeft - plotRight - 2*margin)
	first, last := math.Log(float64(s.Sizes[0].Payments)), math.Log(float64(s.Sizes[len(s.Sizes)-1].Payments))
	if last == first {
		return plotLeft + margin + width/2
	}
	return plotLeft + margin + width*(math.Log(float64(s.Sizes[i].Payments))-first)/(last-first)
}

func (p *panel) y(value float64) float64 { return p.top + panelHeight*(1-value/p.most) }

// niceStep is the next of 1, 2, 5, 10 … times a power of ten.
func niceStep(least float64) float64 {
	if least <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= least {
			return factor * power
		}
	}
	return 10 * power
}

// number shows a value with as many digits as it needs, in groups of three.
func number(value float64) string {
	if value != math.Trunc(value) {
		return fmt.Sprintf("%.3g", value)
	}
	text := fmt.Sprintf("%.0f", value)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
