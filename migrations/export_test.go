package migrations

// What the tests in package migrations_test reach into: they live there because
// storetest, which gives them databases, imports this package.
var (
	UpFS         = up
	StatusOf     = status
	DigestOf     = digest
	VersionTable = versionTable
)
