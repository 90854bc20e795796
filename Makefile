# Everything here works in a fresh clone with Go, make and gcc.

GO        ?= go
FUZZTIME  ?= 30s
FUZZ      ?= .
BENCHTIME ?= 300ms
ROUNDS    ?= 200

# smallstep's own database drivers are left out; ours are not theirs.
TAGS  := nobadger,nobbolt,nomysql,nopgx
BUILD := $(GO) build -trimpath -buildvcs=auto -tags $(TAGS)
TEST  := $(GO) test -tags $(TAGS)
DRILL := NETGET_DRILL=full $(TEST) -count 1 -v -timeout 60m
TOOL  := $(GO) tool -modfile=tools/go.mod

PROGRAMS := netget-ca netget-registry netget-client

.DEFAULT_GOAL := help
.PHONY: help build $(PROGRAMS) demo test postgres openssl race check format vet lint dead modules bench \
	drill-crash drill-flood drill-health drill-pause drill-tokens drill-sync scan-tls vuln attack fuzz clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(PROGRAMS) ## Build the three static programs into bin/.

$(PROGRAMS):
	CGO_ENABLED=0 $(BUILD) -o bin/$@ ./cmd/$@

demo: netget-registry ## Show in one process what netget promises; it ends by itself.
	@bin/netget-registry demo

test: postgres openssl race ## Run all tests, with PostgreSQL and openssl, which are installed if need be.

postgres:
	@tools/need-postgres

openssl:
	@tools/need-openssl

# Go runs a test again only if something it depends on has changed.
race:
	NETGET_TEST_REQUIRE=postgres,openssl $(TEST) -race -timeout 60m ./...

check: format vet lint dead modules test ## Check format, lint, dead code and modules; then test.

format:
	$(TOOL) golangci-lint fmt --diff

vet:
	$(GO) vet -tags $(TAGS) ./...

lint:
	$(TOOL) golangci-lint run

# It must print nothing, and says so by its output alone.
dead:
	@echo "deadcode -test -tags $(TAGS) ./..."
	@found=$$($(TOOL) deadcode -test -tags $(TAGS) ./...) || exit 1; \
	if [ -n "$$found" ]; then printf '%s\n' "$$found"; exit 1; fi

modules:
	$(GO) mod verify
	$(GO) mod tidy -diff

# docs/performance.md says what the figures mean.
bench: postgres ## Run the benchmarks; what has a limit says PASS or FAIL.
	NETGET_TEST_REQUIRE=postgres $(TEST) -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem ./...

drill-crash: postgres ## Kill the registry under 500 registrations a second, ROUNDS (200) times on each store.
	NETGET_TEST_REQUIRE=postgres NETGET_CRASH_ROUNDS=$(ROUNDS) $(DRILL) -run '^TestCrash$$' ./cmd/netget-registry

drill-flood: ## Flood the registry with connections while others are served.
	$(DRILL) -run '^TestFlood$$' ./cmd/netget-registry

drill-health: ## Kill and stop nodes, stop the registry, simulate 10,000 nodes, load it with 100,000.
	$(DRILL) -p 1 -run '^Test(Simulated|.*Contacted$$|Health|HeartbeatLoad)' -skip '^TestHealthScripts$$' ./healthwatch/... ./cmd/netget-registry

drill-pause: ## Stop the registry's process for a minute while nodes and clients go on.
	$(DRILL) -run '^TestPause$$' ./cmd/netget-registry

drill-tokens: ## Use one join token 200 times at once, and 10,000 forged ones.
	$(DRILL) -run '^(TestOneTokenGivesOneCertificate|TestForgedTokensLeaveNoTrace)$$' ./cmd/netget-ca

drill-sync: ## Show with strace that a registration is on disk before it is acknowledged.
	@tools/need-programs strace
	$(DRILL) -tags $(TAGS),strace -run '^TestSyncBeforeAcknowledgement$$' ./cmd/netget-registry

scan-tls: ## Have testssl.sh and sslscan look at both ports.
	@tools/need-programs testssl sslscan
	$(DRILL) -tags $(TAGS),scan -run '^TestTLSScan$$' ./cmd/netget-registry

vuln: ## Ask Go's vulnerability database about what the programs call.
	@tools/vulncheck $(TAGS)

# One line a case; what go test says beside that is shown where something fails.
attack: ## Send freshly started programs everything they must refuse; exit 1 on any surprise.
	@{ NETGET_ATTACK_PROCESSES=1 $(TEST) -count 1 -v -run '^TestAttack$$' ./cmd/internal/attack 2>&1; echo "exit $$?"; } | awk \
		'/^exit [0-9]+$$/ { code = $$2; next } \
		/^=== / || /^ *--- PASS/ || /^(PASS|ok  .*)$$/ { next } \
		/^ *(PASS|FAIL|attack:) / { sub(/^ +/, "") } \
		{ print } END { exit code }'

# docs/fuzzing.md says what they look for.
fuzz: ## Run every fuzz target for FUZZTIME (30s), or those whose names match FUZZ.
	@tools/fuzz $(FUZZTIME) '$(FUZZ)' $(TEST)

clean: ## Remove what was built here.
	rm -rf bin
