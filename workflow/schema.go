package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A FieldError says what is wrong with one place of a value. It never repeats
// the value: Pointer holds names from the schema only, and Detail speaks of
// the schema's limits.
type FieldError struct {
	Pointer string `json:"pointer"` // JSON Pointer; a name that the schema does not know is "*"
	Code    string `json:"code"`    // required, type, max_length, enum, additional, ...
	Detail  string `json:"detail"`
}

// FieldErrors is a value that does not fit its schema.
type FieldErrors []FieldError

// Error joins the errors into one line for logs and ledgers: no content.
func (es FieldErrors) Error() string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = e.Pointer + ": " + e.Detail
	}
	return strings.Join(parts, "; ")
}

// A schema is a compiled JSON Schema (draft 2020-12). It is safe for concurrent
// use.
type schema struct {
	compiled *jsonschema.Schema
}

// noRemote refuses every reference that leaves the schema itself.
type noRemote struct{}

// Load implements jsonschema.URLLoader.
func (noRemote) Load(string) (any, error) {
	return nil, errors.New("a schema may refer only to itself")
}

// dialect is the only dialect that a schema may name.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// compileSchema compiles a decoded schema. The error is for the author.
func compileSchema(doc any) (*schema, *schemaError) {
	if err := checkKeywords(doc, ""); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noRemote{})
	c.AssertFormat()
	const self = "custody:schema"
	if err := c.AddResource(self, doc); err != nil {
		return nil, &schemaError{message: "the schema cannot be read"}
	}
	compiled, err := c.Compile(self)
	if err != nil {
		return nil, compileError(err)
	}
	if tooHeavy(compiled) {
		return nil, &schemaError{message: "the schema refers to itself too often to be checked in time", remedy: "flatten its $ref, allOf, anyOf and oneOf"}
	}
	s := &schema{compiled}
	return s, s.checkDefaults(compiled, map[*jsonschema.Schema]bool{})
}

// maxWeight bounds how many schemas may look at one value.
const maxWeight = 5_000

// A scale counts how many schemas look at one value or what is in it, as often
// as they are referred to: a few lines of references to references can ask for
// more looks than there is time.
type scale struct {
	known  map[*jsonschema.Schema]int
	open   map[*jsonschema.Schema]bool
	circle bool // a schema contains itself
	forked bool // some value is looked at by two schemas
	// endless: references lead to references and never to a schema.
	endless bool
}

// tooHeavy reports whether a value could keep the schema busy. Each turn of a
// circle goes further down the value, so circles end; but one that also forks
// doubles the looks with every turn.
func tooHeavy(s *jsonschema.Schema) bool {
	w := scale{known: map[*jsonschema.Schema]int{}, open: map[*jsonschema.Schema]bool{}}
	return w.weigh(s) > maxWeight || w.circle && w.forked || w.endless
}

func (w *scale) weigh(s *jsonschema.Schema) int {
	if w.open[s] {
		w.circle = true
		return 1
	}
	if n, ok := w.known[s]; ok {
		return n
	}
	w.open[s] = true
	for r, n := s, 0; r != nil && !w.endless; r, n = r.Ref, n+1 {
		w.endless = n > maxDepth
	}
	total := 1
	for i, child := range children(s) {
		w.forked = w.forked || i > 0 && forks(s)
		if total += w.weigh(child); total > maxWeight {
			total = maxWeight + 1
			break
		}
	}
	w.open[s] = false
	w.known[s] = total
	return total
}

// forks reports whether two of a schema's children can look at the same value:
// all can but those for named fields and for places in a list.
func forks(s *jsonschema.Schema) bool {
	apart := len(s.Properties) + len(s.PrefixItems)
	if s.Items2020 != nil {
		apart++
	}
	if _, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && len(s.PatternProperties) == 0 {
		apart++
	}
	return len(children(s)) > apart
}

// children lists the schemas inside a schema and those that it refers to.
func children(s *jsonschema.Schema) []*jsonschema.Schema {
	var out []*jsonschema.Schema
	for _, one := range []*jsonschema.Schema{
		s.Ref, s.Not, s.If, s.Then, s.Else, s.PropertyNames,
		s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems,
	} {
		if one != nil {
			out = append(out, one)
		}
	}
	out = slices.Concat(out, s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems)
	for _, p := range s.Properties {
		out = append(out, p)
	}
	for _, p := range s.PatternProperties {
		out = append(out, p)
	}
	for _, p := range s.DependentSchemas {
		out = append(out, p)
	}
	if more, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		out = append(out, more)
	}
	return out
}

// A schemaError is a mistake in a schema; pointer is where in the schema.
type schemaError struct {
	pointer, message, remedy string
	name                     bool // the name at the pointer is wrong, not its value
}

// compileError says what the compiler found.
func compileError(err error) *schemaError {
	var invalid *jsonschema.SchemaValidationError
	var regex *jsonschema.InvalidRegexError
	var load *jsonschema.LoadURLError
	switch {
	case errors.As(err, &invalid):
		var v *jsonschema.ValidationError
		if errors.As(invalid.Err, &v) {
			fields := fieldErrors(v, nil)
			if len(fields) > 0 {
				return &schemaError{pointer: fields[0].Pointer, message: "not JSON Schema: " + fields[0].Detail}
			}
		}
	case errors.As(err, &regex):
		return &schemaError{message: "a pattern is not a regular expression of RE2: " + quote(regex.Regex)}
	case errors.As(err, &load):
		return &schemaError{message: "a schema may refer only to itself", remedy: "put what it refers to under $defs"}
	}
	return &schemaError{message: "the schema cannot be compiled", remedy: "check its $ref and $defs"}
}

// checkDefaults holds the defaults against the schemas that they stand in: a
// default is filled in before validation, so a wrong one would blame the caller.
func (s *schema) checkDefaults(at *jsonschema.Schema, seen map[*jsonschema.Schema]bool) *schemaError {
	if at == nil || seen[at] {
		return nil
	}
	seen[at] = true
	if at.Default != nil && at.Validate(*at.Default) != nil {
		return &schemaError{pointer: schemaPointer(at), message: "the default does not fit its own schema"}
	}
	for _, p := range at.Properties {
		if err := s.checkDefaults(p, seen); err != nil {
			return err
		}
	}
	if err := s.checkDefaults(at.Ref, seen); err != nil {
		return err
	}
	return s.checkDefaults(at.Items2020, seen)
}

func schemaPointer(s *jsonschema.Schema) string {
	_, pointer, _ := strings.Cut(s.Location, "#")
	return pointer
}

// check validates a decoded value. The errors' pointers begin with prefix.
func (s *schema) check(v any, prefix string) FieldErrors {
	err := s.compiled.Validate(v)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return FieldErrors{{Pointer: prefix, Code: "invalid", Detail: "cannot be validated"}}
	}
	out := fieldErrors(invalid, s.compiled)
	for i := range out {
		out[i].Pointer = prefix + out[i].Pointer
	}
	slices.SortStableFunc(out, func(a, b FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
	return slices.Compact(out)
}

// fieldErrors lists the innermost errors. Below a choice that did not fit there
// is one error for the choice: which branch was meant is not known.
func fieldErrors(v *jsonschema.ValidationError, root *jsonschema.Schema) FieldErrors {
	code, detail := describe(v.ErrorKind)
	if len(v.Causes) == 0 || isChoice(code) {
		return FieldErrors{{Pointer: pointerOf(v.InstanceLocation, root), Code: code, Detail: detail}}
	}
	var out FieldErrors
	for _, c := range v.Causes {
		out = append(out, fieldErrors(c, root)...)
	}
	return out
}

// isChoice reports whether the causes below an error are branches that need not
// all hold.
func isChoice(code string) bool {
	return code == "any_of" || code == "one_of" || code == "not" || code == "contains"
}

// pointerOf writes an instance location. With a root it shows only names that
// the schema declares: other names are the caller's content.
func pointerOf(location []string, root *jsonschema.Schema) string {
	var b strings.Builder
	at := root
	for _, name := range location {
		var next *jsonschema.Schema
		if root != nil {
			name, next = descend(at, name)
		}
		b.WriteString(join("", name))
		at = next
	}
	return b.String()
}

// descend goes one name down a schema, and hides the name if the schema does
// not declare it.
func descend(at *jsonschema.Schema, name string) (string, *jsonschema.Schema) {
	for at != nil && at.Ref != nil && at.Properties == nil && at.Items2020 == nil {
		at = at.Ref
	}
	_, notIndex := strconv.Atoi(name)
	switch {
	case at != nil && at.Properties[name] != nil:
		return name, at.Properties[name]
	case at != nil && at.Items2020 != nil && notIndex == nil:
		return name, at.Items2020
	case at != nil:
		more, _ := at.AdditionalProperties.(*jsonschema.Schema)
		return "*", more
	}
	return "*", nil
}

// describe gives an error kind its code and a sentence without the value.
func describe(k jsonschema.ErrorKind) (code, detail string) {
	switch k := k.(type) {
	case *kind.Required:
		return "required", "needs " + strings.Join(k.Missing, ", ")
	case *kind.Type:
		return "type", "must be " + strings.Join(k.Want, " or ")
	case *kind.Enum:
		return "enum", "must be one of " + listed(k.Want)
	case *kind.Const:
		return "const", "must be " + listed([]any{k.Want})
	case *kind.AdditionalProperties, *kind.FalseSchema:
		return "additional", "has a field that the schema does not know"
	case *kind.Pattern:
		return "pattern", "must match the pattern " + k.Want
	case *kind.Format:
		return "format", "must be in the format " + k.Want
	}
	if code, detail := describeSize(k); code != "" {
		return code, detail
	}
	return describeForm(k)
}

// describeSize speaks of lengths, counts and ranges.
func describeSize(k jsonschema.ErrorKind) (code, detail string) {
	switch k := k.(type) {
	case *kind.MinLength:
		return "min_length", "at least " + count(k.Want, "character")
	case *kind.MaxLength:
		return "max_length", "at most " + count(k.Want, "character")
	case *kind.MinItems:
		return "min_items", "at least " + count(k.Want, "item")
	case *kind.MaxItems:
		return "max_items", "at most " + count(k.Want, "item")
	case *kind.MinProperties:
		return "min_properties", "at least " + count(k.Want, "field")
	case *kind.MaxProperties:
		return "max_properties", "at most " + count(k.Want, "field")
	case *kind.Minimum:
		return "minimum", "at least " + k.Want.RatString()
	case *kind.Maximum:
		return "maximum", "at most " + k.Want.RatString()
	case *kind.ExclusiveMinimum:
		return "exclusive_minimum", "more than " + k.Want.RatString()
	case *kind.ExclusiveMaximum:
		return "exclusive_maximum", "less than " + k.Want.RatString()
	case *kind.MultipleOf:
		return "multiple_of", "a multiple of " + k.Want.RatString()
	}
	return "", ""
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// describeForm speaks of the rarer rules.
func describeForm(k jsonschema.ErrorKind) (code, detail string) {
	switch k.(type) {
	case *kind.UniqueItems:
		return "unique_items", "has the same item twice"
	case *kind.AnyOf:
		return "any_of", "fits none of the allowed forms"
	case *kind.OneOf:
		return "one_of", "does not fit exactly one of the allowed forms"
	case *kind.Not:
		return "not", "has a form that is not allowed"
	case *kind.PropertyNames:
		return "property_names", "has a field whose name is not allowed"
	case *kind.DependentRequired, *kind.Dependency:
		return "dependent_required", "needs further fields beside one that it has"
	case *kind.Contains, *kind.MinContains:
		return "contains", "lacks an item that the schema asks for"
	case *kind.MaxContains:
		return "max_contains", "has too many items of one form"
	}
	return "invalid", "does not fit the schema"
}

// listed shows the schema's own values, not too many.
func listed(values []any) string {
	const most = 12
	var parts []string
	for _, v := range values[:min(len(values), most)] {
		b, err := json.Marshal(v)
		if err != nil {
			continue
		}
		parts = append(parts, string(b))
	}
	if len(values) > most {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}
