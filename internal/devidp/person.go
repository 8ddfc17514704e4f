package devidp

import "slices"

// A Person can sign in with a click.
type Person struct {
	Name  string // also the sub of their tokens
	Roles []string
}

// People are those of the API's section 8, in the order of the sign-in page.
func People() []Person {
	return []Person{
		{"alice", []string{"analyst"}},
		{"bob", []string{"legal", "manager"}},
		{"carol", []string{"security", "admin"}},
		{"erin", []string{"author"}},
		{"oscar", []string{"operator"}},
		{"audrey", []string{"auditor"}},
		{"mallory", []string{}},
	}
}

func person(name string) (Person, bool) {
	people := People()
	i := slices.IndexFunc(people, func(p Person) bool { return p.Name == name })
	if i < 0 {
		return Person{}, false
	}
	return people[i], true
}
