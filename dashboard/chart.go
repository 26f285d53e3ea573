package dashboard

import (
	"slices"
	"time"

	"tolem/locale"
)

// chart is what was credited on each day, in one currency: bars whose places are
// computed here and drawn as SVG by the template, in the colours of the style
// sheet. A table beside it says the same to whoever does not see it.
type chart struct {
	Currency string
	Total    int64
	Bars     []bar
	Top      string // the amount at the top line
	Width    int
	Height   int
}

type bar struct {
	X, Y, Width, Height int
	Start               time.Time
	Amount              int64
	Count               int64
	Label               string // under some bars: the day of the month
	Today               bool
}

// Middle is the middle of the bar.
func (b bar) Middle() int { return b.X + b.Width/2 }

const (
	chartHeight = 120
	barWidth    = 16
	barGap      = 6
)

// charts makes a chart for each currency, the one with the most credits first.
func charts(p locale.Printer, days []DayTotal) []chart {
	counts := map[string]int64{}
	for _, d := range days {
		for currency, n := range d.Counts {
			counts[currency] += n
		}
	}
	currencies := make([]string, 0, len(counts))
	for currency := range counts {
		currencies = append(currencies, currency)
	}
	slices.SortFunc(currencies, func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b] - counts[a])
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	var list []chart
	for _, currency := range currencies {
		list = append(list, chartOf(p, currency, days))
	}
	return list
}

func chartOf(p locale.Printer, currency string, days []DayTotal) chart {
	c := chart{Currency: currency, Width: len(days) * (barWidth + barGap), Height: chartHeight}
	var most int64 = 1
	for _, d := range days {
		most = max(most, d.Sums[currency])
		c.Total += d.Sums[currency]
	}
	c.Top = money(p, most, currency)
	for i, d := range days {
		amount := d.Sums[currency]
		height := int(float64(chartHeight) * (float64(max(amount, 0)) / float64(most)))
		if amount > 0 {
			height = max(height, 2)
		}
		b := bar{
			X: i*(barWidth+barGap) + barGap/2, Y: chartHeight - height, Width: barWidth, Height: height,
			Start: d.Start, Amount: amount, Count: d.Counts[currency], Today: i == len(days)-1,
		}
		if (len(days)-1-i)%7 == 0 {
			b.Label = p.DayOfMonth(d.Start)
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}
