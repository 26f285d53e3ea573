package signing_test

import (
	"fmt"

	"tolem/signing"
)

// A callback is read once; what was verified is what is used.
func ExampleBody_Verify() {
	live, _ := signing.NewKey("live secret")
	retired, _ := signing.NewKey("retired secret")
	posted, _ := signing.Embed([]byte(`{"payment":{"id":"payment_47","sum":{"amount":10000,"currency":"KZT"}}}`), retired)

	body, err := signing.Parse(posted)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer body.Release()
	key, err := body.Verify(live, retired)
	if err != nil {
		fmt.Println(err)
		return
	}
	amount, _ := body.Lookup("payment:sum:amount")
	fmt.Println("key", key, "signed", body.Canonical())
	fmt.Println("amount", amount.Text(), "is a", amount.Kind())
	// Output:
	// key 1 signed payment:id:payment_47;payment:sum:amount:10000;payment:sum:currency:KZT
	// amount 10000 is a number
}

// An alert is checked with what its headers say; the dialect that comes back is
// what to pin in the configuration.
func ExampleBody_VerifyHighHelp() {
	key, _ := signing.NewHMACAlertKey("the callback key of the cabinet")
	provider, _ := signing.NewHMACSigner("the callback key of the cabinet")
	posted := []byte(`{"status":{"status":"success","sub_status":null},"payment_info":{"amount":7000,"currency":"KZT"}}`)
	signature, _ := provider.Sign(posted, "1721647251", signing.Dialect{
		NullAs: signing.NullNone, Padding: signing.PaddingOff, Digest: signing.DigestOnce, HMACText: signing.HMACHex,
	})

	body, err := signing.Parse(posted)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer body.Release()
	used, err := body.VerifyHighHelp(key, signature, "1721647251", signing.DefaultAlertDialect())
	if err != nil {
		fmt.Println(err)
		return
	}
	canonical, _ := body.HighHelpCanonical(used)
	fmt.Println(canonical)
	fmt.Println("alert_dialect: {" + used.String() + "}")
	// Output:
	// payment_info:amount:7000;payment_info:currency:KZT;status:status:success;status:sub_status:None
	// alert_dialect: {null_as: none, padding: "off", digest: once}
}
