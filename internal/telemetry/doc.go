// Package telemetry counts and traces what Custody does: one set of metrics with
// two ways out (Prometheus text and OTLP), and traces by OTLP. It is the only
// package that knows OpenTelemetry and Prometheus; the others tell it what
// happens through small interfaces of their own.
//
// A metric never has an id or content in it: its labels are names from the
// configuration, codes from closed lists, and workflows' names, of which it
// keeps 200 apart. A trace has ids and never content. Neither can slow or fail
// a run: what cannot be exported is counted and dropped.
package telemetry
