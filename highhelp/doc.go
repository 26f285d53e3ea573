// Package highhelp knows the protocol of HighHelp. It calls the widget API as a
// merchant does: it creates a pay-in, requests its status, and confirms or cancels
// it; and it verifies and reads the alerts that HighHelp posts.
//
//	Catalogue.Check   refuses what would not fit, before anything is sent
//	Client.Payin      gives the URL of the payment form, or an *Error
//	Client.Info       gives what the provider knows, also the amount received
//	AlertVerifier     proves which project an alert is of; only then is it believed
//	ReadAlert, ReportOf give an alert or an answer to info as a [Report]
//	Report.Event        gives it as a [topup.Event], which names nothing of HighHelp
//
// What matters most about a failed call is what the provider knows of it. An
// [Error] whose Unknown is true means that the request may have had its effect:
// the pay-in must then be asked about with Info under the same payment id, and
// never created under another one. Everything else has had no effect.
//
// The package keeps nothing, logs nothing and decides nothing about money. Its
// errors carry no secret and nothing about a person; what a provider wrote is
// in fields that Error does not print.
package highhelp
