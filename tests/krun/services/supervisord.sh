#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# supervisord: a program as another user, started again when it was killed.
cat >/etc/supervisor/conf.d/mine.conf <<'END'
[program:mine]
command=/bin/sh -c 'id -un >>/tmp/runs; exec sleep 1000'
user=nobody
autorestart=true
startsecs=0
END
service supervisor start >/dev/null && echo started
until [ "$(grep -c . /tmp/runs 2>/dev/null)" = 1 ]; do sleep 0.1; done
supervisorctl status mine | awk '{print $2}'
pkill -x sleep
until [ "$(grep -c . /tmp/runs)" = 2 ]; do sleep 0.1; done
supervisorctl stop mine
supervisorctl status mine | awk '{print $2}'
cat /tmp/runs
supervisorctl shutdown
