#!/usr/bin/env bash
# Compares the processor time of a request with that of the commit in bench/baseline.json: both builds run side by side, in
# default mode and in mesh mode, on the Node in PATH. Needs a build of this checkout. Prints each role's microseconds, and the
# ratio to the baseline. Arguments go to bench/compare.ts, e.g. --rounds 20.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
cd "$root"

commit=$(node -p 'JSON.parse(fs.readFileSync("bench/baseline.json", "utf8")).commit')
if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
  echo "compare-with-baseline: left out: this clone has no commit $commit"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git archive "$commit" | tar x -C "$folder"
build_baseline() {
  if cmp -s package-lock.json "$folder/package-lock.json"; then
    ln -s "$root/node_modules" "$folder/node_modules"
  else
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error || return
  fi
  (cd "$folder" && npm run --silent build)
}
if ! build_baseline; then
  echo "compare-with-baseline: left out: commit $commit cannot be built here"
  exit 0
fi
for mode in outpost outpost-mesh; do
  echo "$mode, Node.js $(node -p process.versions.node), processor µs a request, against ${commit:0:9}:"
  node dist/bench/compare.js "$folder" "$root" --mode "$mode" "$@" | sed "s#^$folder#  baseline#; s#^$root#  here    #"
done
