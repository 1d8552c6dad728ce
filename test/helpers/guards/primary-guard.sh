# Kills a primary when the test that started it was killed: sh primary-guard.sh PID
# Standard input ends with the test. The other processes of the instance exit by themselves.
read -r _
kill -KILL "$1"
