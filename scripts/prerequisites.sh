# shellcheck shell=bash
# Installs what a clone needs before npm can do the rest. Sourced by start-cluster.sh, test.sh and .ci/run, which set `root`.

readonly NODE_SUPPORTED='Node.js 24, 26, 22 (22.19 or newer) or 20 (20.19.2 or newer)'
readonly NODE_TO_INSTALL=24

say() { printf 'outpost: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# Runs a command as root. Fails without root or sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo "$@"
  else
    return 1
  fi
}

# The same range as "engines" in package.json: ^20.19.2 || >=22.19.0
is_supported_node() {
  local major minor patch
  IFS=. read -r major minor patch <<<"${1%%[-+~]*}"
  case $major in
    20) [ "$minor" -gt 19 ] || { [ "$minor" -eq 19 ] && [ "$patch" -ge 2 ]; } ;;
    22) [ "$minor" -ge 19 ] ;;
    *[!0-9]* | '') false ;;
    *) [ "$major" -gt 22 ] ;;
  esac
}

# The version of the Node in PATH, or of the one given; empty when it does not run.
node_version() { "${1:-node}" -p process.versions.node 2>/dev/null || true; }

# A Node of the major version given, by the npm package `node`, which carries the binary. Prints its folder.
cached_node() {
  local prefix=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/outpost/node/$1
  local bin=$prefix/node_modules/node/bin
  if ! is_supported_node "$(node_version "$bin/node")"; then
    say "fetching Node.js $1 into $prefix"
    mkdir -p "$prefix" &&
      (cd "$prefix" && npm install --prefix "$prefix" --no-audit --no-fund --loglevel=error "node@$1") >&2 || return 1
  fi
  is_supported_node "$(node_version "$bin/node")" && printf '%s\n' "$bin"
}

apt_as_root() { as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@" >&2; }

# Installs a system package. Updates the package lists if the present ones fail.
apt_install() {
  command -v apt-get >/dev/null || return 1
  apt_as_root install -y -q --no-install-recommends "$@" ||
    { apt_as_root update -q && apt_as_root install -y -q --no-install-recommends "$@"; }
}

apt_candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9].*\)/\1/p'; }

# Installs the system's own package if it is new enough.
install_system_node() {
  local version
  { command -v apt-get >/dev/null && as_root true; } || return 1
  [ -n "$(apt_candidate nodejs)" ] || apt_as_root update -q || return 1
  version=$(apt_candidate nodejs)
  is_supported_node "$version" || return 1
  say "installing the system's Node.js $version"
  apt_install nodejs && { command -v npm >/dev/null || apt_install npm; }
}

# If the system's Node is too old, its npm can still fetch another.
install_cached_node() {
  local bin
  command -v npm >/dev/null || apt_install npm || return 1
  bin=$(cached_node "$NODE_TO_INSTALL") && PATH=$bin:$PATH
}

has_supported_node() {
  hash -r
  is_supported_node "$(node_version)"
}

# A Node in PATH that is supported, with npm.
need_node() {
  local version
  version=$(node_version)
  has_supported_node || { install_system_node && has_supported_node; } ||
    { install_cached_node && has_supported_node; } ||
    die "Node.js ${version:-is missing}${version:+ is not supported}: install ${NODE_SUPPORTED}"
  case $(node_version) in
    20.*) say "Node.js 20 reached its end of life in April 2026: Node.js $NODE_TO_INSTALL is the better choice" ;;
  esac
  command -v npm >/dev/null || die 'npm is missing: it comes with Node.js'
}

# Outpost runs a redis-server of its own. The package would start another as a service: policy-rc.d prevents that at
# the installation, unless the system has one, and systemctl at the next boot.
install_redis_with_apt() (
  policy=/usr/sbin/policy-rc.d status=0
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy" || true
  fi
  apt_install redis-server || status=1
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

# Installs redis-server if there is none. With REDIS_URL none is needed.
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

# Whether the last build began after the last change of what it is made from. A folder changes when a file is removed.
is_built() {
  local made_from="src balancer scripts tsconfig.json tsconfig.base.json package.json package-lock.json"
  # shellcheck disable=SC2086
  [ -e dist/main.js ] && [ -e dist/.built ] && [ -z "$(find $made_from -newer dist/.built 2>/dev/null)" ]
}

# Installs the packages of the lockfile and builds the program. Skips what is up to date: an instance that was started
# from another folder may be running from these files. The build needs the development packages, whatever NODE_ENV says.
install_and_build() (
  cd "${root:?}" || exit
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say 'installing packages'
    npm ci --include=dev --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.package-lock.json
  fi
  is_built || npm run --silent build >&2
)
