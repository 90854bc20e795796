# Everything here works in a fresh clone with Go, make and gcc.

GO        ?= go
FUZZTIME  ?= 30s
BENCHTIME ?= 300ms
ROUNDS    ?= 20

# smallstep's own database drivers are left out; ours are not theirs.
TAGS  := nobadger,nobbolt,nomysql,nopgx
BUILD := $(GO) build -trimpath -buildvcs=auto -tags $(TAGS)
TEST  := $(GO) test -tags $(TAGS)
TOOL  := $(GO) tool -modfile=tools/go.mod

PROGRAMS := netget-ca netget-registry netget-client

.DEFAULT_GOAL := help
.PHONY: help build $(PROGRAMS) demo test postgres race check format vet lint dead modules bench drill-crash fuzz clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(PROGRAMS) ## Build the three static programs into bin/.

$(PROGRAMS):
	CGO_ENABLED=0 $(BUILD) -o bin/$@ ./cmd/$@

demo: netget-registry ## Show in one process what netget promises; it ends by itself.
	@bin/netget-registry demo

test: postgres race ## Run all tests, on PostgreSQL too, which is installed if need be.

postgres:
	@tools/need-postgres

# Go runs a test again only if something it depends on has changed.
race:
	NETGET_TEST_REQUIRE=postgres $(TEST) -race ./...

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

drill-crash: postgres ## Kill the registry under registrations, ROUNDS (20) times on each store.
	NETGET_TEST_REQUIRE=postgres NETGET_CRASH_ROUNDS=$(ROUNDS) $(TEST) -count 1 -v -run '^TestCrash$$' ./cmd/netget-registry

fuzz: ## Run every fuzz target for FUZZTIME (30s).
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' . | sort); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$target"; \
			$(TEST) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)"; \
		done; \
	done

clean: ## Remove what was built here.
	rm -rf bin
