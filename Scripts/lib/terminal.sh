# shellcheck shell=bash
# Sourced by the scripts of this directory: what they say, and how they show progress.
# Everything goes to stderr, so that the stdout of a script holds its result and nothing else.

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' green=$'\e[32m' yellow=$'\e[33m' red=$'\e[31m' plain=$'\e[0m' live=yes
else
  bold='' green='' yellow='' red='' plain='' live=''
fi

say() { printf '%s\n' "$*" >&2; }
headline() { printf '%s%s%s\n' "$bold" "$*" "$plain" >&2; }
done_with() { printf '%s✓%s %s\n' "$green" "$plain" "$*" >&2; }
warn() { printf '%swarning:%s %s\n' "$yellow" "$plain" "$*" >&2; }
fail() {
  printf '%s%s: %s%s\n' "$red" "$(basename "$0")" "$*" "$plain" >&2
  exit 1
}

# Process group of the command that `step` waits for; empty when there is none.
step_group=''

# step TITLE LOG COMMAND…: runs the command with its output in LOG and shows that time passes: on a terminal one
# line that is rewritten (with the last line of the log), elsewhere a line each ten seconds. A failure shows the
# end of the log and returns the command's exit code.
step() {
  local title=$1 log=$2 started=$SECONDS reported=$SECONDS code=0
  shift 2
  [[ -n $live ]] || say "  $title …"
  : >"$log"
  # Job control gives the command a process group of its own, so that Ctrl-C can end all of it.
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  local child=$!
  set +m
  step_group=$child
  while kill -0 "$child" 2>/dev/null; do
    if [[ -n $live ]]; then
      step_line "$title" $((SECONDS - started)) "$log"
    elif ((SECONDS - reported >= 10)); then
      reported=$SECONDS
      say "  … $title: $((SECONDS - started)) s: $(last_line "$log")"
    fi
    sleep 0.2
  done
  wait "$child" || code=$?
  step_group=''
  [[ -z $live ]] || printf '\r\e[K' >&2
  if ((code == 0)); then
    done_with "$title ($((SECONDS - started)) s)"
  else
    printf '%s✗ %s: exit code %d; the end of %s:%s\n' "$red" "$title" "$code" "$log" "$plain" >&2
    tail -n 25 "$log" | sed 's/^/    /' >&2
  fi
  return "$code"
}

# step_abort: ends the command that `step` was waiting for. Call it in the EXIT trap of a script that uses `step`.
step_abort() {
  [[ -n $step_group ]] || return 0
  [[ -z $live ]] || printf '\r\e[K' >&2
  kill -TERM -- "-$step_group" 2>/dev/null || true
  wait "$step_group" 2>/dev/null || true
  step_group=''
}

step_line() {
  local width
  width=$(tput cols 2>/dev/null || echo 80)
  local text
  text="  $1 $2 s  $(last_line "$3")"
  printf '\r\e[K%s' "${text:0:$((width - 1))}" >&2
}

last_line() { tail -c 400 "$1" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | tr -d '\000-\010\013-\037' || true; }

# wait_until SECONDS COMMAND…: repeats the command until it succeeds; 1 when the time is over.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}
