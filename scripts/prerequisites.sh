# shellcheck shell=bash
# What a clone needs before npm can do the rest. Sourced by start-cluster.sh and test.sh.

readonly NODE_NEEDED=20.15

say() { printf 'outpost: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

need_node() {
  command -v node >/dev/null || die "Node.js ${NODE_NEEDED} or newer is needed: see https://nodejs.org/en/download"
  local version
  version=$(node -p process.versions.node)
  printf '%s\n' "$NODE_NEEDED" "$version" | sort --check=quiet --version-sort ||
    die "Node.js ${NODE_NEEDED} or newer is needed, this is ${version}"
  command -v npm >/dev/null || die "npm is needed (it comes with Node.js)"
}

# Runs a command as root, or says no.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo "$@"
  else
    return 1
  fi
}

# Outpost runs a redis-server of its own. The package would start another as a service: not at the installation
# (policy-rc.d, where nobody has set one), and not at the next boot either.
install_redis_with_apt() (
  policy=/usr/sbin/policy-rc.d status=0
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy" || true
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q redis-server ||
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q redis-server; } ||
    status=1
  if [ "$status" -eq 0 ] && [ -d /run/systemd/system ]; then as_root systemctl disable --now redis-server || true; fi
  exit "$status"
)

install_redis() {
  if command -v apt-get >/dev/null; then
    install_redis_with_apt
  elif command -v dnf >/dev/null; then
    as_root dnf install -y -q redis
  elif command -v pacman >/dev/null; then
    as_root pacman -S --noconfirm redis
  elif command -v brew >/dev/null; then
    brew install redis
  else
    return 1
  fi
}

# A redis-server that can be run; not needed by who names another with REDIS_URL.
need_redis() {
  if command -v redis-server >/dev/null; then return; fi
  say "installing redis-server"
  install_redis >&2 && command -v redis-server >/dev/null && return
  die "redis-server is needed: type 'sudo apt-get install redis-server' (or your system's way), or set REDIS_URL"
}

# Whether an instance runs on this DATA_DIR. Its primary holds the lock as long as it lives.
is_running() {
  local status=0
  if [ -e "$1/lock" ]; then flock --nonblock --conflict-exit-code 75 "$1/lock" true 2>/dev/null || status=$?; fi
  [ "$status" -eq 75 ]
}

# The packages as the lockfile has them, and the program built from the sources. What is up to date is left alone.
# The build needs the development packages, whatever NODE_ENV says.
install_and_build() {
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "installing packages"
    npm ci --include=dev --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.package-lock.json
  fi
  npm run --silent build >&2
}
