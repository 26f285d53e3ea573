package highhelp

// The paths of the API below its base URL (HighHelp, widget).
const (
	PathPayin   = "/api/v1/widget/payin"
	PathInfo    = PathPayin + "/info"
	PathConfirm = PathPayin + "/confirm"
	PathCancel  = PathPayin + "/cancel"
)

// The headers of a request (HighHelp, authentication and signature).
const (
	HeaderTimestamp  = "x-access-timestamp"          // Unix seconds, ten digits
	HeaderMerchantID = "x-access-merchant-id"        // of the cash register
	HeaderToken      = "x-access-token"              // its public key in Base64url
	HeaderSignature  = "x-access-signature"          // of the body and the timestamp
	HeaderAlgorithm  = "x-access-merchant-algorithm" // sent only if configured
)

// PayinRequest asks for a pay-in, as it is sent. Members that are empty are left
// out.
type PayinRequest struct {
	General  General  `json:"general"`
	Payment  Payment  `json:"payment"`
	Sender   *Sender  `json:"sender,omitempty"` // bank transfers only
	Customer Customer `json:"customer"`
}

// General says which pay-in is meant. The URLs belong to requests for a new one.
type General struct {
	ProjectID   string `json:"project_id"`
	PaymentID   string `json:"payment_id"` // ours, unique in the project
	CallbackURL string `json:"merchant_callback_url,omitempty"`
	SuccessURL  string `json:"merchant_success_callback_url,omitempty"`
	DeclineURL  string `json:"merchant_decline_callback_url,omitempty"`
	RedirectURL string `json:"redirect_url,omitempty"` // where the payer goes afterwards
}

// Payment is what is to be paid.
type Payment struct {
	Amount       int64  `json:"amount"` // minor units
	Currency     string `json:"currency"`
	Lifetime     int64  `json:"lifetime,omitempty"` // seconds; 0: the default
	Description  string `json:"description,omitempty"`
	ExtraParam   string `json:"extra_param,omitempty"`
	WidgetMethod string `json:"widget_method,omitempty"` // empty: the payer chooses
}

// Sender preselects the bank that the payer pays from.
type Sender struct {
	BankSymbol string `json:"bank_symbol,omitempty"`
}

// Customer is the payer. All of it is personal data.
type Customer struct {
	ID           string `json:"id"`
	IPAddress    string `json:"ip_address"`
	Country      string `json:"country"`
	Language     string `json:"language,omitempty"` // empty: the default of the method
	CustomerType string `json:"customer_type,omitempty"`
	Email        string `json:"email,omitempty"`
}

// enquiry is the body of info, confirm and cancel.
type enquiry struct {
	General General `json:"general"`
}

// Answer is the flat block that the API answers with. Members that were absent
// or null are empty.
type Answer struct {
	Status            string // one of the Status words, or one that is new
	SubStatus         string
	StatusDescription string // for people; may be cut to 1024 characters
	RequestID         string // the provider's id of the pay-in
	ProjectID         string
	PaymentID         string
	FormURL           string // where the payer pays; https, in development also http on a loopback address
	RedirectURL       string
}

// Info is what the provider knows of a pay-in.
type Info struct {
	Answer
	Payment PaymentInfo // zero where the provider says nothing of it
}

// PaymentInfo is the payment of an [Info]. Amounts are minor units; what was
// absent or null is zero.
type PaymentInfo struct {
	Amount         int64 // what was received, once there is a success
	OldAmount      int64 // before the last change
	InitialAmount  int64 // what was asked; never changes
	Currency       string
	Lifetime       int64 // seconds
	ExpirationDate int64 // Unix seconds
	Method         string
	WidgetMethod   string
	Type           string
}
