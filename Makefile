# What a developer types; the work is in Scripts/.
.DEFAULT_GOAL := help
.PHONY: help run test test-pure test-vm check fmt build bench proto clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing, build, run two web pods and a Service; Ctrl-C takes it all down
	@Scripts/run

test: ## install what is missing, build, run all tests (needs root)
	@Scripts/test

test-pure: ## only the tests that need no root, no kernel part and no runtime
	@Scripts/test pure

test-vm: ## only the tests that run in a virtual machine
	@Scripts/test-vm

check: ## lint (what CI runs before the tests)
	@Scripts/check

fmt: ## format the Swift code
	@Scripts/check --fix

build: ## release build of the command and its backends, in .build/release
	@Scripts/install
	Scripts/build

bench: ## the measurements of pods (needs root; takes minutes)
	@Benchmarks/run

proto: ## generate Sources/CRI/Generated again
	@Scripts/generate-cri.sh

clean: ## remove what was built
	rm -rf .build .build-demo .build-vm
