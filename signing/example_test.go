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
