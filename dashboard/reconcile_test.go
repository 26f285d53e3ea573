package dashboard_test

import (
	"bytes"
	"encoding/csv"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// upload sends a report, with fields of the form.
func (v *visitor) upload(report string, fields ...string) reply {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "own_map" {
			part, err := form.CreateFormFile("own_map", "own.yaml")
			if err != nil {
				v.t.Fatal(err)
			}
			_, _ = part.Write([]byte(fields[i+1]))
			continue
		}
		_ = form.WriteField(fields[i], fields[i+1])
	}
	part, err := form.CreateFormFile("report", `C:\reports\<script>.csv`)
	if err != nil {
		v.t.Fatal(err)
	}
	_, _ = part.Write([]byte(report))
	_ = form.Close()
	request, err := http.NewRequest(http.MethodPost, v.admin.URL+"/reconcile", &body)
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(response.Body)
	return reply{response.StatusCode, text.String(), response.Header}
}

// compared is the page of a comparison that is over.
func (v *visitor) compared(got reply) (page reply, path string) {
	v.t.Helper()
	path = got.header.Get("Location")
	if got.status != http.StatusSeeOther || !strings.HasPrefix(path, "/reconcile?job=") {
		v.t.Fatalf("got %d to %q\n%s", got.status, path, words(got.body))
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if page = v.get(path); !strings.Contains(page.body, `http-equiv="refresh"`) {
			return page, path
		}
	}
	v.t.Fatal("it does not end")
	return page, path
}

func TestReconcile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r := newRig(t)
	good := r.paid(phone, "e1", 250050)
	goodOperation := itoa(r.last)
	odd := r.paid(phone, "e1", 7000)
	oddOperation := itoa(r.last)
	missing := r.paid(phone, "e2", 9900)
	report := "payment_id,operation_id,operation_type,operation_status,sum_initial.amount,sum_initial.currency,operation_completed_at\n" +
		good + "," + goodOperation + ",sale,success,2500.50,KZT,2026-11-30 06:00:00\n" +
		odd + "," + oddOperation + ",sale,success,75.00,KZT,2026-11-30 06:00:00\n" +
		"theirs,999,sale,success,12.00,KZT,2026-11-30 06:00:00\n" +
		"auth,998,mystery,success,12.00,KZT,2026-11-30 06:00:00\n"
	v := r.signIn(bekToken)
	v.wants(v.get("/reconcile"), 200, "Reconcile with a report", "jetpay-csv")
	fields := []string{"csrf", v.csrf("/reconcile"), "provider", "jetpay", "map", "jetpay-csv", "from", "2026-11-30", "to", "2026-11-30"}
	page, path := v.compared(v.upload(report, fields...))
	v.wants(page, 200, "There are differences", "Matched 1", "Missing here 1", "Missing there 1", "Amount differs 1", "₸75.00", "₸70.00", missing,
		"Ask the platform whose money it is, and record the payment", "the map does not list “type mystery”")
	if strings.Contains(page.body, "<script>.csv") {
		t.Error("the file's name is not escaped")
	}
	rows, err := csv.NewReader(strings.NewReader(v.get(path + "&format=csv").body)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Errorf("download: %v %v", rows, err)
	}
	if got := v.get(path + "&format=xlsx"); !strings.HasPrefix(got.body, "PK") {
		t.Error("the XLSX is none")
	}
	if got := r.signIn(annaToken).get(path); got.status != http.StatusNotFound {
		t.Errorf("another's comparison: got %d", got.status)
	}

	page, _ = v.compared(v.upload("not,the,header\n1,2,3\n", fields...))
	v.wants(page, 200, "It could not be compared")
	page, _ = v.compared(v.upload(report, append(fields, "own_map", strings.ReplaceAll(ownMap(t), "sale: payment", "mystery: payment, sale: ignore"))...))
	v.wants(page, 200, "Missing here 1", "998")
	for name, f := range map[string][]string{
		"another file as the map": {"csrf", fields[1], "provider", "jetpay", "map", "../maps/jetpay-csv.yaml"},
		"no provider":             {"csrf", fields[1], "map", "jetpay-csv"},
		"a day that is none":      {"csrf", fields[1], "provider", "jetpay", "map", "jetpay-csv", "from", "x"},
		"a map that is none":      {"csrf", fields[1], "provider", "jetpay", "map", "jetpay-csv", "own_map", "nonsense: ["},
	} {
		if got := v.upload(report, f...); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d\n%s", name, got.status, words(got.body))
		}
	}
	if got := v.upload("", fields...); got.status != http.StatusUnprocessableEntity {
		t.Errorf("an empty file: got %d", got.status)
	}
	if got := v.upload(report, "provider", "jetpay", "map", "jetpay-csv"); got.status != http.StatusForbidden {
		t.Errorf("no csrf: got %d", got.status)
	}
	eye := r.signIn(eyeToken)
	if got := eye.upload(report, append([]string{"csrf", eye.csrf("/payments")}, fields[2:]...)...); got.status != http.StatusForbidden {
		t.Errorf("role read: got %d", got.status)
	}
	if strings.Contains(eye.get("/reconcile").body, "multipart") {
		t.Error("a reader sees the form")
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "tolem-report-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("uploads are left behind: %v %v", left, err)
	}
}

func ownMap(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../maps/jetpay-csv.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
