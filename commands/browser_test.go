package commands_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// newBrowser starts a headless Chromium of its own.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		need(t, "chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(800, 1000),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return ctx
}

// browse does things in the browser, and returns the text of the page at the
// end. With TOLEM_TEST_SCREENSHOTS set, a picture of each page goes there.
func browse(t *testing.T, ctx context.Context, name string, steps ...chromedp.Action[chromedp.Void]) string {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if folder := os.Getenv("TOLEM_TEST_SCREENSHOTS"); folder != "" {
		photograph(t, ctx, folder+"/"+name+".png")
	}
	return text
}

func photograph(t *testing.T, ctx context.Context, file string) {
	t.Helper()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A person with a browser pays by phone, by transfer and at the kiosk.
func TestAPersonPaysInABrowser(t *testing.T) {
	ctx := newBrowser(t)
	m := newMarket(t)

	mobile := ways["KZ mobile"]
	paid := m.open(t, mobile)
	browse(t, ctx, "1-phone", chromedp.Navigate(paid.FormURL), chromedp.WaitVisible(chromedp.CSS("#phone")))
	text := browse(t, ctx, "2-code",
		chromedp.Click(chromedp.CSS("input[value=KCELL]")), chromedp.SendKeys(chromedp.CSS("#phone"), "+7 701 111 22 33"),
		chromedp.Click(chromedp.CSS("button[value=phone]")), chromedp.WaitVisible(chromedp.CSS("#otp")))
	contains(t, "code page", text, "Attempts left: 3.")
	text = browse(t, ctx, "3-wrong",
		chromedp.SendKeys(chromedp.CSS("#code"), "wrong"), chromedp.Click(chromedp.CSS("#pay")),
		chromedp.WaitVisible(chromedp.CSS(`[data-left="2"]`)))
	contains(t, "code page", text, "That was not the code.")
	code, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("#otp")))
	if err != nil {
		t.Fatal(err)
	}
	text = browse(t, ctx, "4-paid",
		chromedp.SendKeys(chromedp.CSS("#code"), strings.TrimSpace(code)), chromedp.Click(chromedp.CSS("#pay")),
		chromedp.WaitVisible(chromedp.CSS("#result")))
	contains(t, "last page", text, "Paid.", "15\u00a0000.00\u00a0KZT")
	m.ends(t, paid.PaymentID, mobile, "succeeded", 1500000)

	transfer := ways["KG bank"]
	other := m.open(t, transfer)
	browse(t, ctx, "6-bank", chromedp.Navigate(other.FormURL), chromedp.WaitVisible(chromedp.CSS("input[name=bank]")))
	browse(t, ctx, "7-transfer",
		chromedp.Click(chromedp.CSS("input[value=demir-bank-kgs]")), chromedp.Click(chromedp.CSS("button[value=bank]")),
		chromedp.WaitVisible(chromedp.CSS("#other")))
	text = browse(t, ctx, "8-another-amount",
		chromedp.SendKeys(chromedp.CSS("#other"), "14000"), chromedp.Click(chromedp.CSS(".row button[value=pay]")),
		chromedp.WaitVisible(chromedp.CSS("#result")))
	contains(t, "last page", text, "Paid.", "Asked for: 15\u00a0000.00\u00a0KGS")
	m.ends(t, other.PaymentID, transfer, "succeeded", 1400000, "amount_differs")

	browse(t, ctx, "9-kiosk", chromedp.Navigate(m.pages+"/kaspi"), chromedp.WaitVisible(chromedp.CSS("#account")))
	browse(t, ctx, "10-contracts",
		chromedp.SendKeys(chromedp.CSS("#account"), "7011112233"), chromedp.Click(chromedp.CSS("button")),
		chromedp.WaitVisible(chromedp.CSS("#amount")))
	text = browse(t, ctx, "11-receipt",
		chromedp.SendKeys(chromedp.CSS("#amount"), "250.50"), chromedp.Click(chromedp.CSS("#pay")),
		chromedp.WaitVisible(chromedp.CSS("#result")))
	contains(t, "receipt", text, "Paid.", "250.50", "E-0001/2025")
	if got, want := m.credits(t, mobile), int64(1500000+25050); got != want {
		t.Errorf("contract: got %d, want %d", got, want)
	}
	browse(t, ctx, "12-start", chromedp.Navigate(m.pages+"/"))

	// At the width of a telephone nothing is cut off, and an id is one line.
	browse(t, ctx, "13-start-telephone", chromedp.EmulateViewport(375, 800, chromedp.EmulateMobile), chromedp.Navigate(m.pages+"/"))
	fits, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth <= 375 &&
		[...document.querySelectorAll("td a")].every(link => link.getBoundingClientRect().height < 30)`))
	if err != nil || !fits {
		t.Errorf("the list of pay-ins fits into 375 pixels, an id a line: got %v, %v", fits, err)
	}
}
