# SPDX-License-Identifier: Apache-2.0
# nginx with two workers, and redis with a background save, each asked many times at once.
export PATH="$PATH:/usr/sbin"
mkdir -p run html; seq 5000 > html/numbers
cat > nginx.conf <<END
worker_processes 2; pid $PWD/run/pid; error_log $PWD/run/error; daemon on; user root;
events { worker_connections 64; }
http { access_log off; client_body_temp_path run; proxy_temp_path run; fastcgi_temp_path run; uwsgi_temp_path run; scgi_temp_path run;
    server { listen unix:$PWD/run/socket; root $PWD/html; sendfile on; gzip on; gzip_types *; location /again { proxy_pass http://unix:$PWD/run/socket:/numbers; } } }
END
nginx -p "$PWD" -e run/error -c nginx.conf || exit
ask() { curl -s --unix-socket run/socket "$@"; }
for n in $(seq 30); do ask "http://x/numbers" | cksum & done | sort | uniq -c
ask -s --compressed http://x/again | cksum; ask -o /dev/null -w '%{http_code}\n' http://x/missing; ask -r 5-14 http://x/numbers
pgrep -P "$(cat run/pid)" | wc -l; ps -o comm= -p "$(cat run/pid)"
kill -HUP "$(cat run/pid)"; sleep 0.3; ask http://x/numbers | cksum
nginx -p "$PWD" -e run/error -c nginx.conf -s quit; for _ in $(seq 600); do [ -e run/pid ] || break; sleep 0.05; done; ls run
grep -v notice run/error | grep -c 'No such file'

redis-server --port 0 --unixsocket "$PWD/redis" --save '' --daemonize no --dir "$PWD" > redis.log &
cli() { redis-cli -s redis "$@"; }
for _ in $(seq 600); do cli ping 2>/dev/null && break; sleep 0.05; done
seq 2000 | awk '{ print "SET key" $1, $1 * $1 }' | cli | sort | uniq -c
cli eval 'return redis.call("get", KEYS[1])' 1 key99; cli lpush list a b c; cli expire list 100; cli --raw hset hash f v
cli bgsave; for _ in $(seq 600); do cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.05; done
cli info persistence | grep -E 'rdb_last_bgsave_status' | tr -d '\r'; [ -s dump.rdb ] && echo saved
cli bgrewriteaof > /dev/null; cli shutdown nosave; wait; echo "redis $?"
redis-server --port 0 --unixsocket "$PWD/redis" --daemonize yes --dir "$PWD" --logfile redis.log
for _ in $(seq 600); do cli dbsize 2>/dev/null && break; sleep 0.05; done; cli get key1999; cli shutdown nosave
rm -rf run html redis* dump.rdb appendonlydir nginx.conf
