#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rsyslog: its daemon without the kernel's log, and a message of a program.
sed -i /imklog/d /etc/rsyslog.conf
rsyslogd && echo started
until [ -S /dev/log ]; do sleep 0.1; done
logger -t mine hello
until grep -q hello /var/log/syslog 2>/dev/null; do sleep 0.1; done
grep -o 'mine: hello' /var/log/syslog
kill "$(cat /run/rsyslogd.pid)" && echo stopped
