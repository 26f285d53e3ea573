package highhelp

// What the fuzz tests look into.
var (
	ParseAnswer = parseAnswer
	ParseInfo   = parseInfo
)
