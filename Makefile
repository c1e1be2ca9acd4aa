# Everything runs without make, too: see CONTRIBUTING.md.
.PHONY: test race lint fuzz model kafka bench rehearse ci

FUZZTIME ?= 20s
TOOL = go tool -modfile=internal/tools/go.mod

test: ## what to run after a change
	go test ./...

race:
	go test -race -shuffle=on ./...

lint:
	gofmt -l .
	go vet ./...
	go fix -diff ./...
	$(TOOL) staticcheck ./...
	bash .ci/gosec.sh

fuzz: ## every target, as many at a time as there are processors
	bash .ci/fuzz.sh $(FUZZTIME)

MODELTIME ?= 10m

model: ## fleets in which everything goes wrong, for MODELTIME; a seed that fails is printed and can be played again
	go test ./cache -run TestModel -model.for=$(MODELTIME) -timeout 0

kafka: ## the recipes for Kafka, with a broker that Maven fetches and Java 17 runs
	go -C examples/recipes test -count=1 -tags kafka ./kafka

bench: ## the targets, against x/oauth2
	go -C internal/bench run .

rehearse: ## a release of what is committed
	bash .ci/rehearse.sh

ci:
	bash .ci/run
