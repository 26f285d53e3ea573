package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tolem/platform"
	"tolem/store"
	"tolem/topup"
)

// newBrowser starts a headless Chromium of its own. Under CI=true one that is
// missing is a failure.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" && os.Getenv("CI") == "true" {
		t.Fatal("missing: chromium")
	}
	if program == "" {
		t.Skip("missing: chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "ru-RU"),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return ctx
}

// person is somebody at a browser.
type person struct {
	*rig
	ctx context.Context
}

func (p *person) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		text, _ := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("body")))
		p.t.Fatalf("%s: %v\n%s", what, err, text)
	}
}

// reads wants texts on the page that is open.
func (p *person) reads(texts ...string) {
	p.t.Helper()
	got, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("main")))
	if err != nil {
		p.t.Fatal(err)
	}
	got = strings.ReplaceAll(got, "\u00a0", " ")
	for _, text := range texts {
		if !strings.Contains(got, text) {
			p.t.Errorf("%q is not on the page:\n%s", text, got)
		}
	}
}

func (p *person) opens(path string) chromedp.Action[chromedp.Void] {
	return chromedp.Navigate(p.admin.URL + path)
}

func (p *person) signsIn(token, lang string) {
	p.t.Helper()
	p.do("sign in", p.opens("/login?lang="+lang), chromedp.SendKeys(chromedp.CSS("#token"), token),
		chromedp.Click(chromedp.CSS("button.primary")), chromedp.WaitVisible(chromedp.CSS(".top")))
}

func (p *person) signsOut() {
	p.do("sign out", chromedp.Click(chromedp.CSS(".side .who button")), chromedp.WaitVisible(chromedp.CSS("#token")))
}

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

// A payer is on the telephone, and a clerk finds and mends the payment.
func TestAClerkMendsAPayment(t *testing.T) {
	r := newRig(t)
	if _, err := r.store.SetFourEyes(t.Context(), fourEyes, byServe); err != nil {
		t.Fatal(err)
	}
	id := r.paid(phone, "e1", 250050)
	r.paid("7123456789", "12345", 10000)
	waiting := r.issue(phone, "e2", 70000)
	r.clock.Add(time.Minute)
	r.stray("their-id", 70000)
	p := &person{r, newBrowser(t)}

	p.signsIn(bekToken, "en")
	p.do("by a contract's number", chromedp.SendKeys(css("#find"), "E-0001"), chromedp.Click(css("form.find button")), chromedp.WaitVisible(css("table.payments")))
	p.reads("₸2,500.50", "E-0001/2025")
	p.do("by a telephone with blanks", p.opens("/payments"), chromedp.SendKeys(css("#q"), "+7 701 111 22 33"+kb.Enter), chromedp.WaitVisible(css(".account-hit")))
	p.reads("Account of customer "+phone, "₸2,500.50", "₸700.00")

	p.do("the payment", chromedp.Click(css(`a[href="/payments/`+id+`"]`)), chromedp.WaitVisible(css(".timeline")))
	p.reads("The platform confirmed the payment: the money was credited to the contract", "Owed by JetPay, project 1234")
	p.do("the raw message", chromedp.Click(css(".timeline details summary")), chromedp.WaitVisible(css(".timeline pre")))
	p.reads(`"amount": 250050`)

	p.do("refund", p.opens("/payments/"+id+"/refund"), chromedp.WaitVisible(css("#amount")), chromedp.Clear(css("#amount")),
		chromedp.SendKeys(css("#amount"), "500,50"+kb.Enter), chromedp.WaitReady(css(`input[name=previewed][value*="500%2C50"]`)))
	p.reads("What will be booked", "₸500.50")
	p.do("confirm", chromedp.SendKeys(css("#reason"), "the payer paid twice"), chromedp.Click(css("button[name=confirm]")), chromedp.WaitVisible(css(".flash")))
	p.reads("The refund was booked", "bek: the payer paid twice")
	if got := r.balance(phone, "e1"); got != 200000 {
		t.Errorf("balance after the refund: got %d, want 200000", got)
	}
	p.do("suspense", p.opens("/suspense"), chromedp.Click(css(".pick input")),
		chromedp.SetAttributeValue(css("option[value='contract=e2&customer="+phone+"']"), "selected", ""),
		chromedp.SendKeys(css("#reason"), "the payer has the receipt"), chromedp.Click(css(".bulk button.primary")), chromedp.WaitVisible(css("form.confirm")))
	p.reads("What will be booked", "Contract e2", "₸700.00")
	p.do("confirm", chromedp.Click(css("button[name=confirm]")), chromedp.WaitVisible(css(".flash")))
	p.reads("The money was assigned", "There is no money in suspense")
	p.do("the account", p.opens("/accounts/"+phone), chromedp.WaitVisible(css(".contracts")))
	p.reads("₸700.00", "₸2,000.00", "bek: the payer has the receipt")

	p.do("a proposal", p.opens("/payments/"+waiting+"/credit"), chromedp.SendKeys(css("#reason"), "letter of JetPay"), chromedp.Click(css("button[name=confirm]")), chromedp.WaitVisible(css(".flash")))
	p.reads("Proposed. This step needs a second person")
	approvals, _, err := r.store.Approvals(t.Context(), store.ApprovalFilter{Open: true})
	if err != nil || len(approvals) != 1 {
		t.Fatalf("proposals: %v %v", approvals, err)
	}
	approve := "/approvals/" + approvals[0].ID + "/approve"
	p.do("his own", p.opens("/approvals"), chromedp.WaitVisible(css(".item")))
	p.reads("You proposed this: another person must approve it")
	p.do("his own, by its address", p.opens(approve), chromedp.Click(css("button[name=confirm]")), chromedp.WaitVisible(css(".problem")))
	p.reads("Not done: nothing was changed", "another person must approve it")
	p.signsOut()

	p.signsIn(annaToken, "ru")
	p.do("another's", p.opens("/approvals"), chromedp.Click(css("a[href='"+approve+"']")), chromedp.WaitVisible(css("form.confirm")))
	p.reads("Будет проведено", "700,00 ₸")
	p.do("approve", chromedp.Click(css("button[name=confirm]")), chromedp.WaitVisible(css(".flash")))
	p.reads("Одобрено и проведено")
	if got := r.balance(phone, "e2"); got != 140000 {
		t.Errorf("balance: got %d, want 140000", got)
	}

	folder := t.TempDir()
	p.do("download", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder})
		return err
	}), p.opens("/payments?status=succeeded"), chromedp.Click(css(".downloads a")))
	file := filepath.Join(folder, "payments-2026-11-30.xlsx")
	var data []byte
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if data, err = os.ReadFile(file); err == nil && len(data) > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !strings.HasPrefix(string(data), "PK") {
		t.Errorf("the XLSX did not come: %v, %d bytes", err, len(data))
	}
	p.signsOut()
}

// Without a mouse: the link to the content, the form, the list and a step are
// reached by the keyboard, in the order in which they are read.
func TestAPageIsUsedByTheKeyboardAlone(t *testing.T) {
	r := newRig(t)
	id := r.issue(phone, "e1", 5000)
	p := &person{r, newBrowser(t)}
	p.do("sign in", p.opens("/login?lang=kk"), chromedp.WaitVisible(css("#token")), chromedp.KeyEvent(annaToken+kb.Enter), chromedp.WaitVisible(css(".top")))
	focused := func() string {
		t.Helper()
		got, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(e => e.className + " " + e.getAttribute("href") + " " + e.id)(document.activeElement)`))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	tab := func(until string) {
		t.Helper()
		for range 80 {
			p.do("tab", chromedp.KeyEvent(kb.Tab))
			if strings.Contains(focused(), until) {
				outline, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`getComputedStyle(document.activeElement).outlineStyle`))
				if err != nil || outline == "none" {
					t.Errorf("%s: it cannot be seen that it has the focus: %q %v", until, outline, err)
				}
				return
			}
		}
		t.Fatalf("%s is not reached: %s", until, focused())
	}
	tab("skip")
	p.do("skip", chromedp.KeyEvent(kb.Enter))
	tab("find")
	p.do("search", chromedp.KeyEvent("8 701 111-22-33"+kb.Enter), chromedp.WaitVisible(css("table.payments")))
	tab("/payments/" + id)
	p.do("open", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(css(".timeline")))
	tab("/credit")
	p.do("credit", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(css("form.confirm")))
	tab("reason")
	p.do("confirm", chromedp.KeyEvent("өтініш 4711"+kb.Enter), chromedp.WaitVisible(css(".flash")))
	p.reads("Төлем есептелді", "50,00 ₸", "anna: өтініш 4711")
	if got := r.balance(phone, "e1"); got != 5000 {
		t.Errorf("balance: got %d", got)
	}
}

// gallery is a server with a month of everything that a page can show, and the
// pages' addresses by their names.
func gallery(t *testing.T) (*rig, map[string]string) {
	t.Helper()
	r := newRig(t)
	now := r.clock.Now()
	if err := r.store.SetEndpoints(t.Context(), []store.Endpoint{{Name: "billing"}}); err != nil {
		t.Fatal(err)
	}
	r.account("7019998877", "KZT", "h1", "AL-2024/000118", "h2", "AL-2024/000119")
	r.clock.Add(-29*24*time.Hour - 5*time.Hour)
	story, refunding := "", ""
	for day := range 30 {
		for n := range 3 + (day*7)%6 {
			amount := int64(150000 + (day*37+n*91)%97*5000)
			switch customer, contract := phone, "e1"; {
			case n%3 == 1:
				refunding = r.paid("7019998877", "h1", amount)
			case n == 5:
				r.pay(r.issue(customer, contract, amount), amount, platform.OutcomeDecline)
			default:
				story = r.paid(customer, contract, amount)
			}
			r.clock.Add(47 * time.Minute)
		}
		if day%9 == 4 {
			r.stray(fmt.Sprintf("kiosk-%04d", day), int64(250000+day*1000), func(c *platform.Callback) { c.Account = "8 701 999 88 77" })
		}
		r.clock.Add(now.Add(time.Duration(day-28)*24*time.Hour - 5*time.Hour).Sub(r.clock.Now()))
	}
	r.clock.Add(now.Sub(r.clock.Now()))
	waiting := r.issue("7019998877", "h2", 450000)
	less := r.issue(phone, "e2", 990000)
	r.pay(less, 900000, platform.OutcomeSuccess)
	odd := r.issue(phone, "e2", 120000)
	r.pay(odd, 120000, platform.OutcomeSuccess, func(c *platform.Callback) { c.Operation.SumInitial.Currency = "odd" })
	by := store.By{Actor: "bek", Reason: "letter of JetPay, 28 November", Token: true, Role: "operator"}
	if _, err := r.store.RecallPayment(t.Context(), story, by); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.SetFourEyes(t.Context(), fourEyes, byServe); err != nil {
		t.Fatal(err)
	}
	_, err := r.store.CreditPayment(t.Context(), waiting, by)
	if err == nil {
		t.Fatal("four eyes do not hold")
	}
	approvals, _, err := r.store.Approvals(t.Context(), store.ApprovalFilter{Open: true})
	if err != nil || len(approvals) == 0 {
		t.Fatalf("proposals: %v", err)
	}
	r.addPayout("KASPI-2026-11-29", 12_500_000, r.last-5)
	pages := map[string]string{
		"01-overview": "/", "02-payments": "/payments", "03-search": "/payments?q=%2B7+701+111+22+33", "04-nothing-found": "/payments?q=nothing",
		"05-payment": "/payments/" + story, "06-payment-waiting": "/payments/" + waiting, "07-step": "/payments/" + story + "/close",
		"08-step-refund": "/payments/" + refunding + "/refund", "08-step-credit": "/payments/" + waiting + "/credit", "09-account": "/accounts/" + phone, "10-suspense": "/suspense", "11-suspense-all": "/suspense?all=1",
		"12-messages": "/messages?open=1", "13-message": "/messages/1", "14-payouts": "/payouts", "15-payout": "/payouts/KASPI-2026-11-29",
		"16-settlement": "/settlement", "16-reconcile": "/reconcile", "16-events": "/events", "17-approvals": "/approvals", "18-approve": "/approvals/" + approvals[0].ID + "/approve",
		"19-audit": "/audit", "20-error": "/payments/p_none", "21-refused": "/payments?amount=nonsense",
	}
	return r, pages
}

// addPayout enters a payout as a draft, whose lines are an operation that we have
// and one that nobody knows.
func (r *rig) addPayout(id string, gross, operation int64) {
	r.t.Helper()
	start := r.clock.Now().Add(-24 * time.Hour).Truncate(24 * time.Hour)
	_, err := r.store.AddPayout(context.Background(), store.NewPayout{
		Payout: topup.Payout{
			ID: id, Provider: "jetpay", Project: "1234", Bank: "halyk", Date: "2026-11-29", Currency: "KZT",
			PayoutFigures: topup.PayoutFigures{Gross: gross, Fees: gross / 50, Net: gross - gross/50},
		},
		Day: store.Day{Start: start, End: start.Add(24 * time.Hour)}, Bank: topup.BankAccountOf{Name: "halyk", Currency: "KZT"}, File: "register-2026-11-29.csv",
		Lines: []topup.PayoutLine{
			{Line: 2, Type: topup.LinePayment, Operation: itoa(operation), Amount: gross - 1000, Fee: gross / 50, At: start},
			{Line: 3, Type: topup.LinePayment, Operation: "99" + itoa(gross), Amount: 1000, At: start},
		},
	}, store.By{Actor: "bek", Reason: "the register of 29 November"})
	if err != nil {
		r.t.Fatal(err)
	}
}

// looks are how a page is looked at.
var looks = []struct {
	name          string
	width, height int64
	scheme        string
	mobile        bool
}{
	{"light", 1280, 900, "light", false},
	{"dark", 1280, 900, "dark", false},
	{"telephone", 375, 800, "light", true},
	{"telephone-dark", 375, 800, "dark", true},
}

// At the width of a telephone no page scrolls sideways, in any language. With
// TOLEM_TEST_SCREENSHOTS set, a picture of each page in each look goes there (make
// screenshots).
func TestEveryPageFits(t *testing.T) {
	r, pages := gallery(t)
	p := &person{r, newBrowser(t)}
	folder := os.Getenv("TOLEM_TEST_SCREENSHOTS")
	for _, lang := range []string{"ru", "kk", "en"} {
		p.do("size", chromedp.EmulateViewport(1280, 900))
		p.signsIn(annaToken, lang)
		for name, path := range pages {
			for _, look := range looks {
				if folder == "" && !look.mobile || lang != "ru" && look.name != "telephone" {
					continue
				}
				options := []chromedp.EmulateViewportOption{}
				if look.mobile {
					options = append(options, chromedp.EmulateMobile)
				}
				p.do(name, chromedp.EmulateViewport(look.width, look.height, options...), scheme(look.scheme), p.opens(path), chromedp.WaitVisible(css("h1")))
				wide, err := chromedp.Run(p.ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
				if err != nil || wide > look.width {
					t.Errorf("%s in %s (%s) is %d pixels wide, %v", name, lang, look.name, wide, err)
				}
				if cut, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](cutOff)); err != nil || len(cut) > 0 {
					t.Errorf("%s in %s (%s): cut off at the edge: %q, %v", name, lang, look.name, cut, err)
				}
				if folder != "" && (lang == "ru" || look.name == "telephone") {
					picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
					if err != nil {
						t.Fatal(err)
					}
					file := filepath.Join(folder, name+"-"+look.name+"-"+lang+".png")
					if err := os.WriteFile(file, picture, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		p.do("size", chromedp.EmulateViewport(1280, 900), p.opens("/"))
		p.signsOut()
	}
}

// cutOff lists what reaches over the right edge of the page, and not of something that
// scrolls.
const cutOff = `[...document.querySelectorAll("main :is(td, th, a, button, input, select, p, dd, h1, h2)")].filter(e => {
	const r = e.getBoundingClientRect()
	return r.width > 1 && r.right > innerWidth + 1 && !e.closest(".scroll, pre, .hidden, thead")
}).map(e => e.textContent.trim().slice(0, 60))`

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// axe-core, which make test-all fetches, finds no violation on any page.
func TestAxeFindsNoViolation(t *testing.T) {
	file := os.Getenv("TOLEM_TEST_AXE")
	if file == "" {
		t.Skip("missing: axe-core; make test-all fetches it")
	}
	axe, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, pages := gallery(t)
	p := &person{r, newBrowser(t)}
	check := func(name string) {
		t.Helper()
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](string(axe)+"; null")); err != nil {
			t.Fatal(err)
		}
		found, err := chromedp.Run(p.ctx, chromedp.Evaluate[json.RawMessage](`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
			r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + n.failureSummary)})))`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		if string(found) != "[]" {
			t.Errorf("%s: %s", name, found)
		}
	}
	p.do("login", p.opens("/login?lang=ru"), chromedp.WaitVisible(css("#token")))
	check("login")
	violations := func() string {
		found, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.querySelector("label").remove(); axe.run().then(r => r.violations.map(v => v.id).join())`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := violations(); !strings.Contains(got, "label") {
		t.Fatalf("a field without its label is no violation: axe found %q", got)
	}
	p.signsIn(annaToken, "ru")
	for name, path := range pages {
		for _, look := range looks {
			if look.name == "dark" || look.name == "telephone" {
				continue // the colours of one look, and the layout of another, are checked already
			}
			options := []chromedp.EmulateViewportOption{}
			if look.mobile {
				options = append(options, chromedp.EmulateMobile)
			}
			p.do(name, chromedp.EmulateViewport(look.width, look.height, options...), scheme(look.scheme), p.opens(path), chromedp.WaitVisible(css("h1")))
			check(name + ", " + look.name)
		}
	}
}
