#!/usr/bin/env bash
# From a clone to a serving cluster: sees to Node, redis-server, packages and the build, then becomes the program.
set -euo pipefail

# They are meant from where it was called.
for name in APP DATA_DIR; do
  case ${!name:-/} in
    /*) ;;
    *) export "$name=$PWD/${!name}" ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prerequisites.sh
. scripts/prerequisites.sh

need_node
[ -n "${REDIS_URL:-}" ] || need_redis
# Where an instance runs, the program says so and ends: nothing is to change under the one that is there.
if ! [ -e dist/main.js ] || ! is_running "${DATA_DIR:-.outpost}"; then install_and_build; fi
exec node dist/main.js
