# shellcheck shell=bash
# How packages are installed: over a network that fails now and then, beside others that do the same.

# apt_get ARGUMENT…: as root, or with sudo.
apt_get() {
  local as_root=()
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends \
    -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300 "$@"
}

# apt_update [OPTION…]: reads the package lists, three times if need be. Failing need not be the end: a list that cannot be had may be
# one nobody needs here.
apt_update() {
  local try
  for try in 1 2 3; do
    if apt_get "$@" -o APT::Update::Error-Mode=any update; then return 0; fi
    ((try == 3)) || sleep 5
  done
  return 1
}
