package calendar

// LoadBuiltIn is loadBuiltIn, for the tests.
var LoadBuiltIn = loadBuiltIn
