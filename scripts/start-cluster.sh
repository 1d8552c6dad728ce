#!/usr/bin/env bash
# From a clone to a serving cluster: installs Node, redis-server and packages where they are missing, builds, and then
# becomes the program. APP and DATA_DIR are relative to where it was called. A symbolic link may lead here.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
# shellcheck source=scripts/prerequisites.sh
. "$root/scripts/prerequisites.sh"

# An earlier version kept its data in the clone, wherever it was called.
if [ -z "${DATA_DIR:-}" ] && [ ! -e .outpost ] && [ -d "$root/.outpost" ]; then
  export DATA_DIR=$root/.outpost
  say "DATA_DIR is unset: using the data that an earlier start left in $DATA_DIR"
fi

need_node
[ -n "${REDIS_URL:-}" ] || need_redis
# A running instance keeps the files that it runs from: the program refuses the second start.
if ! [ -e "$root/dist/main.js" ] || ! is_running "${DATA_DIR:-.outpost}"; then install_and_build; fi
exec node "$root/dist/main.js"
