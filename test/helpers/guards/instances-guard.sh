# Kills the instances that a shell of a test has left running: sh instances-guard.sh STATE_FOLDER
# Standard input ends with the test.
read -r _
for entry in "$1"/outpost/instances/*.json; do
  pid=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$entry")
  grep -q 'outpost primary' "/proc/$pid/cmdline" && kill -KILL "$pid"
done
