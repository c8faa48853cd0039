# SPDX-License-Identifier: Apache-2.0
# find, sort, awk, sed, grep, xargs and other small programs, on one machine's worth of text.
seq 30000 | awk '{ print $1 * 7919 % 10007, "word" $1 % 13, $1 }' > text
sort --parallel=2 -S 1M -k2,2 -k1,1n text | awk '{ s[$2] += $1 } END { for (w in s) print w, s[w] | "sort" }'
sort -u -n text | wc -l; sort -R --random-source=text text | wc -l
sed -n -E '100,110s/word([0-9]+)/<\1>/p' text; sed -i.bak '2,$d' text; cat text; mv text.bak text
grep -c 'word1 ' text; grep -E -o '^99[0-9]+' text | sort | uniq -c | sort -rn | head -n 3
cut -d' ' -f2 text | sort | uniq -c; paste -sd+ <(seq 10) | bc 2>/dev/null || echo no bc
mkdir -p d/{a,b,c}/{1,2,3}; touch d/{a,b,c}/{1,2,3}/f{1..20}
find d -name 'f1*' -path '*/b/*' | sort | xargs -n 4 -P 4 echo | wc -w; find d -type f -printf '%f\n' | sort | uniq -c | head -n 2
find d -type d -empty -o -type f -size 0 | wc -l; ls -R d | cksum; tree d 2>/dev/null | tail -n 1
join <(sort text | head -n 3) <(sort text | head -n 5); comm -12 <(seq 1 10) <(seq 5 15) | tr '\n' ' '; echo
tac text | nl | tail -n 1; fold -w 20 text | head -n 2; expand text | wc -c; tr -dc 0-9 < text | wc -c; od -c text | tail -n 1
date -u -d @1234567890 +%F; numfmt --to=iec 123456789; factor 999999999989; expr 17 \* 23; env -i A=b env
stat -c '%n %a %F' d; readlink -f d/../d | grep -c /d; realpath -m x/../y | grep -c /y; basename /a/b.c .c; mktemp -u XXXX | wc -c; nproc --all > /dev/null
python3 -c 'print(sum(map(int, open("text").read().split()[::3])))'; perl -lane '$s += $F[0] }{ print $s' text
id -u; whoami; hostname | wc -l; uptime | wc -l; df -P . | wc -l; test -t 0; echo $?; getconf PAGE_SIZE
flock lock sh -c 'flock -n lock true; echo locked $?'; logname 2>/dev/null; tty
rm -rf d text lock
