package config

// Secrets are kinds of secrets of a configuration, as a set.
type Secrets uint8

// A command opens the files of the secrets that it uses, and no others: an operator who may list payments need not be
// able to sign as the platform. Every command checks the rest of the configuration.
const (
	DatabaseURL    Secrets = 1 << iota // of PostgreSQL
	AdminTokens                        // admin.tokens
	JetPayKeys                         // secrets of the projects
	HighHelpKeys                       // keys and tokens of the projects
	WebhookSecrets                     // that sign requests to the merchant's own systems
	DataAPIKeys                        // of JetPay's Data API

	NoSecrets    Secrets = 0
	ProviderKeys         = JetPayKeys | HighHelpKeys
	AllSecrets           = DatabaseURL | AdminTokens | ProviderKeys | WebhookSecrets | DataAPIKeys
)

// need reports whether secrets of a kind are read. If they are not, those in files stay unset, and absent ones are no
// problem.
func (r *rules) need(kind Secrets) bool { return r.needs&kind != 0 }
