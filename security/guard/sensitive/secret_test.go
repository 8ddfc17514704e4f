package sensitive

import (
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lot draws characters of an alphabet.
func lot(r *rand.Rand, chars string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = chars[r.IntN(len(chars))]
	}
	return string(b)
}

const (
	hexChars   = "0123456789abcdef"
	letters    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	alnumChars = "0123456789" + letters
)

// sample makes a body that its alphabet allows. Signs are rare in it, as they are
// in tokens drawn from 64 characters.
func sample(r *rand.Rand, a alphabet, n int) string {
	switch a {
	case lowHex:
		return lot(r, hexChars, n)
	case capital:
		return lot(r, alnumChars[:36], n)
	}
	return lot(r, alnumChars, n)
}

// made are tokens whose form is more than a body of an alphabet.
func made(r *rand.Rand, row tokenRow) string {
	uuid := func() string {
		h := lot(r, hexChars, 32)
		return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
	}
	an := func(n int) string { return lot(r, alnumChars, n) }
	switch row.kind {
	case "airtable-token":
		return "pat" + an(14) + "." + lot(r, hexChars, 64)
	case "sendgrid-key":
		return "SG." + an(22) + "." + an(43)
	case "resend-key":
		return "re_" + an(8) + "_" + an(24)
	case "grafana-token":
		if row.prefix == "glsa_" {
			return "glsa_" + an(32) + "_" + lot(r, hexChars, 8)
		}
	case "terraform-token":
		return an(14) + ".atlasv1." + an(67)
	case "1password-token":
		if row.prefix == "A3-" {
			c := func(n int) string { return lot(r, alnumChars[:36], n) }
			return "A3-" + c(6) + "-" + c(11) + "-" + c(5) + "-" + c(5) + "-" + c(5)
		}
	case "salesforce-token":
		return "00D" + an(12) + "!" + an(96)
	case "firebase-key":
		return "AAAA" + an(7) + ":" + an(140)
	case "braintree-token":
		return row.prefix + an(16) + "$" + lot(r, hexChars, 32)
	case "jwt":
		return b64(`{"alg":"HS256","typ":"JWT"}`) + "." + b64(`{"sub":"`+an(9)+`"}`) + "." + an(43)
	case "private-key":
		if row.prefix[0] == 'P' {
			return "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: a\nPublic-Lines: 1\n" + an(64) + "\nPrivate-Lines: 1\n" + an(48)
		}
		return base64.StdEncoding.EncodeToString([]byte("-----BEGIN RSA PRIVATE KEY-----\n" + an(64) + "\n" + an(64)))
	case "nostr-key":
		return "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
	}
	if row.check != nil && row.min == 36 && row.abc == urlSafe {
		return row.prefix + uuid()
	}
	if row.kind == "openai-key" {
		return row.prefix + an(20) + "T3BlbkFJ" + an(20)
	}
	return row.prefix + sample(r, row.abc, row.min)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestEveryVendorsTokenIsFoundAndItsTwinsAreNot(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	frames := []string{"%", "The key is %, as agreed.", `{"a": "%"}`, "Größe: %\n", "KEY=%&x=1", `line\n%\n`, "x%3D%"}
	for _, row := range tokenRows {
		for range 3 {
			token := made(r, row)
			for _, frame := range frames {
				text := strings.Replace(frame, "%", token, 1)
				if frame == "x%3D%" {
					text = "x%3D" + token
				}
				check(t, row.kind, text, Options{}, true)
			}
			for _, twin := range twins(row, token) {
				for _, frame := range frames[:4] {
					check(t, row.kind, strings.Replace(frame, "%", twin, 1), Options{}, false)
				}
			}
		}
	}
}

// twins are a token without its last characters, as part of a word, and with a
// placeholder for what follows its prefix.
func twins(row tokenRow, token string) []string {
	const longest = "you replace this with the key of your own"
	out := []string{
		row.prefix + strings.Repeat("x", row.min),
		row.prefix + "your-key-goes-here-" + strings.Repeat("x", max(0, row.min-19)),
		row.prefix + "<token> " + longest,
		row.prefix + "EXAMPLE" + strings.Repeat("A", max(0, row.min-7)),
	}
	if row.kind != "jwt" && row.kind != "private-key" && row.kind != "terraform-token" {
		out = append(out, token[:len(row.prefix)+row.min/2], "word"+token)
		if row.abc == lowHex {
			out = append(out, token+"g")
		}
	}
	return out
}

func TestSecretsWithoutAPrefixAreFoundAndTheirTwinsAreNot(t *testing.T) {
	t.Parallel()
	random := "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY3zA5bC7d"
	k8s := b64(`{"alg":"RS256","kid":"a"}`) + "." + b64(`{"iss":"kubernetes/serviceaccount","kubernetes.io":{"namespace":"a"}}`) + "." + random
	for kind, c := range map[string]struct{ yes, no []string }{
		"private-key": {
			[]string{"-----BEGIN RSA PRIVATE KEY-----\n" + random + random + "\n-----END RSA PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----\\n" + random + "\\n" + random + "\\n-----END OPENSSH PRIVATE KEY-----\\n", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + random + "\n" + random + "\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n" + random + random},
			[]string{"-----BEGIN PUBLIC KEY-----\n" + random + random, "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "a line that says -----BEGIN PRIVATE KEY----- and then goes on about the weather of the day and of the next ones"},
		},
		"btc-private-key": {
			[]string{"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617", "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"},
			[]string{"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK", "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98618", "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyT"},
		},
		"kubernetes-token": {[]string{k8s, "token: " + k8s, "Bearer " + k8s}, []string{k8s[:60], strings.Replace(k8s, ".", "-", 1), "kubernetes.io/serviceaccount"}},
		"url-password": {
			[]string{"postgres://app:s3cr3t-Xyz9@db.internal:5432/app", "amqps://ann:correct@mq.northwind.eu", "https://ci:" + random[:12] + "@git.northwind.eu/x.git", "redis://:hunter22@cache:6379"},
			[]string{"postgres://app@db.internal/app", "postgres://app:${PASSWORD}@db/app", "postgres://user:password@host/db", "http://a.eu:8080/@x", "3://x", "postgres://app:app@localhost/app", "mysql://root:<password>@db"},
		},
		"http-basic": {
			[]string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ann:hunter22")), `{"auths": {"r.eu": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("ci:gT5-xY7pq")) + `"}}}`, "curl -u ann:hunter2!x https://northwind.eu", "//registry.northwind.eu/:_auth=" + base64.StdEncoding.EncodeToString([]byte("ann:hunter22"))},
			[]string{"Authorization: Basic realm", "auth: required", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("no colon in here")), "curl -u user:password https://x", "run -u ann:hunter2!x"},
		},
		"http-bearer": {
			[]string{"Authorization: Bearer 9f8a7b6c5d4e3f2a1b0c", `"authorization": "Bearer ` + random + `"`, "Authorization: Token " + random[:24]},
			[]string{"Authorization: Bearer $TOKEN", "Authorization: Bearer <your token>", "Authorization: Bearer your-token-goes-here", "the bearer of this letter"},
		},
		"netrc-password": {
			[]string{"machine git.northwind.eu login ann password hunter2!x", "machine a.eu\n  login b\n  password " + random[:16], "machine a.eu password Xk9$mmQ2 login b"},
			[]string{"machine learning password policy", "machine a.eu login b", "machine a.eu login b password <secret>"},
		},
		"password": {
			[]string{`password = "hunter2!hunter2"`, "Passwort: Xk9$mmQ2pp", "pwd=gT5-xY7pq;", "<password>hunter2!x</password>", "The password is Xk9$mmQ2pp.", `{"db_pass": "gT5xY7pq"}`, "密码：Xk9$mmQ2pp"[:6] + ": Xk9$mmQ2pp", "Server=db;User Id=app;Password=s3cr3t-Xyz9;", "DB_PASSWORD=gT5xY7pqRR", "pwd: s3cr3t!", "password: 48151623"},
			[]string{"The password must have eight characters.", "password: required", "password=${DB_PASSWORD}", "password = os.environ[\"PASSWORD\"]", "password=args.password", "password: ********", "password: string", "compass: north1234", "password = getpass()", "<password>", "The password is not stored.", "password = <your password here1>", "password: your_password1", "password=settings.DB_PASSWORD1"},
		},
		"key": {
			[]string{`"api_key": "` + random + `"`, "client_secret=" + random, "X-Api-Key: " + random[:24], "api key: " + random[:20], "accessToken: '" + random + "'", "https://a.eu/x?token=" + random + "&y=1", "//registry.northwind.eu/:_authToken=" + random},
			[]string{`"api_key": "your-api-key-here"`, "token: string", `secret_key = os.environ["KEY"]`, "token = request.headers.get('X1')", "max_tokens: 4096", "api_key: ${API_KEY}", "token: xxxxxxxxxxxxxxxxxxxxxx", "tokens: aB3dE5fG7hJ9kL1mN2pQ", "secret: the meeting is at ten", "token: 123456789012345678901234", "api_key=config.api_key_2_for_tests", "secret: productionserver20"},
		},
		"aws-key":            {[]string{"aws_secret_access_key = " + random, `"SecretAccessKey": "` + random + `"`, "AWS_SECRET_ACCESS_KEY=" + random}, []string{"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AKIAIOSFODNN7" + "EXAMPLE", "aws_secret_access_key = "}},
		"azure-key":          {[]string{"AccountKey=" + random + random + "aB3dE5==;", "SharedAccessKey=" + random + "aB3=", strings.Repeat(random, 2)[:52] + "JQQJ99" + strings.Repeat(random, 2)[:26]}, []string{"AccountKey=...", "AccountKey=<key>;", "SharedAccessKeyName=RootManageSharedAccessKey"}},
		"azure-secret":       {[]string{"abC8Q~" + random[:34], "x.y7Q~" + random[:34], "secret " + "a_B8Q~" + random[:31]}, []string{"abC8Q~" + random[:20], "abCxQ~" + random[:34], "abC8X~" + random[:34], "8Q~" + random[:34]}},
		"azure-devops-token": {[]string{strings.Repeat(random, 2)[:76] + "AZDO" + random[:4], "pat " + strings.Repeat(random, 2)[1:77] + "AZDO" + random[:4], "=" + strings.Repeat(random, 2)[2:78] + "AZDO" + random[:4]}, []string{strings.Repeat(random, 2)[:75] + "AZDO" + random[:4], strings.Repeat("x", 76) + "AZDO" + random[:4], random}},
		"azure-sas":          {[]string{"https://a.eu/b?sv=2024-01-01&sig=" + random + "aB3%3D", "?sig=" + random[:20] + "%2F" + random[:22] + "%3D&x=1", "sig=" + random + "aB3="}, []string{"?sig=abc", "sig: " + random, "&sig=" + strings.Repeat("x", 43) + "%3D"}},
		"discord-token":      {[]string{base64.RawStdEncoding.EncodeToString([]byte("1089234567890123456"))[:25] + "x"}, nil},
		"telegram-token":     {[]string{"110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1", "bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"[3:], "token 1102015431:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw2"}, []string{"110201543:AAHdqTcvCH1vGWJx", "110201543:BBHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1", "1102:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"}},
		"mailchimp-key":      {[]string{"4f8a7b6c5d4e3f2a1b0c9d8e7f6a5b41-us1", "4f8a7b6c5d4e3f2a1b0c9d8e7f6a5b42-us14", "4f8a7b6c5d4e3f2a1b0c9d8e7f6a5b43-us21"}, []string{"4f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4-us1", "4f8a7b6c5d4e3f2a1b0c9d8e7f6a5b41-use", "4f8a7b6c5d4e3f2a1b0c9d8e7f6a5b41"}},
	} {
		if kind == "discord-token" {
			id := base64.RawStdEncoding.EncodeToString([]byte("1089234567890123456"))
			c.yes = []string{id + ".GaBcDe." + random[:38], id + ".G-BcD_." + random[:27], id + ".XaBcDe." + random[:30]}
			c.no = []string{id + ".GaBcDe", "M" + id[:25] + ".GaBcDe." + random[:38], id + ".GaBcDe." + strings.Repeat("x", 38)}
		}
		for _, frame := range []string{"%", "Größe: 3\n%\n", "see % ."} {
			for _, yes := range c.yes {
				check(t, kind, strings.Replace(frame, "%", yes, 1), Options{}, true)
			}
			for _, no := range c.no {
				check(t, kind, strings.Replace(frame, "%", no, 1), Options{}, false)
			}
		}
	}
}

func TestEveryKindOfSecretHasARule(t *testing.T) {
	t.Parallel()
	bound := []int{kindPrivateKey, kindKubernetes, kindURLPassword, kindBasic, kindBearer, kindNetrc, kindPassword, kindKey, kindAWS, kindAzure, kindAzureSecret, kindAzureDevOps, kindAzureSAS, kindDiscord, kindTelegram, kindMailchimp, kindBitcoinKey}
	for i, k := range Kinds() {
		if k.Class == Secret && !slices.Contains(bound, i) && !slices.ContainsFunc(tokenRows, func(r tokenRow) bool { return r.kind == k.Name }) {
			t.Errorf("%s is never found", k.Name)
		}
	}
}

// The sums of the vendors say more than the form: the published example of the
// CRC in GitHub's and npm's tokens, one made here for Grafana, and BIP 173's own
// alphabet for age.
func TestASumMakesATokenChecked(t *testing.T) {
	t.Parallel()
	sum := crc32.ChecksumIEEE([]byte("glsa_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"))
	grafana := "glsa_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY_" + hex.EncodeToString([]byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})
	for _, c := range []struct {
		text string
		want Strength
	}{
		{"ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17", Checked},
		{"ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq18", Shaped},
		{"npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17", Checked},
		{grafana, Checked},
		{grafana[:38] + "00" + grafana[40:], Shaped},
		{"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX", Checked},
		{"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEZ", Shaped},
		{"sk-aB3dE5fG7hJ9kL1mN2pQ" + "T3BlbkFJ" + "aB3dE5fG7hJ9kL1mN2pQ", Checked},
	} {
		found := findAll(t, c.text, "", Options{})
		if len(found) != 1 || found[0].Strength != c.want {
			t.Errorf("%s: %+v, want %s", c.text, found, c.want)
		}
	}
}
