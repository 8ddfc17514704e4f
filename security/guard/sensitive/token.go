package sensitive

import "strings"

// A tokenRow is a vendor's token: how it begins, what follows, and how much of it.
// The prefixes, lengths and check sums are the vendors' published facts; where a
// vendor publishes no length, the bounds are wide.
type tokenRow struct {
	prefix   string
	kind     string
	abc      alphabet
	min, max int                         // characters after the prefix
	check    func(token string) Strength // 0 for no; nil asks only that it looks random
}

var tokenRows = []tokenRow{
	{"AKIA", "aws-key", capital, 16, 16, nil},
	{"ASIA", "aws-key", capital, 16, 16, nil},
	{"ABIA", "aws-key", capital, 16, 16, nil},
	{"ACCA", "aws-key", capital, 16, 16, nil},
	{"IQoJb3JpZ2lu", "aws-session", code64, 150, 4096, nil},
	{"FwoGZXIvYXdz", "aws-session", code64, 150, 4096, nil},
	{"ABSKQmVkcm9ja0FQSUtleS", "aws-bedrock-key", code64, 90, 300, nil},
	{"bedrock-api-key-", "aws-bedrock-key", code64, 100, 4096, nil},
	{"amzn.mws.", "aws-mws-token", urlSafe, 36, 36, isUUIDToken},
	{"AIza", "google-key", urlSafe, 35, 35, nil},
	{"ya29.", "google-token", dotted, 30, 2048, nil},
	{"1//0", "google-refresh-token", urlSafe, 40, 200, nil},
	{"GOCSPX-", "google-secret", urlSafe, 28, 28, nil},
	{"AAAA", "firebase-key", urlSafe, 7, 7, nil}, // goes on after a colon, see firebase
	{"dop_v1_", "digitalocean-token", lowHex, 64, 64, nil},
	{"doo_v1_", "digitalocean-token", lowHex, 64, 64, nil},
	{"dor_v1_", "digitalocean-token", lowHex, 64, 64, nil},
	{"HRKU-", "heroku-key", urlSafe, 36, 60, nil},
	{"v1.0-", "cloudflare-key", urlSafe, 171, 171, nil},
	{"fo1_", "fly-token", urlSafe, 43, 43, nil},
	{"fm1r_", "fly-token", code64, 100, 4096, nil},
	{"fm1a_", "fly-token", code64, 100, 4096, nil},
	{"fm2_", "fly-token", code64, 100, 4096, nil},
	{"vercel_blob_rw_", "vercel-token", wordly, 40, 80, nil},
	{"nfp_", "netlify-token", alnum, 36, 40, nil},
	{"rnd_", "render-key", alnum, 28, 40, nil},
	{"LTAI", "alibaba-key", alnum, 12, 26, nil},
	{"AKID", "tencent-key", alnum, 32, 32, nil},
	{"AQVN", "yandex-key", urlSafe, 35, 38, nil},
	{"tk-us-", "scalingo-token", urlSafe, 48, 48, nil},

	{"ghp_", "github-token", alnum, 36, 251, crcToken},
	{"gho_", "github-token", alnum, 36, 251, crcToken},
	{"ghu_", "github-token", alnum, 36, 251, crcToken},
	{"ghs_", "github-token", dotted, 36, 1024, crcToken},
	{"ghr_", "github-token", alnum, 36, 251, crcToken},
	{"github_pat_", "github-token", wordly, 60, 251, nil},
	{"glpat-", "gitlab-token", dotted, 20, 320, nil},
	{"gldt-", "gitlab-token", dotted, 20, 320, nil},
	{"glrt-", "gitlab-token", dotted, 20, 320, nil},
	{"glrtr-", "gitlab-token", dotted, 20, 320, nil},
	{"glcbt-", "gitlab-token", dotted, 20, 320, nil},
	{"glptt-", "gitlab-token", dotted, 40, 320, nil},
	{"glft-", "gitlab-token", dotted, 20, 320, nil},
	{"glimt-", "gitlab-token", dotted, 20, 320, nil},
	{"glagent-", "gitlab-token", dotted, 50, 320, nil},
	{"gloas-", "gitlab-token", dotted, 64, 320, nil},
	{"glsoat-", "gitlab-token", dotted, 20, 320, nil},
	{"glffct-", "gitlab-token", dotted, 20, 320, nil},
	{"GR1348941", "gitlab-token", urlSafe, 20, 20, nil},
	{"ATATT3xFf", "atlassian-token", code64, 100, 300, nil},
	{"ATCTT3xFf", "atlassian-token", code64, 100, 300, nil},
	{"ATSTT3xFf", "atlassian-token", code64, 100, 300, nil},
	{"ATBB", "bitbucket-password", alnum, 32, 32, nil},
	{"squ_", "sonar-token", lowHex, 40, 40, nil},
	{"sqp_", "sonar-token", lowHex, 40, 40, nil},
	{"sqa_", "sonar-token", lowHex, 40, 40, nil},
	{"CCIPAT_", "circleci-token", wordly, 63, 63, nil},
	{"CCIPRJ_", "circleci-token", wordly, 63, 63, nil},
	{"bkua_", "buildkite-token", lowHex, 40, 40, nil},
	{"AKCp", "artifactory-key", alnum, 69, 69, nil},
	{"cmVmdGtu", "artifactory-key", alnum, 56, 56, nil},
	{"dckr_pat_", "docker-token", urlSafe, 27, 27, nil},
	{"dckr_oat_", "docker-token", urlSafe, 27, 40, nil},
	{"npm_", "npm-token", alnum, 36, 36, crcToken},
	{"pypi-AgEIcHlwaS5vcmc", "pypi-token", urlSafe, 50, 1000, nil},
	{"pypi-AgENdGVzdC5weXBpLm9yZw", "pypi-token", urlSafe, 50, 1000, nil},
	{"rubygems_", "rubygems-key", lowHex, 48, 48, nil},
	{"oy2", "nuget-key", alnum, 43, 43, nil},
	{"cio", "crates-token", alnum, 32, 32, nil},
	{"CLOJARS_", "clojars-token", alnum, 60, 60, nil},
	{"sgp_", "sourcegraph-token", wordly, 40, 64, nil},
	{"snyk_uat.", "snyk-token", dotted, 40, 1000, nil},
	{"snyk_sat.", "snyk-token", dotted, 40, 1000, nil},

	{"hvs.", "vault-token", urlSafe, 24, 300, nil},
	{"hvb.", "vault-token", urlSafe, 90, 400, nil},
	{"hvr.", "vault-token", urlSafe, 24, 300, nil},
	{"atlasv1.", "terraform-token", urlSafe, 60, 70, nil}, // 14 characters and a dot stand before it, see token
	{"pul-", "pulumi-token", lowHex, 40, 40, nil},
	{"dp.pt.", "doppler-token", alnum, 40, 44, nil},
	{"dp.ct.", "doppler-token", alnum, 40, 44, nil},
	{"dp.sa.", "doppler-token", alnum, 40, 44, nil},
	{"dp.scim.", "doppler-token", alnum, 40, 44, nil},
	{"dp.audit.", "doppler-token", alnum, 40, 44, nil},
	{"dp.st.", "doppler-token", dotted, 40, 90, nil},
	{"ops_eyJ", "1password-token", code64, 200, 2000, nil},
	{"A3-", "1password-token", urlSafe, 31, 38, onePassword},
	{"tskey-", "tailscale-key", urlSafe, 24, 100, nil},
	{"pnu_", "prefect-key", alnum, 36, 36, nil},
	{"pnb_", "prefect-key", alnum, 36, 36, nil},
	{"dapi", "databricks-token", lowHex, 32, 32, nil},
	{"pscale_tkn_", "planetscale-token", dotted, 32, 64, nil},
	{"pscale_pw_", "planetscale-token", dotted, 32, 64, nil},
	{"pscale_oauth_", "planetscale-token", dotted, 32, 64, nil},
	{"sbp_", "supabase-key", lowHex, 40, 40, nil},
	{"sb_secret_", "supabase-key", urlSafe, 30, 60, nil},
	{"napi_", "neon-key", alnum, 40, 80, nil},
	{"mdb_sa_sk_", "mongodb-key", urlSafe, 30, 60, nil},
	{"essu_", "elastic-key", code64, 40, 200, nil},
	{"4b1d", "clickhouse-key", alnum, 38, 38, nil},

	{"xoxb-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxp-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxa-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxr-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxs-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxc-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxo-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxe-", "slack-token", urlSafe, 20, 255, nil},
	{"xoxe.xox", "slack-token", urlSafe, 20, 300, nil},
	{"xapp-1-", "slack-token", urlSafe, 40, 255, nil},
	{"hooks.slack.com/services/T", "slack-webhook", pathLike, 30, 90, nil},
	{"hooks.slack.com/workflows/T", "slack-webhook", pathLike, 30, 90, nil},
	{"hooks.slack.com/triggers/", "slack-webhook", pathLike, 30, 90, nil},
	{"discord.com/api/webhooks/", "discord-webhook", pathLike, 70, 100, nil},
	{"discordapp.com/api/webhooks/", "discord-webhook", pathLike, 70, 100, nil},
	{"webhook.office.com/webhookb2/", "teams-webhook", urlSafe, 36, 36, isUUIDToken},
	{"outlook.office.com/webhook/", "teams-webhook", urlSafe, 36, 36, isUUIDToken},
	{"SK", "twilio-key", lowHex, 32, 32, nil},
	{"EAA", "facebook-token", alnum, 80, 400, nil},
	{"WPL_AP1.", "linkedin-secret", dotted, 16, 60, nil},
	{"secret_", "notion-token", alnum, 43, 43, nil},
	{"ntn_", "notion-token", alnum, 40, 60, nil},
	{"lin_api_", "linear-key", alnum, 40, 40, nil},
	{"lin_oauth_", "linear-key", alnum, 40, 64, nil},
	{"pat", "airtable-token", dotted, 79, 79, airtable},
	{"figd_", "figma-token", urlSafe, 40, 60, nil},
	{"PMAK-", "postman-key", urlSafe, 59, 59, nil},
	{"PMAT-", "postman-key", urlSafe, 26, 26, nil},
	{"sl.", "dropbox-token", dotted, 130, 2000, nil},
	{"CFPAT-", "contentful-token", urlSafe, 43, 43, nil},
	{"tfp_", "typeform-token", dotted, 40, 70, nil},
	{"cal_live_", "calcom-key", lowHex, 32, 32, nil},
	{"rdme_", "readme-key", alnum, 70, 70, nil},
	{"sk.eyJ", "mapbox-token", dotted, 60, 200, nil},

	{"sk_live_", "stripe-key", alnum, 16, 250, nil},
	{"sk_test_", "stripe-key", alnum, 16, 250, nil},
	{"rk_live_", "stripe-key", alnum, 16, 250, nil},
	{"rk_test_", "stripe-key", alnum, 16, 250, nil},
	{"sk_org_", "stripe-key", wordly, 20, 250, nil},
	{"whsec_", "stripe-webhook", code64, 24, 120, nil},
	{"EAAA", "square-token", urlSafe, 60, 60, nil},
	{"sq0atp-", "square-token", urlSafe, 22, 22, nil},
	{"sq0csp-", "square-token", urlSafe, 43, 43, nil},
	{"sq0idp-", "square-token", urlSafe, 22, 22, nil},
	{"access_token$production$", "braintree-token", alnum, 16, 16, nil}, // a dollar and the rest, see token
	{"access_token$sandbox$", "braintree-token", alnum, 16, 16, nil},
	{"shpat_", "shopify-token", alnum, 32, 32, nil},
	{"shpca_", "shopify-token", alnum, 32, 32, nil},
	{"shppa_", "shopify-token", alnum, 32, 32, nil},
	{"shpss_", "shopify-token", alnum, 32, 32, nil},
	{"access-production-", "plaid-token", urlSafe, 36, 36, isUUIDToken},
	{"access-sandbox-", "plaid-token", urlSafe, 36, 36, isUUIDToken},
	{"FLWSECK_TEST-", "flutterwave-key", urlSafe, 12, 40, nil},
	{"FLWSECK-", "flutterwave-key", urlSafe, 32, 40, nil},
	{"duffel_live_", "duffel-token", urlSafe, 43, 43, nil},
	{"duffel_test_", "duffel-token", urlSafe, 43, 43, nil},
	{"EZAK", "easypost-key", alnum, 54, 54, nil},
	{"EZTK", "easypost-key", alnum, 54, 54, nil},
	{"shippo_live_", "shippo-token", lowHex, 40, 40, nil},
	{"shippo_test_", "shippo-token", lowHex, 40, 40, nil},
	{"pdl_live_apikey_", "paddle-key", wordly, 53, 53, nil},
	{"pdl_sdbx_apikey_", "paddle-key", wordly, 53, 53, nil},

	{"SG.", "sendgrid-key", dotted, 66, 66, sendgrid},
	{"key-", "mailgun-key", lowHex, 32, 32, nil},
	{"xkeysib-", "brevo-key", urlSafe, 81, 81, nil},
	{"xsmtpsib-", "brevo-key", urlSafe, 81, 81, nil},
	{"re_", "resend-key", wordly, 32, 36, resend},
	{"mlsn.", "mailersend-key", lowHex, 64, 64, nil},
	{"pat-na1-", "hubspot-token", urlSafe, 36, 36, isUUIDToken},
	{"pat-na2-", "hubspot-token", urlSafe, 36, 36, isUUIDToken},
	{"pat-eu1-", "hubspot-token", urlSafe, 36, 36, isUUIDToken},
	{"00D", "salesforce-token", alnum, 12, 15, nil}, // an exclamation mark and the rest, see token

	{"sntrys_eyJ", "sentry-token", code64, 80, 600, nil},
	{"sntryu_", "sentry-token", lowHex, 64, 64, nil},
	{"glsa_", "grafana-token", wordly, 41, 41, grafana},
	{"glc_eyJ", "grafana-token", code64, 40, 600, nil},
	{"eyJrIjoi", "grafana-token", code64, 60, 400, nil},
	{"NRAK-", "newrelic-key", capital, 27, 27, nil},
	{"NRII-", "newrelic-key", urlSafe, 32, 32, nil},
	{"NRIQ-", "newrelic-key", urlSafe, 32, 32, nil},
	{"NRRA-", "newrelic-key", lowHex, 42, 42, nil},
	{"NRSP-", "newrelic-key", urlSafe, 30, 50, nil},
	{"dt0c01.", "dynatrace-token", dotted, 89, 89, nil},
	{"dt0s01.", "dynatrace-token", dotted, 60, 100, nil},
	{"dt0s02.", "dynatrace-token", dotted, 60, 100, nil},
	{"dt0s16.", "dynatrace-token", dotted, 60, 100, nil},
	{"hcaik_", "honeycomb-key", alnum, 58, 58, nil},
	{"hcbik_", "honeycomb-key", alnum, 58, 58, nil},
	{"hccik_", "honeycomb-key", alnum, 58, 58, nil},
	{"sdk-", "launchdarkly-key", urlSafe, 36, 36, isUUIDToken},
	{"api-", "launchdarkly-key", urlSafe, 36, 36, isUUIDToken},
	{"phx_", "posthog-key", alnum, 40, 60, nil},
	{"xaat-", "axiom-token", urlSafe, 36, 36, isUUIDToken},
	{"xapt-", "axiom-token", urlSafe, 36, 36, isUUIDToken},

	{"sk-proj-", "openai-key", urlSafe, 40, 200, openAI},
	{"sk-svcacct-", "openai-key", urlSafe, 40, 200, openAI},
	{"sk-admin-", "openai-key", urlSafe, 40, 200, openAI},
	{"sk-None-", "openai-key", urlSafe, 40, 200, openAI},
	{"sk-ant-", "anthropic-key", urlSafe, 32, 200, nil},
	{"sk-or-v1-", "openrouter-key", lowHex, 64, 64, nil},
	{"sk-lf-", "langfuse-key", urlSafe, 36, 36, isUUIDToken},
	{"sk-", "openai-key", alnum, 48, 48, openAI},
	{"sk-", "sk-key", alnum, 32, 64, nil},
	{"hf_", "hugging-face-token", alnum, 34, 40, nil},
	{"api_org_", "hugging-face-token", alnum, 34, 40, nil},
	{"gsk_", "groq-key", alnum, 48, 56, nil},
	{"r8_", "replicate-token", alnum, 37, 40, nil},
	{"pplx-", "perplexity-key", alnum, 40, 60, nil},
	{"xai-", "xai-key", alnum, 70, 90, nil},
	{"csk-", "cerebras-key", alnum, 40, 60, nil},
	{"sk_", "elevenlabs-key", lowHex, 48, 48, nil},
	{"nvapi-", "nvidia-key", urlSafe, 60, 80, nil},
	{"pcsk_", "pinecone-key", wordly, 60, 80, nil},
	{"tvly-", "tavily-key", urlSafe, 30, 50, nil},
	{"fc-", "firecrawl-key", lowHex, 32, 32, nil},
	{"llx-", "llamacloud-key", alnum, 40, 60, nil},
	{"lsv2_pt_", "langsmith-key", wordly, 43, 43, nil},
	{"lsv2_sk_", "langsmith-key", wordly, 43, 43, nil},
	{"tgp_v1_", "together-key", urlSafe, 40, 50, nil},
	{"e2b_", "e2b-key", lowHex, 40, 40, nil},

	{"AGE-SECRET-KEY-1", "age-key", capital, 58, 58, ageKey},
	{"AGE-SECRET-KEY-PQ-1", "age-key", capital, 58, 200, nil},
	{"nsec1", "nostr-key", alnum, 58, 58, nostrKey},
	{"eyJ", "jwt", dotted, 20, 16384, jwt},
	{"LS0tLS1CRUdJTi", "private-key", code64, 80, 16384, encodedPEM},
	{"PuTTY-User-Key-File-", "private-key", alnum, 1, 1, nil}, // see putty
}

// A prefix is a tokenRow, bound to its kind.
type prefix struct {
	tokenRow
	row int
}

// prefixes holds the rows by the first two characters of their prefixes, which is
// what a word is asked first. starts says where, and 0 where none begins so.
var prefixes, starts = func() (by [][]prefix, index [1 << 14]uint8) {
	by = append(by, nil)
	for _, r := range tokenRows {
		at := &index[int(r.prefix[0])<<7|int(r.prefix[1])]
		if *at == 0 {
			*at = uint8(len(by))
			by = append(by, nil)
		}
		by[*at] = append(by[*at], prefix{r, kindNamed(r.kind)})
	}
	return by, index
}()

// bodies remembers, for each alphabet, how far the row of its characters goes
// that was measured last, so that a text of nothing but prefixes is not measured
// anew from each.
type bodies [pathLike + 1]struct{ from, to int }

func (s *scan) body(i int, a alphabet) int {
	b := &s.bodies[a]
	if b.from <= i && i < b.to {
		return b.to
	}
	j := i
	for j < len(s.t) && a.has(s.t[j]) {
		j++
	}
	b.from, b.to = i, j
	return j
}

// token tries the vendors' prefixes where a word begins, and what a long word may
// be. It returns the end of what was found, or 0.
func (s *scan) token(i, end int) int {
	t := s.t
	if i+1 < len(t) && t[i]|t[i+1] < 0x80 {
		list := prefixes[starts[int(t[i])<<7|int(t[i+1])]]
		for k := range list {
			if strings.HasPrefix(t[i:], list[k].prefix) {
				if e := s.vendor(&list[k], i); e > 0 {
					return e
				}
			}
		}
	}
	if end-i >= 23 {
		return s.longSecret(i, end)
	}
	if end-i >= 7 && end-i <= 10 {
		if isDigit(t[i]) {
			return s.telegram(i, end)
		}
		return s.spoken(i, end)
	}
	return 0
}

// vendor holds a row against the token at i.
func (s *scan) vendor(p *prefix, i int) int {
	t := s.t
	from := i + len(p.prefix)
	j := s.body(from, p.abc)
	if p.max > 4000 { // a long token may begin only once in its row of characters
		if i > 0 && p.abc.has(t[i-1]) && i != s.fresh && t[i-1] != '=' && t[i-1] != '/' {
			return 0
		}
		j = min(j, from+p.max)
	}
	if p.abc == dotted || p.abc == pathLike || p.abc == urlSafe {
		for j > from && (t[j-1] == '.' || t[j-1] == '-' || t[j-1] == '/') {
			j--
		}
	}
	if n := j - from; n < p.min || n > p.max || !tokenEnds(t, j) {
		return 0
	}
	var strength Strength
	if p.check != nil {
		strength = p.check(t[i:j])
	} else {
		strength = shaped(t[from:j])
	}
	if strength == 0 {
		return 0
	}
	return s.compound(p, strength, i, j)
}

// tokenEnds refuses a token that goes on as part of a longer word.
func tokenEnds(t string, j int) bool {
	return j == len(t) || !isAlnum(t[j]) && t[j] != '_'
}

// compound reports a token, with what stands around it where its vendor uses
// characters that part words elsewhere.
func (s *scan) compound(p *prefix, strength Strength, i, j int) int {
	row := p.row
	switch p.kind {
	case "terraform-token": // fourteen characters, .atlasv1., and the rest
		if i < 15 || s.t[i-1] != '.' || !alnum.all(s.t[i-15:i-1]) {
			return 0
		}
		i -= 15
	case "salesforce-token":
		return s.joined(row, i, j, '!', dotted, 80)
	case "firebase-key":
		return s.joined(row, i, j, ':', urlSafe, 140)
	case "braintree-token":
		return s.joined(row, i, j, '$', lowHex, 32)
	case "jwt":
		if isServiceAccount(s.t[i:j]) {
			row = kindKubernetes
		}
	case "private-key":
		if strings.HasPrefix(p.prefix, "PuTTY") {
			return s.putty(i)
		}
	}
	return s.report(row, strength, i, j)
}

// joined reports a token that goes on after a sign with n characters, or more.
func (s *scan) joined(row, i, j int, sign byte, a alphabet, n int) int {
	if j >= len(s.t) || s.t[j] != sign {
		return 0
	}
	end := s.body(j+1, a)
	if end-j-1 < n || end-j-1 > 2*n {
		return 0
	}
	return s.report(row, Shaped, i, end)
}

func (a alphabet) all(t string) bool {
	for i := range len(t) {
		if !a.has(t[i]) {
			return false
		}
	}
	return true
}
