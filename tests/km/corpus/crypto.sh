# SPDX-License-Identifier: Apache-2.0
# openssl and ssh-keygen: digests, ciphers, keys, certificates, a TLS server that curl asks.
echo text > text
openssl dgst -sha256 text; openssl enc -aes-256-cbc -pbkdf2 -pass pass:x -in text -out secret && openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:x -in secret
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key 2>&1; openssl pkey -in key -pubout -out public
openssl pkeyutl -sign -rawin -inkey key -in text -out signature && openssl pkeyutl -verify -rawin -pubin -inkey public -in text -sigfile signature
openssl req -x509 -key key -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 30 -out certificate && openssl verify -CAfile certificate certificate
openssl genrsa 2048 2>/dev/null | openssl rsa -check -noout
ssh-keygen -q -t ed25519 -N '' -f id && ssh-keygen -lf id | cut -d' ' -f1,4; ssh-keygen -q -t rsa -b 2048 -N pass -f rsa && ssh-keygen -y -P pass -f rsa | cut -c1-20
openssl s_server -quiet -accept localhost:0 -key key -cert certificate -www > log 2>&1 &
server=$!
port=$(for _ in $(seq 200); do awk '$4 == "0A" { split($2, a, ":"); print a[2], $10 }' /proc/net/tcp /proc/net/tcp6 | while read -r p inode; do
    ls -l /proc/$server/fd 2>/dev/null | grep -q "socket:\[$inode\]" && echo $((16#$p)); done | head -n 1 | grep . && break; sleep 0.05; done)
curl -s --cacert certificate "https://localhost:$port/" | grep -o 'Protocol *: TLSv1.3' | head -n 1 | tr -s ' '
kill $server; wait $server; echo "server $?"
rm -f text secret key public signature certificate id* rsa* log
