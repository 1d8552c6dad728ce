# Kills what is left of an instance whose primary was killed: sh orphan-guard.sh
# Standard input ends when the primary exits. The lifeline is open as file 3, and marks the processes of this instance.
#
# Balancers and workers have it open for reading and writing: the last octal digit of their flags in fdinfo is 2, see
# proc(5). The embedded servers and their guards only read from it, and leave when the others have. The object store may
# take 8 seconds for that, so a process that still has the pipe open after 9 hangs.

holders() {
  exec 3<&-
  for fd in /proc/[0-9]*/fd/*; do
    [ "$fd" -ef /proc/$$/fd/3 ] || continue
    pid=${fd#/proc/}
    pid=${pid%%/*}
    [ "$pid" = $$ ] && continue
    grep -q "^flags:.*$1" "/proc/$pid/fdinfo/${fd##*/}" 2>/dev/null && echo "$pid"
  done
}

# $1: a pattern of flags, $2: how many half seconds to wait
end() {
  left=$2
  while [ -n "$(holders "$1")" ] && [ "$left" -gt 0 ]; do
    sleep 0.5 2>/dev/null || sleep 1
    left=$((left - 1))
  done
  # Those that lead a group have started others.
  for pid in $(holders "$1"); do kill -KILL "-$pid" 2>/dev/null; kill -KILL "$pid" 2>/dev/null; done
}

guard() {
  trap '' INT HUP
  read -r _
  end '2$' 9
  end '$' 18
  exit
}

# On the last line, so that the shell has read all of this file before it runs any of it: a build may replace the file.
guard
