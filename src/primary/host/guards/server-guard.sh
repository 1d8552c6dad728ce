# Runs a server that cannot watch the lifeline itself: sh server-guard.sh COMMAND [ARGUMENT...]
# The lifeline is open for reading as file 3. Its end is read when all its writers have exited; then the server is sent
# SIGTERM. Signals are passed on to the server, and its exit code is passed back.

guard() {
  server=''
  asked=''
  # Set before the server is started: a signal in between is passed on as soon as the server has an id.
  trap 'asked=yes interrupted=yes; [ -z "$server" ] || kill -TERM $server 2>/dev/null' TERM INT HUP
  "$@" &
  server=$!
  [ -z "$asked" ] || kill -TERM $server 2>/dev/null
  (read -r _ <&3; kill -TERM $server 2>/dev/null) &
  watcher=$!
  # A signal ends `wait`, too, with a status of its own. The server may have exited meanwhile: only `wait` knows with what.
  status=127
  while :; do
    interrupted=''
    wait $server
    last=$?
    [ $last -eq 127 ] || status=$last
    [ -n "$interrupted" ] || break
  done
  kill -TERM $watcher 2>/dev/null
  exit $status
}

# On the last line, so that the shell has read all of this file before it runs any of it: a build may replace the file.
guard "$@"
