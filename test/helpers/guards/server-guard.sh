# Runs a server for as long as its test lives, whose end closes standard input: sh server-guard.sh COMMAND [ARGUMENT...]
"$@" 2>&1 &
cat >/dev/null
kill $!
wait $!
