// Package accountfile reads, judges and writes files of account records: JSON
// lines and CSV, as programs and spreadsheets write them.
//
// [File.Check] reads a whole file and finds every line that is wrong;
// [File.Each] reads it again to use its records; a [Writer] writes a file that
// these accept. Only files are known here: what an account in the database says
// to a record is added by who calls Check.
package accountfile
