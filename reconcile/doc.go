// Package reconcile compares a platform's report with the books. It decides; it
// knows neither a database nor the command line. Lines and entries are matched by
// the platform's operation, else by the payment; both are sorted in temporary
// files, so that memory does not grow with the report.
package reconcile
