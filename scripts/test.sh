#!/usr/bin/env bash
# From a clone to a passed suite, on the Node in PATH. Arguments go to tap, e.g. a test file under build/test.
# Ends with the line "N passed, N failed, N skipped"; the whole output is in build/test-results.tap.
# With SKIP_BUILD=1 the packages and the build are taken as they are.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
cd "$root"
# shellcheck source=scripts/prerequisites.sh
. scripts/prerequisites.sh

need_node
need_redis
[ -n "${SKIP_BUILD:-}" ] || install_and_build

# tap leaves out the plugins that package.json excludes only once it has been built anew. Its first run does that by itself,
# but still loads TypeScript and hooks for each test file, which takes longer than most of them.
tap_built=build/.tap-built
if [ ! "$tap_built" -nt node_modules/.package-lock.json ] || [ ! "$tap_built" -nt package.json ]; then
  node_modules/.bin/tap build
  mkdir -p build
  touch "$tap_built"
fi

# The settings of a person's own Outpost must not reach the tests.
names=$(node dist/scripts/variable-names.js)
for name in $names; do unset "$name"; done

status=0
node_modules/.bin/tap --reporter=terse --output-file=build/test-results.tap "$@" || status=$?
# What the reporter wrote last has no end of line: it shows the cursor again.
echo
node dist/scripts/tap-summary.js build/test-results.tap
exit "$status"
