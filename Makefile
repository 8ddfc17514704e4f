# Everything that is done with this repository. `make help` lists it.
SHELL       := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
CACHE    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/custody-ci
LINT      = $(CACHE)/bin/golangci-lint-$(LINT_VERSION)
LINT_VERSION := v2.15.0
FUZZTIME ?= 10s
LIMIT_MB := 45

# Packages without a database, whose tests the race detector finishes in a
# minute; `make race` takes them all.
QUICK := . ./security/... ./workflow ./steps/... ./api/client

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## the program, stripped, as bin/custody; fails above 45 MB
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/custody ./cmd/custody
	@size=$$(wc -c < bin/custody); mb=$$((size / 1000000)); echo "bin/custody: $$mb MB"; \
	  if (( size >= $(LIMIT_MB) * 1000000 )); then echo "the program must stay under $(LIMIT_MB) MB" >&2; exit 1; fi

.PHONY: check
check: lint vet arch ## before every commit: format, linters, imports, documents, the quick tests under the race detector
	$(GO) test -race -short -timeout 10m $(QUICK)

.PHONY: test
test: ## all tests, with a real PostgreSQL
	$(GO) test ./...

.PHONY: race
race: ## all tests under the race detector; the slowest stories are left out
	$(GO) test -race -short -timeout 20m ./...

.PHONY: vet
vet: ## what the compiler does not see
	$(GO) vet ./...

.PHONY: arch
arch: ## who may import whom, and whether the documents are true
	$(GO) test -count=1 -short -run 'Import|Table|Variable|Ledger|Model|Links|Document|Reference|Readme|Scaffold|Operations|Blocks|Catalogue|Problem|Glossary|Anchors|Reader' .

.PHONY: lint
lint: $(LINT) ## format and linters
	$(LINT) fmt --diff
	$(LINT) run

# GOFLAGS is emptied so that a vendored or read-only setting of ours does not
# reach a tool that is not part of the module.
$(LINT):
	@mkdir -p $(CACHE)/bin
	cd / && GOFLAGS= GOBIN=$(CACHE)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(CACHE)/bin/golangci-lint $(LINT)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s)
	GO="$(GO)" .ci/fuzz $(FUZZTIME)

.PHONY: guard-eval
guard-eval: ## how well the prompt firewall does on sources it never saw: make guard-eval DEV=dev.jsonl.gz
	@if [[ -z "$(DEV)" ]]; then echo "guard-eval needs a development set: make guard-eval DEV=path/to/dev.jsonl.gz (the format: go doc ./security/guard/train)" >&2; exit 2; fi
	$(GO) run ./security/guard/train -dev "$(DEV)" -eval

.PHONY: guard-train
guard-train: ## the weights of the prompt firewall, made again: make guard-train DEV=dev.jsonl.gz
	@if [[ -z "$(DEV)" ]]; then echo "guard-train needs a development set: make guard-train DEV=path/to/dev.jsonl.gz" >&2; exit 2; fi
	$(GO) run ./security/guard/train -dev "$(DEV)" -out security/guard/detector/weights.bin

.PHONY: bench
bench: ## the figures of docs/benchmarks.md: Custody against raw River on one PostgreSQL
	$(GO) run ./internal/bench

.PHONY: model
model: ## the TLA+ model of how a run moves (Java; half an hour). MODEL=quick for a selection
	docs/model/check.sh $(MODEL)

.PHONY: test-llm
test-llm: ## the provider's contract against a real endpoint, which CUSTODY_TEST_OPENAI_URL names
	@[ -n "$${CUSTODY_TEST_OPENAI_URL:-}" ] || { echo "set CUSTODY_TEST_OPENAI_URL to the base URL of an OpenAI-compatible endpoint, such as http://127.0.0.1:9000/v1" >&2; exit 2; }
	$(GO) test -count=1 -v -run RealEndpoint ./steps/model

.PHONY: test-keycloak
test-keycloak: ## sign-in, tokens and logout against a real Keycloak, which CUSTODY_TEST_KEYCLOAK_URL names
	@[ -n "$${CUSTODY_TEST_KEYCLOAK_URL:-}" ] || { printf '%s\n' \
	  'set CUSTODY_TEST_KEYCLOAK_URL to the issuer URL of a test realm, such as http://localhost:28080/realms/custody' \
	  'and, where they differ from what is assumed:' \
	  '  CUSTODY_TEST_KEYCLOAK_ADMIN      the password of its administrator admin (default admin)' \
	  '  CUSTODY_TEST_KEYCLOAK_AGENT_KEY  a file with the key of agent-summariser (default: the tests register one)' \
	  '  CUSTODY_TEST_KEYCLOAK_KCADM      the path of its kcadm.sh (default: that on the PATH), for docs/keycloak.md' >&2; exit 2; }
	$(GO) test -count=1 -v -timeout 15m ./internal/keycloak

.PHONY: verify
verify: ## nothing that is generated is stale: go.mod, OpenAPI
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(GO) test -count=1 -run Description ./api

.PHONY: clean
clean: ## remove what was built; data in .custody and keys stays
	rm -rf bin
