package dashboard_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"tolem/store"
	"tolem/topup"
)

// element is a part of a drawing.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Elements []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// with are the parts of e that have a class, and e itself.
func (e element) with(class string) []element {
	var list []element
	if slices.Contains(strings.Fields(e.attr("class")), class) {
		list = append(list, e)
	}
	for _, part := range e.Elements {
		list = append(list, part.with(class)...)
	}
	return list
}

func texts(list []element) string {
	var all []string
	for _, e := range list {
		if e.XMLName.Local == "text" {
			all = append(all, strings.ReplaceAll(e.Text, "\u00a0", " "))
		}
	}
	return strings.Join(all, " | ")
}

// ends are the highest and the lowest point of a path, counted downwards.
func (e element) ends(t *testing.T) (top, bottom int) {
	t.Helper()
	var ys []int
	for point := range strings.Lines(e.attr("d")) {
		var command string
		var x, y int
		if _, err := fmt.Sscan(point, &command, &x, &y); err != nil {
			t.Fatalf("%q: %v", e.attr("d"), err)
		}
		ys = append(ys, y)
	}
	return slices.Min(ys), slices.Max(ys)
}

// drawings are the charts of a page.
func drawings(t *testing.T, page string) []element {
	t.Helper()
	var list []element
	for {
		_, rest, found := strings.Cut(page, `<figure class="card chart">`)
		if !found {
			return list
		}
		var e element
		if err := xml.NewDecoder(strings.NewReader(rest)).Decode(&e); err != nil && err != io.EOF {
			t.Fatalf("a chart is not XML: %v", err)
		}
		list, page = append(list, e), rest
	}
}

// onlyClasses reports what the policy of the pages forbids, or the style sheet does not
// colour.
func onlyClasses(t *testing.T, e element) {
	t.Helper()
	known := map[string]string{"svg": "xmlns xlink viewBox role aria-label", "path": "d class", "text": "x y class", "rect": "class x y width height", "title": ""}
	attrs, ok := known[e.XMLName.Local]
	if !ok {
		t.Errorf("a chart has <%s>", e.XMLName.Local)
	}
	for _, a := range e.Attrs {
		if !slices.Contains(strings.Fields(attrs), a.Name.Local) {
			t.Errorf("<%s> has %s=%q", e.XMLName.Local, a.Name.Local, a.Value)
		}
	}
	if strings.Contains(attrs, "class") && e.attr("class") == "" {
		t.Errorf("<%s> has no class: %v", e.XMLName.Local, e.Attrs)
	}
	for _, part := range e.Elements {
		onlyClasses(t, part)
	}
}

func TestChart(t *testing.T) {
	r := newRig(t)
	r.clock.Add(-24 * time.Hour)
	refunded := r.paid("996555000111", "k1", 45000)
	r.clock.Add(24 * time.Hour)
	r.paid(phone, "e1", 123456700)
	r.paid(phone, "e1", 100)
	request := topup.RefundRequest{PayBack: topup.PayBack{Amount: 15000}}
	if _, err := r.store.RefundPayment(t.Context(), refunded, request, store.By{Actor: "bek", Reason: "ticket 7", Token: true, Role: "operator"}); err != nil {
		t.Fatal(err)
	}
	v := r.signIn(annaToken)
	page := func(language string) []element {
		for range 100 { // the first figures come in the background
			if got := v.get("/?lang=" + language); !strings.Contains(got.body, `http-equiv="refresh"`) {
				return drawings(t, got.body)
			}
			r.clock.Add(10 * time.Second)
		}
		t.Fatal("the figures do not come")
		return nil
	}
	charts := page("en")
	if len(charts) != 2 {
		t.Fatalf("charts: got %d, want 2", len(charts))
	}
	tenge, som := charts[0], charts[1]

	t.Run("HasNoLooksOfItsOwn", func(t *testing.T) {
		onlyClasses(t, tenge)
		onlyClasses(t, som)
	})
	t.Run("IsAnImageWithAName", func(t *testing.T) {
		if tenge.attr("role") != "img" || !strings.Contains(tenge.attr("aria-label"), "₸1,234,568.00") {
			t.Errorf("got %v", tenge.Attrs)
		}
	})
	t.Run("TheAxisIsInTheLanguageOfThePage", func(t *testing.T) {
		for language, want := range map[string]string{
			"en": "0 | 500,000 | 1,000,000 | 1,500,000", "ru": "0 | 500 000 | 1 000 000 | 1 500 000", "kk": "0 | 500 000 | 1 000 000 | 1 500 000",
		} {
			if got := texts(page(language)[0].with("amounts")); got != want {
				t.Errorf("%s: got %s, want %s", language, got, want)
			}
		}
		if got, want := texts(tenge.with("days")), "2 Nov | 9 Nov | 16 Nov | 23 Nov | 30 Nov"; got != want {
			t.Errorf("days: got %s, want %s", got, want)
		}
	})
	t.Run("EachDaySaysItsAmount", func(t *testing.T) {
		days := tenge.with("day")
		if len(days) != 30 || len(tenge.with("bar")) != 30 {
			t.Fatalf("days: got %d, bars: %d, want 30", len(days), len(tenge.with("bar")))
		}
		if got, want := days[29].Elements[0].Text, "30\u00a0Nov\u00a02026: ₸1,234,568.00"; got != want {
			t.Errorf("today: got %s, want %s", got, want)
		}
		if got, want := days[28].Elements[0].Text, "29\u00a0Nov\u00a02026: ₸0.00"; got != want {
			t.Errorf("yesterday: got %s, want %s", got, want)
		}
	})
	t.Run("ABarIsAsHighAsItsAmount", func(t *testing.T) {
		lines := tenge.with("grid")
		zero, _ := lines[0].ends(t)
		top, _ := lines[3].ends(t)
		start, end := tenge.with("today")[0].ends(t)
		if want := int64(zero-top) * 1234568 / 1500000; end != zero || abs(int64(zero-start)-want) > 1 {
			t.Errorf("today's bar is from %d to %d, want %d above the line of 0 at %d", start, end, want, zero)
		}
	})
	t.Run("WhatIsRefundedIsBelowZero", func(t *testing.T) {
		if got, want := texts(som.with("amounts")), "−200 | 0 | 200 | 400 | 600"; got != want {
			t.Fatalf("axis: got %s, want %s", got, want)
		}
		least, _ := som.with("grid")[0].ends(t)
		zero, _ := som.with("grid")[1].ends(t)
		start, end := som.with("today")[0].ends(t)
		if want := int64(least-zero) * 150 / 200; start != zero || abs(int64(end-zero)-want) > 1 {
			t.Errorf("today's bar is from %d to %d, want %d below the line of 0 at %d", start, end, want, zero)
		}
	})
}

func abs(n int64) int64 { return max(n, -n) }
