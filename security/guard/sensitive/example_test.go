package sensitive_test

import (
	"fmt"

	"github.com/custodyhq/custody/security/guard/sensitive"
)

func ExampleFind() {
	text := "Pay DE89 3704 0044 0532 0130 00 and write to ann@northwind.eu."
	sensitive.Find(text, "", sensitive.Options{}, func(f sensitive.Finding) bool {
		fmt.Println(f.Kind, f.Class, f.Strength, f.Start, f.End)
		return true
	})
	// Output:
	// iban personal checked 4 31
	// email personal shaped 45 61
}

// A workflow that handles British and German papers turns on what is off because
// it is only a row of digits elsewhere.
func ExampleSelect() {
	kinds, err := sensitive.Select("uk", "de-vat")
	if err != nil {
		fmt.Println(err)
		return
	}
	sensitive.Find("VAT DE136695976, patient 943 476 5919", "", sensitive.Options{Kinds: kinds}, func(f sensitive.Finding) bool {
		fmt.Println(f.Kind, "-", f.Why)
		return true
	})
	// Output:
	// de-vat - The text contains a German VAT number; its check sum or structure is right.
	// uk-nhs - The text contains a British health service number; its check sum or structure is right.
}
