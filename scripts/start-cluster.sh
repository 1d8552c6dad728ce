#!/usr/bin/env bash
# From a clone to a serving cluster: installs Node, redis-server and packages where they are missing, builds, and then
# becomes the program. APP and DATA_DIR are relative to where it was called. A symbolic link may lead here.
# Usage: start-cluster.sh [APP] [-- ARGUMENTS OF APP]
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
# shellcheck source=scripts/prerequisites.sh
. "$root/scripts/prerequisites.sh"

# As APP_ARGS takes them.
quoted() {
  local word
  for word; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
}

if [ $# -gt 0 ] && [ "$1" != -- ]; then
  export OUTPOST_APP=$1
  shift
fi
if [ $# -gt 0 ]; then
  [ "$1" = -- ] || die "usage: start-cluster.sh [APP] [-- ARGUMENTS OF APP]"
  shift
  OUTPOST_APP_ARGS=$(quoted "$@")
  export OUTPOST_APP_ARGS
fi

# It is meant for the app: npm, the build and the primary could not find what it names.
if [ -n "${NODE_OPTIONS:-}" ]; then export OUTPOST_NODE_OPTIONS=${OUTPOST_NODE_OPTIONS:-$NODE_OPTIONS}; fi
unset NODE_OPTIONS

# An earlier version kept its data in the clone, wherever it was called.
data_dir=${OUTPOST_DATA_DIR:-${DATA_DIR:-}}
if [ -z "$data_dir" ] && [ ! -e .outpost ] && [ -d "$root/.outpost" ]; then
  data_dir=$root/.outpost
  export DATA_DIR=$data_dir
  say "DATA_DIR is unset: using the data that an earlier start left in $data_dir"
fi

need_node
# Another form of REDIS_URL is the app's own.
case ${OUTPOST_EMBED:-${EMBED:-auto}},${OUTPOST_REDIS_URL:-${REDIS_URL:-}} in
  none,* | storage,* | *,redis://* | *,rediss://*) ;;
  *) need_redis ;;
esac
# A running instance keeps the files that it runs from: the program refuses the second start.
if ! [ -e "$root/dist/main.js" ] || ! is_running "${data_dir:-.outpost}"; then install_and_build; fi
exec node "$root/dist/main.js"
