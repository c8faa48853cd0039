#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Apache: its own commands, a program by CGI's daemon, a graceful restart.
a2enmod --quiet cgid >/dev/null
echo 'ServerName localhost' >/etc/apache2/conf-enabled/name.conf
cat >/usr/lib/cgi-bin/ask <<'END'
#!/bin/sh
echo Content-Type: text/plain
echo
id -un
echo "$QUERY_STRING"
tr a-z A-Z
END
chmod 755 /usr/lib/cgi-bin/ask
apachectl start && echo started
curl -s localhost | grep -o '<title>.*</title>' | tr -s ' '
curl -s -d hello 'localhost/cgi-bin/ask?a=b'
echo
apachectl graceful
sleep 1
curl -s -d again localhost/cgi-bin/ask | tail -1
echo
apachectl stop && echo stopped
while pgrep apache2 >/dev/null; do sleep 0.1; done
