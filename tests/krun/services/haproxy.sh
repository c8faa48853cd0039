#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# haproxy: a master with workers, a reload that hands its sockets over.
cat >/etc/haproxy/haproxy.cfg <<'END'
global
  stats socket /run/haproxy/admin.sock expose-fd listeners
  chroot /var/lib/haproxy
  user haproxy
  group haproxy
  daemon
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend f
  bind :8081
  http-request return status 200 content-type text/plain string ok
END
service haproxy start >/dev/null && echo started
curl -s localhost:8081
echo
ps -C haproxy -o user= | sort -u
service haproxy reload >/dev/null
curl -s localhost:8081
echo
pkill -x haproxy && echo stopped
while pgrep haproxy >/dev/null; do sleep 0.1; done
