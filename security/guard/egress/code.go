package egress

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// A pattern is a form of unsafe code.
type pattern struct {
	rule string
	why  string
	need []string // one of them stands in every match
	re   *regexp.Regexp
	raw  bool // blanks matter: looked for in the text, not in its readings
}

// patterns are those of some classes, the sieve of what they need, and by its
// numbers which of them need that, or something that begins like it or that it
// begins like.
func patterns(classes []string) ([]*pattern, *sieve, [][]int) {
	var out []*pattern
	for i, p := range compiled() {
		if slices.Contains(classes, forms[i].class) {
			out = append(out, p)
		}
	}
	v, needed := newSieve(), [][]int{}
	for _, p := range out {
		for _, n := range p.need {
			v.add(n, len(needed))
			var ids []int
			for id, o := range out {
				if needs(o, n) {
					ids = append(ids, id)
				}
			}
			needed = append(needed, ids)
		}
	}
	return out, v, needed
}

// compiled makes the patterns once, for whoever asks for some.
var compiled = sync.OnceValue(func() []*pattern {
	out := make([]*pattern, len(forms))
	for i, f := range forms {
		mode := "(?m)"
		if f.class == Formula {
			mode = "(?mi)"
		}
		out[i] = &pattern{rule: "code." + f.class, why: "The output contains " + f.what + ".", need: f.need, re: regexp.MustCompile(mode + f.form), raw: f.class == Formula}
	}
	return out
})

const (
	// shellPipe is a pipe into something that runs what it reads.
	shellPipe = `\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:/?(?:usr/)?(?:local/)?bin/)?(?:env\s+)?(?:(?:ba|z|k|da|a|tc|fi)?sh|python[23]?|perl|ruby|node|php)\b`
	// gap is what SQL takes for a blank.
	gap = `(?:\s|/\*[^\n]*?\*/)+`
)

// forms are the forms of unsafe code, in folded text: lower case, one blank where
// there are several. Each is no wider than its harmless twins allow.
var forms = [...]struct {
	class string
	what  string
	need  []string
	form  string
}{
	{
		Shell, "a command that deletes a whole system or home directory",
		[]string{"rm -", "rm --"},
		`\brm\s+(?:-\S+\s+)*-(?:[a-z]*[rf][a-z]*|-recursive|-force|-no-preserve-root)\s+(?:-\S+\s+)*["']?(?:/|~/?|\$\{?home\}?/?|\*|\.\./?\*?|/(?:bin|boot|dev|etc|home|lib|lib64|opt|root|sbin|srv|sys|usr|var)/?)\*?["']?(?:\s|$|[;&|)` + "`" + `])`,
	},
	{Shell, "a command that fetches a program and runs it at once", []string{"curl", "wget", "fetch"}, `\b(?:curl|wget|fetch)\b[^\n]*` + shellPipe},
	{Shell, "a command that fetches a program and runs it at once", []string{"curl", "wget"}, `(?:\b(?:(?:ba|z|k|da)?sh|eval|source|python3?)\b|\.)\s+(?:-c\s+)?["']?(?:\$\(|<\(|` + "`" + `)\s*(?:curl|wget)\b`},
	{Shell, "a command that decodes a program and runs it at once", []string{"base64", "xxd", "openssl"}, `\b(?:base64\s+(?:-d|--decode|-di)\b|xxd\s+-r|openssl\s+(?:enc|base64)\b[^\n|]*\s-d\b)[^\n]*` + shellPipe},
	{Shell, "a command that hands a shell to another machine", []string{"/dev/tcp/", "/dev/udp/"}, `/dev/(?:tcp|udp)/[^\s/]+/\$?\{?[0-9a-z]`},
	{Shell, "a command that hands a shell to another machine", []string{"nc ", "ncat ", "netcat ", "socat "}, `\b(?:(?:nc|ncat|netcat)\b[^\n]*\s(?:-[a-z]*[ec]|--exec|--sh-exec)\s+\S*(?:sh|cmd(?:\.exe)?|powershell(?:\.exe)?)\b|socat\b[^\n]*\bexec:)`},
	{Shell, "a command that hands a shell to another machine", []string{"mkfifo", "pty.spawn", "dup2", "fsockopen", "net.sockets.tcpclient"}, `\bmkfifo\b[^\n]*\b(?:nc|ncat|telnet|openssl)\b|\bpty\.spawn\s*\(|\bsocket\b[^\n]*\bdup2\s*\(|\bfsockopen\s*\([^\n]*\bexec\b|\bnet\.sockets\.tcpclient\s*\(`},
	{Shell, "a PowerShell command that hides or fetches what it runs", []string{"powershell", "pwsh"}, `\b(?:powershell|pwsh)(?:\.exe)?\b[^\n]*\s-e(?:c|nc|ncodedcommand)?\s+["']?[a-z0-9+/=]{16}`},
	{Shell, "a PowerShell command that hides or fetches what it runs", []string{"iex", "invoke-expression"}, `\b(?:iex|invoke-expression)\b[^\n]*(?:downloadstring|\biwr\b|\birm\b|invoke-webrequest|invoke-restmethod|frombase64string)|(?:downloadstring|\biwr\b|\birm\b|invoke-webrequest|invoke-restmethod)[^\n]*\|\s*(?:iex|invoke-expression)\b`},
	{Shell, "a command that fetches a program by a tool of Windows", []string{"certutil", "mshta", "regsvr32", "bitsadmin"}, `\bcertutil(?:\.exe)?\b[^\n]*\s[-/](?:urlcache|decode)\b|\bmshta(?:\.exe)?\s+["']?(?:https?|javascript|vbscript):|\bregsvr32(?:\.exe)?\b[^\n]*/i:https?:|\bbitsadmin(?:\.exe)?\b[^\n]*/transfer\b`},
	{Shell, "a command that overwrites a disk", []string{"/dev/"}, `\bdd\b[^\n]*\bof=/dev/(?:sd|hd|vd|xvd|nvme|disk|mmcblk)|\bmkfs(?:\.[a-z0-9]+)?\s[^\n]*/dev/|>\s*/dev/(?:sd|hd|vd|nvme)[a-z0-9]`},
	{
		Shell, "a command that makes a machine unusable",
		[]string{":|:", "chmod", "vssadmin", "format c:", "/s ", "/s/", "authorized_keys"},
		`:\(\)\s*\{\s*:\|:\s*&\s*\}\s*;\s*:|\bchmod\s+(?:-\S+\s+)*(?:777|a\+rwx)\s+(?:-\S+\s+)*/(?:\s|$)|\bvssadmin(?:\.exe)?\s+delete\s+shadows|\bformat\s+c:\s*/|\b(?:del|rd|rmdir)\s+(?:/[a-z]\s+)*/s\b[^\n]*\bc:\\(?:\s|\*|$|windows)|>>\s*\S*/?\.ssh/authorized_keys`,
	},

	{
		SQL, "a statement that drops or empties a table",
		[]string{"drop", "truncate"},
		`(?:^|[;'"` + "`" + `)]` + `|\*/)\s*(?:drop|truncate)` + gap + `(?:table|database|schema|view|user|role|index|function|trigger)` + gap + `(?:if` + gap + `exists` + gap + `)?["` + "`" + `\[]?[a-z_][\w.$]*["` + "`" + `\]]?(?:\s*,\s*[\w."]+)*\s*(?:cascade|restrict)?\s*(?:;|--|/\*|#|['"` + "`" + `]|$)`,
	},
	{SQL, "a statement that changes a table, a user or a role", []string{"alter"}, `\balter` + gap + `(?:table|user|role|login|database|system)` + gap + `["` + "`" + `\[]?[\w.$]+["` + "`" + `\]]?` + gap + `(?:add|drop|modify|rename|alter|owner|set|with|password|identified|disable|enable|superuser)\b`},
	{SQL, "a statement that gives or takes rights", []string{"grant", "revoke"}, `\b(?:grant|revoke)` + gap + `(?:(?:all` + gap + `privileges|select|insert|update|delete|execute|usage|references|super)(?:\s*,\s*[a-z]+)*` + gap + `on` + gap + `[\w."*` + "`" + ` ]+?|all` + gap + `on` + gap + `(?:(?:table|schema|database|sequence|function|all)\b[\w." ]+?|[\w"` + "`" + `]*[.*][\w"*` + "`" + `]*))` + gap + `(?:to|from)` + gap + `\S`},
	{SQL, "a statement that deletes every row", []string{"delete"}, `(?:^|[;'"])\s*delete` + gap + `from` + gap + `[\w."` + "`" + `]+\s*(?:;|--|$|where` + gap + `(?:1|true|'1')\s*(?:=|;|--|$))`},
	{SQL, "a break out of a query", []string{"' or", "' and", "'or", "'and", "\" or", "\" and", "\"or", "\"and", "')", "\")", "';", "\";", "' ;", "\" ;", "'--", "'#", "'/*", "\"/*", "' --", "'|", "'&", "' |", "' &", "' (", "\"|", "\"&", "\" |", "\" &"}, `['"]\s*\)*\s*(?:or|and|\|\||&&)` + gap + `\(*\s*(?:\d+\s*(?:=|<|>|like)\s*\d|['"]\w*['"]\s*(?:=|like)\s*['"]|true\b|not` + gap + `false\b)|['"]\s*\)*\s*;\s*(?:drop|delete|insert|update|exec|execute|alter|create|truncate|shutdown|select|declare|grant)\b` + `|\w'(?:--|#|/\*)|\w'\s--\s*(?:$|['"-])`},
	{SQL, "a break out of a query", []string{"union"}, `\bunion` + gap + `(?:all` + gap + `|distinct` + gap + `)?select` + gap + `(?:\d|null\b|\*|@@|['"(]|[\w.]+(?:\([^\n)]*\))?\s*(?:,|` + gap + `from\b))`},
	{
		SQL, "a query that reaches out of the database",
		[]string{"xp_cmdshell", "outfile", "dumpfile", "load_file", "pg_read_file", "lo_import", "program", "waitfor", "pg_sleep", "benchmark"},
		`\bxp_cmdshell\b|\binto` + gap + `(?:out|dump)file` + gap + `['"]|\bload_file\s*\(|\bpg_read_(?:binary_)?file\s*\(|\blo_import\s*\(|\bcopy` + gap + `[^\n;]+` + gap + `(?:to|from)` + gap + `program\b|\bwaitfor` + gap + `delay` + gap + `'|\bpg_sleep\s*\(\s*\d|\bbenchmark\s*\(\s*\d{5}`,
	},

	{Script, "script for browsers", []string{"<script", "< script", "</script", "<iframe", "srcdoc"}, `</?\s?script\b|<iframe\b|\bsrcdoc\s?=`},
	{Script, "script for browsers", []string{"onload", "onerror", "onclick", "ondblclick", "onmouse", "onkey", "onfocus", "onblur", "ontoggle", "onchange", "onsubmit", "oninput", "onpaste", "ondrag", "onpointer", "onanimation", "ontransition", "onbegin", "onmessage", "onhashchange", "onpageshow", "onwheel", "oncopy", "onscroll"}, `[\s"'/<]on(?:load|error|click|dblclick|mouse[a-z]+|key[a-z]+|focus|blur|toggle|change|submit|input|paste|drag[a-z]*|pointer[a-z]+|animation[a-z]+|transition[a-z]+|begin|message|hashchange|pageshow|wheel|copy|scroll)\s?=\s?(?:["'` + "`" + `]\s?\S|[\w$.]+\s?[(=` + "`" + `])`},
	{Script, "script for browsers", []string{"javascript:", "vbscript:", "data:text"}, `\b(?:javascript|vbscript):[^\s"'<>]*[(=` + "`" + `]|\bdata:text/html\b`},
	{Script, "script for browsers", []string{"document.", "eval", "fromcharcode"}, `\bdocument\.(?:cookie|write(?:ln)?\s?\()|\beval\s?\(\s?(?:atob|unescape|decodeuri|string\.fromcharcode|window\.|location)|\bstring\.fromcharcode\s?\(\s?\d+\s?,`},

	{Template, "an expression that a template engine would run", []string{"{{"}, `\{\{[^\n}]*(?:__[a-z]+__|\bconfig\b|\bself\.|\brequest\.|\bcycler\b|\blipsum\b|\bjoiner\b|\burl_for\b|\bget_flashed_messages\b|\bconstructor\b|\bsystem\s?\(|\bexec\s?\(|\bpopen\b|\d\s?[*+-]\s?'?\d|\|\s?(?:attr|map|filter|reduce|sort)\b)`},
	{Template, "an expression that a template engine would run", []string{"{%"}, `\{%-?\s?(?:import|include|extends|debug|load|macro|call)\b|\{%[^\n%]*__[a-z]+__`},
	{Template, "an expression that a template engine would run", []string{"${", "#{", "*{"}, `[$#*]\{[^\n}]*(?:\bruntime\b|processbuilder|getclass|class\.forname|java\.|\bt\(|jndi:|\b(?:lower|upper|env|sys|date):|::-|\d\s?\*\s?\d|\bsystem\s?\(|\bexec\s?\(|\bpopen\b)`},
	{Template, "an expression that a template engine would run", []string{"<%", "<#"}, `<%[=-]?[^\n%]*(?:\bsystem\s?\(|\bexec\b|\bruntime\b|` + "`" + `|\bpopen\b|\d\s?\*\s?\d|\bfile\.|\brequire\b)|<#(?:assign|include|import)\b`},

	{ANSI, "the control sequence of a terminal in the escapes of a programming language", []string{`\x1b`, `\u001b`, `\033`, `\e[`, `\e]`, `\u{1b}`, `\x9b`, `\u009b`, `\x1B`}, `\\(?:x1b|u001b|u\{1b\}|0?33|e)\s?(?:\[\??[0-9;]+[a-z]?|\[[hjkmsu]\b|\][0-9]+;|c\b)|\\(?:x9b|u009b)\s?[0-9;]*[a-z]`},
	{ANSI, "the control sequence of a terminal in the escapes of a programming language", []string{"^["}, `\^\[\s?(?:\[[0-9;]+[a-z]|\][0-9]+;)`},

	{Formula, "a formula at the beginning of a cell", nil, `(?:^|[\t,;|])[ "']*(?:=[ "']*[-+@]?[a-z][a-z0-9._]*\(|[=+@-][^\n,;]*\|[ ]*'[^\n']*'!|[+@-](?:[0-9]+[-+*/])*(?:hyperlink|webservice|import[a-z]+|dde|exec|call|register|filterxml|sum|image|cmd)\()`},

	{Path, "a way out of a directory", []string{"../", `..\`, "..;/"}, `(?:\.\.[/\\]+){4}|(?:\.\.[/\\]+)+(?:[\w.-]+[/\\])*(?:etc/(?:passwd|shadow|hosts|sudoers)|windows[/\\]|boot\.ini|win\.ini|proc/self|\.ssh\b|\.env\b|\.git/config|web-inf)|\.\.;/`},
	{Path, "a way out of a directory", []string{"%2e", "%2f", "%5c", "%252", "%c0%af"}, `(?:%2e|\.)(?:%2e|\.)(?:%2f|%5c)|%2e%2e[/\\]|%252e|%252f|%c0%af`},
	{Path, "the path of a file that holds secrets of a system", []string{"/etc/", `\windows\`, "/proc/"}, `/etc/(?:passwd|shadow|sudoers)\b|[a-z]:\\windows\\(?:system32\\(?:config|drivers\\etc)|win\.ini)|/proc/self/environ`},
}

// unsafe looks for code in a reading. A pattern reads the lines in which what it
// needs stands, each once.
func (s *search) unsafe(text []byte) {
	s.upTo = append(s.upTo[:0], make([]int, len(s.code))...)
	for from := 0; !s.full; {
		at, need := s.needs.next(text, from)
		if at < 0 {
			return
		}
		// The next one may need the same.
		from = at + 1
		if letter(need.text[0]) && at > 0 && wordByte(text[at-1]) {
			continue // the end of another word
		}
		for _, id := range s.needed[need.id] {
			if at >= s.upTo[id] {
				s.upTo[id] = s.line(s.code[id], text, at)
			}
		}
	}
}

func needs(p *pattern, text string) bool {
	for _, n := range p.need {
		if len(n) <= len(text) && text[:len(n)] == n || len(n) > len(text) && n[:len(text)] == text {
			return true
		}
	}
	return false
}

// line looks at the line of a place, and returns its end.
func (s *search) line(p *pattern, text []byte, at int) int {
	lo, hi := bytes.LastIndexByte(text[:at], '\n')+1, len(text)
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		hi = at + n
	}
	for _, m := range p.re.FindAllIndex(text[lo:hi], maxFindings) {
		if m[0] == m[1] {
			continue
		}
		s.inReading(p.rule, lo+m[0], lo+m[1], p.why, "[code removed]")
	}
	return hi
}

// cells looks for formulas, for which it matters where a cell begins.
func (s *search) cells(p *pattern) {
	begins := true
	for i := 0; i < len(s.clean); i++ {
		switch s.clean[i] {
		case '\n', '\t', ',', ';', '|':
			begins = true
		case ' ', '"', '\'':
		case '=', '+', '-', '@':
			if begins {
				line := s.clean[i:]
				if n := strings.IndexByte(line, '\n'); n >= 0 {
					line = line[:n]
				}
				s.formula(p, i, line)
				i += len(line) - 1
			}
			begins = false
		default:
			begins = false
		}
	}
}

// calls tells whether a line can match the form of a formula at all: an item of a
// list begins like one, and no text has more of them than Markdown. Every match has
// a quoted name before "!", or begins a cell with "=", or with a sign and a letter
// or digit (in (?i), one of them is not ASCII).
func calls(line string) bool {
	if strings.Contains(line, "'!") {
		return true
	}
	for i, begins := 0, true; i+1 < len(line); i++ {
		switch c, next := line[i], line[i+1]; c {
		case '\t', ',', ';', '|':
			begins = true
		case ' ', '"', '\'':
		case '=', '+', '-', '@':
			if begins && (c == '=' || letter(next) || next >= '0' && next <= '9' || next >= utf8.RuneSelf) {
				return true
			}
			begins = false
		default:
			begins = false
		}
	}
	return false
}

// formula looks at a line from the first cell on that begins like a formula.
func (s *search) formula(p *pattern, at int, line string) {
	if !calls(line) {
		return
	}
	for _, m := range p.re.FindAllStringIndex(line, maxFindings) {
		s.place(p.rule, at+m[0], at+m[1], p.why, "[code removed]")
	}
}
