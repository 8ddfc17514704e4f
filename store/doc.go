// Package store is the state: the only package with SQL. Everything that
// changes a run goes through one door, DB.Write, which commits the run's row,
// its ledger entries, its payloads and the jobs it starts in one transaction,
// together with whatever other runs of this process have ready at that moment
// (group commit).
//
// There is no interface over it and no fake of it: its correctness is a
// PostgreSQL transaction, which no fake can keep.
package store
