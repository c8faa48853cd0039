#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# BIND: its init script, a zone of its own, its control channel.
cat >/etc/bind/named.conf.local <<'END'
zone "made.test" { type master; file "/etc/bind/db.made"; };
END
cat >/etc/bind/db.made <<'END'
$TTL 60
@ SOA ns.made.test. root.made.test. 7 60 60 60 60
  NS ns
ns A 192.0.2.1
w TXT "hello"
END
service named start >/dev/null && echo started
dig +short @127.0.0.1 w.made.test TXT
dig +short +tcp @127.0.0.1 made.test SOA
dig @127.0.0.1 none.made.test | grep -o 'status: [A-Z]*'
rndc status | tail -1
sed -i s/hello/again/ /etc/bind/db.made
sed -i 's/ 7 60/ 8 60/' /etc/bind/db.made
rndc reload made.test
until dig +short @127.0.0.1 w.made.test TXT | grep again; do sleep 0.1; done
service named stop >/dev/null && echo stopped
