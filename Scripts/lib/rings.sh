# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the scripts that source this
# Which tests belong to which ring: regular expressions on `Module.Suite/test`, as `swift test --filter` and `--skip` take them.

# Only in the virtual machine: what this machine's kernel need not have. Suites of these are named `…VirtualMachine…`.
vm_tests='VirtualMachine'

# Not in the pure ring: suites that need root, the kernel or a runtime are named `…Kernel…` or `…Runtime…`.
root_tests='Kernel|Runtime'
