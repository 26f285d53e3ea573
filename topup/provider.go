package topup

// The payment platforms, as the rules for money name them. What they say, and how,
// is known to the packages of their protocols alone.
const (
	JetPay   = "jetpay"
	HighHelp = "highhelp"
)

const (
	// ExpiringProvider is the one whose payments have no result after their
	// time (JetPay Gate, "Delivery": the platform gives up after 11 days).
	ExpiringProvider = JetPay
	// PayinProvider is the one whose payments we open ourselves. They do not
	// expire: the provider is polled about them.
	PayinProvider = HighHelp
	// ReceivingProvider is the one whose sums are judged by [AmountReceived].
	ReceivingProvider = HighHelp
)
