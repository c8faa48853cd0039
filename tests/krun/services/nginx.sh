#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nginx: its init script, workers of its own user, a reload, sendfile, a limit of bytes.
echo "<title>mine</title>" >/var/www/html/index.html
head -c 3000000 /dev/zero >/var/www/html/zeros
service nginx start >/dev/null && echo started
curl -s localhost | grep -o '<title>.*</title>'
curl -s localhost/zeros | wc -c
curl -s -r 5-14 localhost/zeros | wc -c
ps -C nginx -o user= | sort -u
workers=$(pgrep -u www-data nginx)
nginx -s reload
while pgrep -u www-data nginx | grep -qxF "$workers"; do sleep 0.1; done
curl -s -o /dev/null -w '%{http_code}\n' localhost/none
service nginx stop >/dev/null && echo stopped
pgrep -c nginx
