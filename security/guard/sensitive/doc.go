// Package sensitive finds personal data and secrets in a text: card and account
// numbers, national identity numbers, e-mail addresses, telephone numbers, keys,
// tokens and passwords. It says where something stands, what it is and how sure
// that is; it never repeats it.
//
// What tells a number from any other number of that length is its check sum, the
// way it is printed, or a word beside it. One check digit passes one row of digits
// in ten, so such a row counts only in its printed form or beside a word that
// says what it is. Secrets are known by their vendors' prefixes, lengths,
// alphabets and check sums, or by the name of the value.
//
// A text is read as it stands, and again with every digit as an ASCII digit,
// full-width characters in their usual width, every space and dash as one, and
// invisible characters left out. Other readings (look-alikes, codes) are the
// caller's business. Spans always lie in the text as it was given.
//
// Everything is data (Kinds) and functions without state: safe for concurrent
// use, time linear in the length of the text, and no allocation while nothing is
// found in a text that needs no second reading.
package sensitive
