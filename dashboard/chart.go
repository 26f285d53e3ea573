package dashboard

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/go-analyze/charts/chartdraw"

	"tolem/locale"
	"tolem/topup"
)

// chart is what was credited on each day, less what was refunded, in one currency.
// A table below it has the same numbers.
type chart struct {
	Currency      string
	Total         int64
	Days          []chartDay
	Drawing       template.HTML // an SVG element, in the colours of the style sheet
	Width, Height int
	Place         chartdraw.Box // of the bars
}

type chartDay struct {
	DayTotal
	Left, Width int
}

const (
	chartHeight = 300
	dayWidth    = 22
	barGap      = 6
	digitWidth  = 15 // on a telephone, where texts are the largest beside the bars
)

// charts makes a chart for each currency, the one with the most credits first.
func charts(p locale.Printer, days []DayTotal) ([]chart, error) {
	counts := map[string]int64{}
	for _, d := range days {
		for currency, n := range d.Counts {
			counts[currency] += n
		}
	}
	currencies := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var list []chart
	for _, currency := range currencies {
		c, err := chartOf(p, currency, days)
		if err != nil {
			return nil, fmt.Errorf("draw the chart of %s: %w", currency, err)
		}
		list = append(list, c)
	}
	return list, nil
}

func chartOf(p locale.Printer, currency string, days []DayTotal) (chart, error) {
	c := chart{Currency: currency, Height: chartHeight}
	var bars []chartdraw.Value
	var least, most int64
	for i, d := range days {
		b := chartdraw.Value{Value: float64(d.Sums[currency]), Style: chartdraw.Style{ClassName: "bar"}}
		if i == len(days)-1 {
			b.Style.ClassName = "bar today"
		}
		if (len(days)-1-i)%7 == 0 {
			b.Label = p.DayOfMonth(d.Start)
		}
		bars = append(bars, b)
		c.Total += d.Sums[currency]
		least, most = min(least, d.Sums[currency]), max(most, d.Sums[currency])
	}
	axis := amountAxis(p, currency, least, most)
	digits := max(utf8.RuneCountInString(axis.Ticks[0].Label), utf8.RuneCountInString(axis.Ticks[len(axis.Ticks)-1].Label))
	padding := chartdraw.Box{Top: 14, Left: digits * digitWidth, Right: 24, Bottom: 22, IsSet: true}
	c.Width = padding.Left + 10 + len(days)*dayWidth + padding.Right // 10 is between the axis and its texts
	var svg bytes.Buffer
	err := chartdraw.BarChart{
		Width: c.Width, Height: c.Height, Bars: bars, BarWidth: dayWidth - barGap, BarSpacing: barGap, UseBaseValue: true, YAxis: axis,
		XAxis:      chartdraw.Style{ClassName: "days"},
		Background: chartdraw.Style{ClassName: "ground", Padding: padding},
		Canvas:     chartdraw.Style{ClassName: "ground"},
		Elements: []chartdraw.Renderable{func(_ chartdraw.Renderer, place chartdraw.Box, _ chartdraw.Style) {
			c.Place = place
			for i, d := range days {
				c.Days = append(c.Days, chartDay{d, place.Left + i*dayWidth, dayWidth})
			}
		}},
	}.Render(func(w, h int) chartdraw.Renderer { return classes{chartdraw.SVG(w, h)} }, &svg)
	c.Drawing = template.HTML(svg.String())
	return c, err
}

// amountAxis has at most seven round amounts, from one below the least to one above
// the most, in major units: the chart's title has the currency.
func amountAxis(p locale.Printer, currency string, least, most int64) chartdraw.YAxis {
	axis := chartdraw.YAxis{
		AxisType: chartdraw.YAxisSecondary, Style: chartdraw.Style{ClassName: "amounts"}, Zero: chartdraw.GridLine{Style: chartdraw.Hidden()},
	}
	unit := int64(1)
	for digits, _ := topup.Digits(currency); digits > 0; digits-- {
		unit *= 10
	}
	step := unit
	for i := 0; most/step-least/step >= 5; i++ { // 1, 2, 5, 10, 20, 50…
		if i%3 == 1 {
			step = step / 2 * 5
		} else {
			step *= 2
		}
	}
	from, to := (least-step+1)/step, max((most+step-1)/step, 1)
	for n := from; n <= to; n++ {
		at := float64(n) * float64(step)
		axis.Ticks = append(axis.Ticks, chartdraw.Tick{Value: at, Label: p.Number(n * (step / unit))})
		axis.GridLines = append(axis.GridLines, chartdraw.GridLine{Value: at})
	}
	return axis
}

// classes leaves all looks to the style sheet. The pages' policy forbids the style
// attributes that chartdraw gives to what has no class. Texts have no size here, so that
// each is put at the point which the style sheet makes its middle, its end or its top:
// only the browser knows the font.
type classes struct{ chartdraw.Renderer }

func (c classes) ResetStyle() {
	c.Renderer.ResetStyle()
	c.SetClassName("grid")
}

func (c classes) MeasureText(string) chartdraw.Box { return chartdraw.Box{IsSet: true} }
