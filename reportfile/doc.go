// Package reportfile reads the reports of payment providers and banks: CSV, XLSX
// and the JSON answers of JetPay's Data API. A [Map] says which column holds what
// and how values are written; [Open] gives the lines one by one as [Row]s.
//
// Nothing is guessed. A value that can be read in two ways, a column that is
// missing and a line that is cut short are errors that name their line. Memory is
// bounded whatever the file holds.
package reportfile
