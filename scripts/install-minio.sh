#!/usr/bin/env bash
# Prints the path of a usable MinIO server on its last line. Tests run against it as well as the embedded store.
#   1. `minio` from PATH, 2. the one in the cache, built before, 3. the pinned release, built now if Go is installed.
# With --no-build only 1 and 2. Exits 1 with one line on stderr when there is none.
#
# The community server is released as source only. Its tags are not semantic versions, so Go names the last release,
# RELEASE.2025-10-15T17-29-55Z, by its time and commit. Not every module proxy has that commit: the second choice is a
# later one that more of them have.
set -euo pipefail

versions=(v0.0.0-20251015172955-9e49d5e7a648 v0.0.0-20260212201848-7aac2a2c5b7c)
build_seconds=1500
cache=${XDG_CACHE_HOME:-$HOME/.cache}/outpost/bin

fail() {
  echo "install-minio: $1" >&2
  exit 1
}

usable() {
  [ -x "$1" ] && timeout 30 "$1" --version >/dev/null 2>&1
}

found=$(command -v minio || true)
for candidate in "$found" "${versions[@]/#/$cache/minio-}"; do
  if [ -n "$candidate" ] && usable "$candidate"; then
    echo "$candidate"
    exit 0
  fi
done

[ "${1:-}" != --no-build ] || fail 'no minio in PATH and none built before'
command -v go >/dev/null || fail 'no minio in PATH, and Go is missing to build one'

# Built beside its final name, so that an interrupted build never looks like a finished one.
mkdir -p "$cache"
building=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$building"' EXIT
echo 'install-minio: building MinIO, which takes some minutes' >&2
reason=
for version in "${versions[@]}"; do
  if GOBIN=$building timeout "$build_seconds" go install "github.com/minio/minio@$version" >"$building/log" 2>&1; then
    usable "$building/minio" || fail 'the binary that was built does not run'
    mv "$building/minio" "$cache/minio-$version"
    echo "$cache/minio-$version"
    exit 0
  fi
  reason=$(grep -v '^go: downloading' "$building/log" | tail -n 1 | tr -s '\n\t ' ' ' || true)
done
fail "go install of $version failed: ${reason:-no answer within $build_seconds s}"
