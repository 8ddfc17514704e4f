package sensitive

// secretRows names the kinds of secrets, in the order of Kinds.
var secretRows = [...][2]string{
	{"private-key", "a private key"},
	{"age-key", "an age private key"},
	{"nostr-key", "a Nostr private key"},
	{"btc-private-key", "a Bitcoin private key"},
	{"jwt", "a JSON Web Token"},
	{"kubernetes-token", "a Kubernetes service account token"},
	{"url-password", "an address with a password in it"},
	{"http-basic", "a user's name and password as HTTP sends them"},
	{"http-bearer", "a bearer token"},
	{"netrc-password", "a password of a .netrc file"},
	{"password", "a value that is called a password"},
	{"key", "a value that looks random and is called a key or token"},

	{"aws-key", "an AWS access key"},
	{"aws-session", "an AWS session token"},
	{"aws-bedrock-key", "an Amazon Bedrock key"},
	{"aws-mws-token", "an Amazon marketplace token"},
	{"google-key", "a Google API key"},
	{"google-token", "a Google access token"},
	{"google-refresh-token", "a Google refresh token"},
	{"google-secret", "a Google client secret"},
	{"firebase-key", "a Firebase server key"},
	{"azure-key", "an Azure key"},
	{"azure-secret", "a Microsoft Entra client secret"},
	{"azure-devops-token", "an Azure DevOps token"},
	{"azure-sas", "an Azure shared access signature"},
	{"digitalocean-token", "a DigitalOcean token"},
	{"heroku-key", "a Heroku key"},
	{"cloudflare-key", "a Cloudflare origin key"},
	{"fly-token", "a Fly.io token"},
	{"vercel-token", "a Vercel storage token"},
	{"netlify-token", "a Netlify token"},
	{"render-key", "a Render key"},
	{"alibaba-key", "an Alibaba Cloud access key"},
	{"tencent-key", "a Tencent Cloud key"},
	{"yandex-key", "a Yandex Cloud key"},
	{"scalingo-token", "a Scalingo token"},

	{"github-token", "a GitHub token"},
	{"gitlab-token", "a GitLab token"},
	{"atlassian-token", "an Atlassian token"},
	{"bitbucket-password", "a Bitbucket app password"},
	{"sonar-token", "a SonarQube token"},
	{"circleci-token", "a CircleCI token"},
	{"buildkite-token", "a Buildkite token"},
	{"artifactory-key", "an Artifactory key"},
	{"docker-token", "a Docker token"},
	{"npm-token", "an npm token"},
	{"pypi-token", "a PyPI token"},
	{"rubygems-key", "a RubyGems key"},
	{"nuget-key", "a NuGet key"},
	{"crates-token", "a crates.io token"},
	{"clojars-token", "a Clojars token"},
	{"sourcegraph-token", "a Sourcegraph or Segment token"},
	{"snyk-token", "a Snyk token"},

	{"vault-token", "a Vault token"},
	{"terraform-token", "a Terraform token"},
	{"pulumi-token", "a Pulumi token"},
	{"doppler-token", "a Doppler token"},
	{"1password-token", "a 1Password token"},
	{"tailscale-key", "a Tailscale key"},
	{"prefect-key", "a Prefect key"},
	{"databricks-token", "a Databricks token"},
	{"planetscale-token", "a PlanetScale password or token"},
	{"supabase-key", "a Supabase key"},
	{"neon-key", "a Neon key"},
	{"mongodb-key", "a MongoDB Atlas key"},
	{"elastic-key", "an Elastic key"},
	{"clickhouse-key", "a ClickHouse Cloud key"},

	{"slack-token", "a Slack token"},
	{"slack-webhook", "a Slack webhook"},
	{"discord-token", "a Discord token"},
	{"discord-webhook", "a Discord webhook"},
	{"telegram-token", "a Telegram bot token"},
	{"teams-webhook", "a Teams webhook"},
	{"twilio-key", "a Twilio key"},
	{"facebook-token", "a Facebook token"},
	{"linkedin-secret", "a LinkedIn client secret"},
	{"notion-token", "a Notion token"},
	{"linear-key", "a Linear key"},
	{"airtable-token", "an Airtable token"},
	{"figma-token", "a Figma token"},
	{"postman-key", "a Postman key"},
	{"dropbox-token", "a Dropbox token"},
	{"contentful-token", "a Contentful token"},
	{"typeform-token", "a Typeform token"},
	{"calcom-key", "a Cal.com key"},
	{"readme-key", "a ReadMe key"},
	{"mapbox-token", "a Mapbox secret token"},

	{"stripe-key", "a payment service's secret key"},
	{"stripe-webhook", "a webhook secret"},
	{"square-token", "a Square token"},
	{"braintree-token", "a Braintree token"},
	{"shopify-token", "a Shopify token"},
	{"plaid-token", "a Plaid token"},
	{"flutterwave-key", "a Flutterwave key"},
	{"duffel-token", "a Duffel token"},
	{"easypost-key", "an EasyPost key"},
	{"shippo-token", "a Shippo token"},
	{"paddle-key", "a Paddle key"},

	{"sendgrid-key", "a SendGrid key"},
	{"mailgun-key", "a Mailgun key"},
	{"mailchimp-key", "a Mailchimp key"},
	{"brevo-key", "a Brevo key"},
	{"resend-key", "a Resend key"},
	{"mailersend-key", "a MailerSend key"},
	{"hubspot-token", "a HubSpot token"},
	{"salesforce-token", "a Salesforce session"},

	{"sentry-token", "a Sentry token"},
	{"grafana-token", "a Grafana token"},
	{"newrelic-key", "a New Relic key"},
	{"dynatrace-token", "a Dynatrace token"},
	{"honeycomb-key", "a Honeycomb key"},
	{"launchdarkly-key", "a LaunchDarkly key"},
	{"posthog-key", "a PostHog personal key"},
	{"axiom-token", "an Axiom token"},

	{"openai-key", "an OpenAI key"},
	{"anthropic-key", "an Anthropic key"},
	{"hugging-face-token", "a Hugging Face token"},
	{"groq-key", "a Groq key"},
	{"replicate-token", "a Replicate token"},
	{"perplexity-key", "a Perplexity key"},
	{"xai-key", "an xAI key"},
	{"openrouter-key", "an OpenRouter key"},
	{"cerebras-key", "a Cerebras key"},
	{"elevenlabs-key", "an ElevenLabs key"},
	{"nvidia-key", "an NVIDIA key"},
	{"pinecone-key", "a Pinecone key"},
	{"tavily-key", "a Tavily key"},
	{"firecrawl-key", "a Firecrawl key"},
	{"llamacloud-key", "a LlamaCloud key"},
	{"langsmith-key", "a LangSmith key"},
	{"langfuse-key", "a Langfuse secret key"},
	{"together-key", "a Together key"},
	{"e2b-key", "an E2B key"},
	{"sk-key", "a secret key in the form of several AI services"},
}

// An alphabet is what a token is written in.
type alphabet uint8

const (
	alnum    alphabet = iota
	lowHex            // lower case
	capital           // capital letters and digits
	urlSafe           // base64url: letters, digits, _ and -
	wordly            // letters, digits and _
	dotted            // base64url and dots
	code64            // both alphabets of base64, with =
	pathLike          // base64url, slashes and dots
)

// alphabets says which characters belong to which.
var alphabets = func() (t [256]uint16) {
	for c := range 128 {
		b := byte(c)
		in := func(a alphabet, yes bool) {
			if yes {
				t[c] |= 1 << a
			}
		}
		an := isAlnum(b)
		in(alnum, an)
		in(lowHex, isDigit(b) || 'a' <= b && b <= 'f')
		in(capital, isUpper(b) || isDigit(b))
		in(urlSafe, an || b == '_' || b == '-')
		in(wordly, an || b == '_')
		in(dotted, an || b == '_' || b == '-' || b == '.')
		in(code64, an || b == '_' || b == '-' || b == '+' || b == '/' || b == '=')
		in(pathLike, an || b == '_' || b == '-' || b == '/' || b == '.')
	}
	return t
}()

func (a alphabet) has(c byte) bool { return alphabets[c]&(1<<a) != 0 }

// The rows of secrets that are found in other ways than by a prefix.
var (
	kindPrivateKey  = kindNamed("private-key")
	kindKubernetes  = kindNamed("kubernetes-token")
	kindURLPassword = kindNamed("url-password")
	kindBasic       = kindNamed("http-basic")
	kindBearer      = kindNamed("http-bearer")
	kindNetrc       = kindNamed("netrc-password")
	kindPassword    = kindNamed("password")
	kindKey         = kindNamed("key")
	kindAWS         = kindNamed("aws-key")
	kindAzure       = kindNamed("azure-key")
	kindAzureSecret = kindNamed("azure-secret")
	kindAzureDevOps = kindNamed("azure-devops-token")
	kindAzureSAS    = kindNamed("azure-sas")
	kindDiscord     = kindNamed("discord-token")
	kindTelegram    = kindNamed("telegram-token")
	kindMailchimp   = kindNamed("mailchimp-key")
	kindBitcoinKey  = kindNamed("btc-private-key")
)
