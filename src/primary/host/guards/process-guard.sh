# Runs a command of the app beside its web: sh process-guard.sh COMMAND [ARGUMENT...]
# This shell leads a process group, so a signal to the group reaches all that the command has started. The lifeline is open
# for reading as file 3. Its end is read when all its writers have exited; then the group is sent SIGTERM, and SIGKILL
# five seconds later. The exit code of the command is passed back.

guard() {
  orphaned=''
  # Started before the traps are set: a signal that comes while a shell with traps forks is lost for the new process. One
  # that comes before them ends this shell as well.
  "$@" &
  command=$!
  trap 'interrupted=yes orphaned=yes' USR1
  (trap '' TERM; read -r _ <&3; kill -USR1 $$; kill -TERM 0; sleep 5; kill -KILL 0) &
  watcher=$!
  # The command has been sent the same.
  trap 'interrupted=yes' TERM INT HUP
  # A signal ends `wait`, too, with a status of its own. The command may have exited meanwhile: only `wait` knows with what.
  status=127
  while :; do
    interrupted=''
    wait $command
    last=$?
    [ $last -eq 127 ] || status=$last
    [ -n "$interrupted" ] || break
  done
  # Nobody else is left to end what the command has started.
  [ -z "$orphaned" ] || kill -KILL 0
  kill -KILL $watcher 2>/dev/null
  exit $status
}

# On the last line, so that the shell has read all of this file before it runs any of it: a build may replace the file.
guard "$@"
