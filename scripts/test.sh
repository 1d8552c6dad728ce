#!/usr/bin/env bash
# From a clone to a passed suite. Arguments go to tap, e.g. a test file under build/test.
# Ends with the line "N passed, N failed, N skipped"; the whole output is in build/test-results.tap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prerequisites.sh
. scripts/prerequisites.sh

need_node
need_redis
install_and_build

# Settings of a person's own Outpost are no business of the tests.
for name in PORT HOST WORKERS BALANCERS BALANCE APP REDIS_URL DATA_DIR SESSION_SECRET NODE_ENV LOG_LEVEL \
  S3_ENDPOINT S3_ACCESS_KEY S3_SECRET_KEY S3_BUCKET S3_REGION UPLOAD_MAX_BYTES RATE_LIMIT_MAX RATE_LIMIT_WINDOW_MS \
  TRUST_PROXY SHUTDOWN_TIMEOUT_MS DRAIN_TIMEOUT_MS UPSTREAM_TIMEOUT_MS MAX_IN_FLIGHT MAX_SOCKETS \
  MAX_WEBSOCKETS_PER_CLIENT WORKER_MAX_MEMORY HEALTH_PATH EXPOSE_WORKER; do unset "$name"; done

status=0
node_modules/.bin/tap --reporter=terse --output-file=build/test-results.tap "$@" || status=$?
node dist/scripts/tap-summary.js build/test-results.tap
exit "$status"
