// Package signing reads a provider's JSON message strictly, builds the string
// that its signature covers, and makes and checks that signature.
//
// There is one walk over the bytes. It yields, for every member, its path, its
// value and the line that the signature covers, so that what is later read
// with [Body.Lookup] is the very value that was signed:
//
//	bytes -> strict scanner -> nodes (path, value, kind) -> rules -> sorted lines -> HMAC or RSA
//
// There are two sets of rules. JetPay Gate, signature rules ([Key],
// [Body.Verify], [Sign]): a line path:to:name:value for every scalar, a ':'
// inside a name doubled, lines sorted by path in PHP's natural order, joined
// with ';', HMAC-SHA-512 with the project's secret, standard Base64, in a
// member of the body. HighHelp, authentication and signature ([Signer],
// [AlertKey], [Body.VerifyHighHelp]): like lines, a ':' not doubled, sorted as a
// whole, signed with RSA or HMAC-SHA-512 together with a timestamp, in headers;
// what its documents leave open is a [Dialect].
//
// Neither scheme is injective: values are not escaped (1, "1" and true give
// one line, as do {"a":"b:c"} and {"a":{"b":"c"}}, or {"a":"b;c:d"} and
// {"a":"b","c":"d"}), and an empty object or array gives no line at all. A
// caller must therefore check kinds and characters of what it reads after the
// signature, and must not treat the mere presence of an empty container as
// something the provider has signed.
//
// The package does no I/O and logs nothing. Its errors name offsets and kinds,
// never content of the body, which may be personal data.
package signing

import "errors"

const (
	// MaxBody is the size in bytes above which a body is refused unread.
	MaxBody = 1 << 20

	// MaxDepth is how many objects and arrays may stand inside each other.
	MaxDepth = 32

	// maxUnfolded bounds, in bytes, what the members of one body come to. Every
	// line repeats the names above it, and has to be kept and sorted, so a short
	// hostile body could otherwise ask for gigabytes, and for seconds. Honest
	// messages stay far under MaxBody, and have less than a hundred members;
	// some 60,000 are let through.
	maxUnfolded = 8 << 20

	// perMember is what a member comes to beside its path: the node, its line,
	// and its places in the orders.
	perMember = 128

	// maxPooled is the size in bytes above which buffers are left to the
	// garbage collector instead of being kept for the next body.
	maxPooled = 64 << 10
)

// The reasons for a refusal. They come wrapped with detail; use [errors.Is].
var (
	// ErrTooLarge: the body is longer than MaxBody, or its members unfold to
	// more than this package is willing to hold and to sort.
	ErrTooLarge = errors.New("body too large")

	// ErrMalformed: not one strict JSON value. Not JSON, a repeated name in
	// one object (also when written with different escapes), data after the
	// value, invalid UTF-8, a lone surrogate, or deeper than MaxDepth.
	ErrMalformed = errors.New("malformed body")

	// ErrNotSigned: there is no signature that could be checked. It is
	// missing, empty, not a string, or not the text of one (JetPay: the Base64
	// of 64 bytes); or its timestamp is not one.
	ErrNotSigned = errors.New("not signed")

	// ErrNoValidSignature: there is a signature, and no key made it.
	ErrNoValidSignature = errors.New("no valid signature")

	// ErrEmptySecret: a key cannot be made from an empty secret.
	ErrEmptySecret = errors.New("empty secret")
)
