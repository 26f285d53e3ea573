package handlers_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"tolem/config"
	"tolem/highhelp"
	"tolem/jetpay"
	"tolem/signing"
	"tolem/topup"
)

// TestNoOtherCutOfASignedStringIsAnotherMovement has somebody's own text signed
// in messages of either provider, made of lines that he would like to see there,
// and cuts the signed strings anew, at random. A cut that is a movement and can be
// read says what was signed: the same sum, of the same payment.
func TestNoOtherCutOfASignedStringIsAnotherMovement(t *testing.T) {
	for name, provider := range map[string]struct {
		messages  []string // TEXT stands for the text
		lines     []string
		doubled   bool // a ':' in a name
		canonical func(*signing.Body) (string, error)
		event     func(body string) (topup.Event, error)
	}{
		"JetPay": {
			[]string{
				`{"project_id":"1234","account":{"number":"TEXT"},"operation":{"id":"28","status":"success","sum_initial":{"amount":"999","currency":"KZT"},"type":"sale"},"payment":{"id":"p","method":"kaspi","status":"success","sum":{"amount":"999","currency":"KZT"}}}`,
				`{"project_id":"1234","operation":{"id":"28","message":"TEXT","status":"success","sum_initial":{"amount":"999","currency":"KZT"},"type":"sale"},"payment":{"id":"p","method":"kaspi","status":"success","sum":{"amount":"999","currency":"KZT"}}}`,
				`{"project_id":"1234","operation":{"id":"28","status":"success","sum_initial":{"amount":"999","currency":"KZT"},"type":"sale"},"payment":{"description":"TEXT","id":"p","method":"kaspi","status":"success","sum":{"amount":"999","currency":"KZT"}}}`,
			},
			[]string{
				"operation:sum_initial:amount:1000000", "payment:sum:amount:1000000", "payment::sum::amount:1000000", "payment:id:other", "operation:id:29",
				"payment:id:a:b", "payment:id:", "payment:id:a b", "payment:sum:currency:AZN", "payment:method:x", "project_id:1234", "z:", "payment:e:", "operation:z:",
			},
			true,
			func(b *signing.Body) (string, error) { return b.Canonical(), nil },
			func(body string) (topup.Event, error) { return callbackEvent(body) },
		},
		"HighHelp": {
			[]string{
				`{"project_id":"h","customer":{"id":"TEXT"},"general":{"payment_id":"p"},"payment_info":{"amount":"999","currency":"KZT"},"status":{"status":"success"}}`,
				`{"project_id":"h","general":{"payment_id":"p"},"integration":{"redirect_url":"TEXT"},"payment_info":{"amount":"999","currency":"KZT"},"status":{"status":"success"}}`,
				`{"project_id":"h","general":{"payment_id":"p"},"payment_info":{"amount":"999","currency":"KZT"},"recipient_requisites":{"bank_name":"TEXT"},"status":{"status":"success"}}`,
			},
			[]string{
				"payment_info:amount:1000000", "general:payment_id:other", "payment_info:currency:AZN", "status:status:success", "project_id:h",
				"payment_info:b:", "general:x:", "z:",
			},
			false,
			func(b *signing.Body) (string, error) { return b.HighHelpCanonical(signing.DefaultRequestDialect()) },
			func(body string) (topup.Event, error) { return highhelp.ReadStoredAlert("h", []byte(body)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := cutter{rand.New(rand.NewPCG(1, 2)), map[string]bool{}, provider.doubled}
			canonical := func(body string) string {
				b, err := signing.Parse([]byte(body))
				if err != nil {
					t.Fatal(err)
				}
				defer b.Release()
				text, err := provider.canonical(b)
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			for _, message := range provider.messages {
				for _, line := range strings.Split(canonical(message), ";") {
					c.paths[line[:strings.LastIndexByte(line, ':')]] = true
				}
			}
			cuts := 0
			for range 2000 {
				message := provider.messages[c.IntN(len(provider.messages))]
				want, err := provider.event(message)
				if err != nil || !want.Complete {
					t.Fatalf("%s: got %+v %v", message, want, err)
				}
				text := "x"
				for range 1 + c.IntN(3) {
					text += ";" + provider.lines[c.IntN(len(provider.lines))]
				}
				signed := canonical(strings.Replace(message, "TEXT", text, 1))
				for range 40 {
					body, ok := c.cut(signed)
					if !ok || canonical(body) != signed {
						continue
					}
					cuts++
					got, err := provider.event(body)
					if err != nil {
						t.Fatalf("%s: %v", body, err)
					}
					if got.Outcome == topup.OutcomePaid && got.Complete && (got.Reference != want.Reference || got.Operation != want.Operation || got.Sum != want.Sum) {
						t.Fatalf("%s\nwas signed. %s\nis %s of payment %q", signed, body, got.Sum, got.Reference)
					}
				}
			}
			if cuts < 1000 {
				t.Errorf("only %d bodies were judged", cuts)
			}
		})
	}
}

// callbackEvent signs a callback of JetPay, and translates it.
func callbackEvent(body string) (topup.Event, error) {
	key, err := signing.NewKey(demoSecret)
	if err != nil {
		return topup.Event{}, err
	}
	signed, err := signing.Embed([]byte(body), key)
	if err != nil {
		return topup.Event{}, err
	}
	b, err := signing.Parse(signed)
	if err != nil {
		return topup.Event{}, err
	}
	defer b.Release()
	if _, err := b.Verify(key); err != nil {
		return topup.Event{}, err
	}
	p, err := jetpay.NewProject(config.Project{ID: 1234, Secrets: []config.Secret{config.NewSecret(demoSecret)}, CallbackMethods: []string{"kaspi"}})
	if err != nil {
		return topup.Event{}, err
	}
	return jetpay.Read(b).Event(p), nil
}

// cutter makes bodies of a string that was signed.
type cutter struct {
	*rand.Rand
	paths   map[string]bool // that lines have in honest messages
	doubled bool            // a ':' in a name
}

// cut makes some body whose lines may be these; false if there is none of them.
func (c cutter) cut(signed string) (body string, ok bool) {
	var lines []string
	for i, piece := range strings.Split(signed, ";") {
		if i > 0 && c.IntN(6) == 0 {
			lines[len(lines)-1] += ";" + piece
			continue
		}
		lines = append(lines, piece)
	}
	root := map[string]any{}
	for _, line := range lines {
		if !c.add(root, line) {
			return "", false
		}
	}
	text, err := json.Marshal(root)
	return string(text), err == nil
}

// add puts a member into the object whose line is this one, perhaps.
func (c cutter) add(root map[string]any, line string) bool {
	parts := strings.Split(line, ":")
	if len(parts) < 2 {
		return false
	}
	depth := 1 + c.IntN(len(parts)-1)
	for n := 1; n < len(parts) && c.IntN(8) > 0; n++ {
		if c.paths[strings.Join(parts[:n], ":")] {
			depth = n
			break
		}
	}
	names := []string{parts[0]}
	for i := 1; i < depth; i++ {
		switch last := len(names) - 1; {
		case c.doubled && parts[i] == "" && i+1 < depth:
			i++
			names[last] += ":" + parts[i]
		case !c.doubled && c.IntN(8) == 0:
			names[last] += ":" + parts[i]
		default:
			names = append(names, parts[i])
		}
	}
	at := root
	for _, name := range names[:len(names)-1] {
		if at[name] == nil {
			at[name] = map[string]any{}
		}
		below, ok := at[name].(map[string]any)
		if !ok {
			return false
		}
		at = below
	}
	name := names[len(names)-1]
	if _, taken := at[name]; taken {
		return false
	}
	at[name] = strings.Join(parts[depth:], ":")
	return true
}
