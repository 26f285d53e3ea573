package highhelp

import (
	"fmt"
	"strings"

	"tolem/config"
	"tolem/signing"
)

// AlertsPath is where the public listener takes alerts of all kinds.
const AlertsPath = "/highhelp/alerts"

// AlertsURL is the URL for all three kinds of alert. A status is believed for
// what the alert says, never for the URL it came to.
func AlertsURL(publicURL string) string {
	return strings.TrimSuffix(publicURL, "/") + AlertsPath
}

// OptionsOf are the options of a project's client as they are configured.
func OptionsOf(environment string, h config.HighHelp, p config.HighHelpProject) (Options, error) {
	signer, err := SignerOf(p.RequestKey)
	if err != nil {
		return Options{}, fmt.Errorf("HighHelp project %s: %w", p.ID, err)
	}
	return Options{
		Environment:     environment,
		BaseURL:         h.BaseURL,
		Timeout:         h.Timeout,
		ProjectID:       p.ID,
		MerchantID:      p.MerchantID,
		Signer:          signer,
		Dialect:         RequestDialectOf(p.RequestDialect),
		AccessToken:     p.AccessToken,
		AlgorithmHeader: p.AlgorithmHeader,
	}, nil
}

// SignerOf is the key that signs requests.
func SignerOf(key config.RequestKey) (signing.Signer, error) {
	if key.Algorithm == config.AlgorithmRSA {
		return signing.NewRSASigner([]byte(key.PrivateKey.Reveal()))
	}
	return signing.NewHMACSigner(key.Secret.Reveal())
}

// AlertKeyOf is the key that verifies alerts. Where none is configured it is the
// zero key, which accepts nothing.
func AlertKeyOf(key config.AlertKey) (signing.AlertKey, error) {
	switch key.Algorithm {
	case config.AlgorithmRSA:
		return signing.NewRSAAlertKey([]byte(key.PublicKey))
	case config.AlgorithmHMAC:
		return signing.NewHMACAlertKey(key.Secret.Reveal())
	}
	return signing.AlertKey{}, nil
}

// RequestDialectOf is the dialect that requests are signed in.
func RequestDialectOf(d config.RequestDialect) signing.Dialect {
	return signing.Dialect{
		NullAs: signing.NullAs(d.NullAs), Padding: signing.Padding(d.Padding),
		Digest: signing.Digest(d.Digest), HMACText: signing.HMACText(d.HMACText),
	}
}

// AlertDialectOf is the dialect that alerts are verified in; parts of it may be
// auto.
func AlertDialectOf(d config.AlertDialect) signing.Dialect {
	return signing.Dialect{NullAs: signing.NullAs(d.NullAs), Padding: signing.Padding(d.Padding), Digest: signing.Digest(d.Digest)}
}
