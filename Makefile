# Everything runs without make, too: see CONTRIBUTING.md.
.PHONY: test race lint fuzz bench ci

FUZZTIME ?= 20s

test: ## what to run after a change
	go test ./...

race:
	go test -race -shuffle=on ./...

lint:
	gofmt -l .
	go vet ./...
	go fix -diff ./...
	go tool -modfile=internal/tools/go.mod staticcheck ./...

fuzz: ## every target of the core, one after the other
	@go test -list '^Fuzz' ./... | awk '/^Fuzz/ { name[++n] = $$1 } /^ok/ { while (n) print name[n--], $$2 }' | \
	while read -r name pkg; do go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$pkg" || exit; done

bench: ## the targets, against x/oauth2
	go -C internal/bench run .

ci:
	bash .ci/run
