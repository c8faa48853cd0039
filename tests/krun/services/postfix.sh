#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# postfix: a letter by sendmail, through its queue and its many small programs, to a mailbox.
postconf -e myhostname=mail.test mydestination=mail.test,localhost inet_interfaces=loopback-only inet_protocols=ipv4 \
	maillog_file=/var/log/postfix.log
newaliases
useradd --create-home reader
postfix start 2>/dev/null && echo started
printf 'Subject: hello\n\nbody\n' | sendmail reader@mail.test
printf 'HELO a\r\nMAIL FROM:<a@mail.test>\r\nRCPT TO:<reader@mail.test>\r\nRCPT TO:<nobody.there@mail.test>\r\nQUIT\r\n' | nc -N localhost 25 | cut -c1-9 | tr -d '\r'
until [ -s /var/mail/reader ]; do sleep 0.2; done
grep -E '^(Subject|body)' /var/mail/reader
stat -c '%U %a' /var/mail/reader
mailq
postfix stop 2>/dev/null && echo stopped
