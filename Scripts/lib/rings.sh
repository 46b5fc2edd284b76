# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the scripts that source this
# Which tests belong to which ring: regular expressions on `Module.Suite/test`, as `swift test --filter` and `--skip` take them.

# Only in the virtual machine: what this machine's kernel need not have. Suites of these are named `…VirtualMachine…`.
vm_tests='VirtualMachine'

# Not in the pure ring: suites that need root, the kernel or a runtime are named `…Kernel…` or `…Runtime…`.
root_tests='Kernel|Runtime'

# supervised SECONDS LOG COMMAND…: runs the command with its output in LOG and on the terminal, and returns its exit code. Past the
# time it is ended, and what hung is named: a ring that hung for ever would tell nothing.
supervised() {
  local limit=$1 log=$2 code=0 command
  shift 2
  : >"$log"
  NO_COLOR=1 "$@" >"$log" 2>&1 </dev/null &
  command=$!
  tail -n +1 -s 0.2 -f --pid="$command" "$log" &
  bound "$limit" "$log" "$command" &
  wait "$command" || code=$?
  # Both end with it.
  wait
  return "$code"
}

# bound SECONDS LOG PID: ends the process when the time is over, and says what it was doing.
bound() {
  local end=$((SECONDS + $1))
  while ((SECONDS < end)); do
    sleep 0.5
    kill -0 "$3" 2>/dev/null || return 0
  done
  say "${red}✗ no end within $1 s${plain}; these tests began and did not end:"
  unfinished "$2" | sed 's/^/    /' >&2
  threads "$3"
  kill -TERM "$3"
  timeout 20 tail -f --pid="$3" /dev/null || kill -KILL "$3"
}

# unfinished LOG: names of tests that began and did not end.
unfinished() {
  awk '/ Test [^ ].* started\.$/ && !/Test (run|case)/ { sub(/^[^T]*Test /, ""); sub(/ started\.$/, ""); open[$0] = 1 }
    / Test [^ ].* (passed|failed) after / && !/Test (run|case) / {
      sub(/^[^T]*Test /, ""); sub(/( with [0-9]+ test cases?)? (passed|failed) after .*/, ""); delete open[$0] }
    END { for (name in open) print name }' "$1"
}

# threads PID: where in the kernel each thread of the process waits, and the processes it waits for.
threads() {
  local thread
  say "  its threads, with where in the kernel they wait:"
  for thread in "/proc/$1/task"/*; do
    say "    $(cat "$thread/comm" "$thread/wchan" "$thread/syscall" 2>/dev/null | tr '\n' ' ' | cut -c1-120)"
  done
  say "  its children:"
  pgrep -P "$1" -a >&2 || true
}
