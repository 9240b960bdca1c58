# Everything a contributor runs; `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help tools build check test soak faults hostile compat fuzz bench clean

# Options of the targets below.
N ?= $(if $(filter compat,$(MAKECMDGOALS)),1000,200)
TIME ?= 30s
ARGS ?=

# flag NAME,VARIABLE is -NAME with the variable's value, if it has one.
flag = $(if $($(2)),-$(1) $($(2)))

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## install and build what the tests need (Debian packages, etcd, versitygw, staticcheck, the AWS provider's schema)
	@scripts/bootstrap

build: ## build bin/redoubt
	go build -trimpath -o bin/redoubt ./cmd/redoubt

check: tools ## format, go vet, staticcheck
	@scripts/check

test: ## all checks and tests; installs what is missing first
	@scripts/test

soak: tools ## the kill and fault tests, N rounds of what they repeat (N=200)
	REDOUBT_TEST_ROUNDS=$(N) go test -count=1 -p 1 -v -timeout 0 ./internal/integration/...

faults: tools ## break a cluster in every way and judge what clients saw (DURATION=30m SEED=1 ROUNDS= LAPS= SCALE= THINK= ONLY= BROKEN=all)
	@go run ./internal/faults $(call flag,duration,DURATION) $(call flag,seed,SEED) $(call flag,rounds,ROUNDS) $(call flag,laps,LAPS) \
		$(call flag,scale,SCALE) $(call flag,think,THINK) $(call flag,only,ONLY) $(call flag,broken,BROKEN) $(ARGS)

hostile: tools ## attack a node with what no client should send (DURATION=5m SEED=1)
	@go run ./internal/faults/hostile $(call flag,duration,DURATION) $(call flag,seed,SEED) $(ARGS)

compat: ## generated commands beside redis-server (N=1000 sequences), then Redis's own test suite (ONLY='unit/type/*' J=2 BASELINE=1 OUT=docs/COMPATIBILITY.md)
	@scripts/bootstrap compat
	REDOUBT_TEST_SEED=1000 REDOUBT_TEST_ROUNDS=$(N) go test -count=1 -run TestEqualsRedis -timeout 0 ./node/command
	@go run ./internal/compat $(call flag,only,ONLY) $(call flag,j,J) $(call flag,out,OUT) $(if $(BASELINE),-baseline) $(ARGS)

fuzz: ## every fuzz target for TIME each (TIME=30s)
	@scripts/fuzz $(TIME)

bench: tools build ## compare with redis-server, side by side (ARGS="-ops commands"; go run ./bench -h)
	@go run ./bench $(ARGS)

clean: ## remove what was built; tools stay
	rm -rf bin
	go clean -testcache
