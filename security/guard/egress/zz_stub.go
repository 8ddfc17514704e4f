package egress

type phrases struct{}
type pattern struct{}
type guarded struct{}

func lists(l []WordList) (*phrases, error) { return nil, nil }
func patterns(classes []string) []*pattern { return nil }
func guard(p Protected) (*guarded, error)  { return nil, nil }
