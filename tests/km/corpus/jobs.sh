# SPDX-License-Identifier: Apache-2.0
# bash: pipelines, traps, job control, coprocesses, process substitution.
set -m
sleep 100 & first=$!
sleep 0.2 & wait $!
echo "wait $?"
kill -STOP $first
until [ "$(ps -o stat= -p $first | cut -c1)" = T ]; do :; done
jobs | sed 's/  */ /g'
kill -CONT $first
while [ "$(ps -o stat= -p $first | cut -c1)" = T ]; do :; done
disown $first; kill -KILL $first
set +m

trap 'echo "trapped $?"' USR1
(exit 3); kill -USR1 $$
trap 'echo leaving' EXIT
trap '' TERM; kill -TERM $$; trap - TERM
(trap 'echo inner; exit 4' TERM; kill -TERM $BASHPID; echo not here)
echo "status $?"

seq 50000 | sort -r | head -n 3 | tr '\n' ' '
echo "${PIPESTATUS[*]}" | tr -d '\n' && echo
set -o pipefail; yes | head -n 1000 | grep -c y; echo "$?"
diff <(seq 5) <(seq 2 6)
coproc CAT { tr a-z A-Z; }; exec 6<&"${CAT[0]}" # the array is gone as soon as it has ended
echo through a coprocess >&"${CAT[1]}"; exec {CAT[1]}>&-
read -r line <&6; echo "$line"; exec 6<&-
wait

for n in 1 2 3 4 5 6 7 8; do (sleep 0.0$n; exit $n) & pids+=" $!"; done
for pid in $pids; do wait "$pid"; echo "$?"; done
for n in 5 6; do (exit $n) & wait -n $!; echo "$?"; done
echo $((2 ** 62)) "${line//A/x}" "${#line}"; printf '%05.1f|%s\n' 3.14159 "$(< /proc/self/comm)"
exec 5<> file; echo text >&5; exec 5>&-; cat < file; ls -l file | cut -c1-10
timeout 0.1 sleep 10; echo "timeout $?"
nohup true 2>/dev/null; echo $?
ulimit -n 50; ulimit -n; ulimit -v 100000; python3 -c 'x = bytearray(1 << 30)' 2>&1 | tail -n 1
nosuchcommand 2>/dev/null; echo $?
for n in 252 253 254 300; do # a name that is longer than what the kernel reads is not known
  for end in '' ' ' ' x'; do printf "#!/%0${n}d%s\nexit 7\n" 1 "$end" > long; chmod +x long; sh -c ./long 2>&1 | tail -c 12; sh -c ./long 2> /dev/null; echo "$n$end $?"; done
done; printf '#!/bin/sh\r\n' > long; ./long 2> /dev/null; echo "$?"; printf '#!' > long; ./long; echo "$?"; rm long
/etc/passwd 2>/dev/null; echo $?
read -t 0.1 -r x < <(exec sleep 99 2> /dev/null); echo $((($? > 128))); kill $!
mkfifo fifo; (echo through a fifo > fifo) & cat fifo; wait
kill -9 $$
