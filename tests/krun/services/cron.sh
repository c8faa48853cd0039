#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cron: its init script, a user's job, and one of the system's.
rm -f /run/crond.reboot
useradd --create-home worker
echo '@reboot id -un >/tmp/users' | crontab -u worker -
echo '@reboot root id -un >/tmp/systems; run-parts --report /etc/mine >>/tmp/systems' >/etc/cron.d/mine
mkdir /etc/mine
printf '#!/bin/sh\necho from a part\n' >/etc/mine/part
chmod 755 /etc/mine/part
service cron start >/dev/null && echo started
until [ -s /tmp/users ] && grep -q part /tmp/systems 2>/dev/null; do sleep 0.1; done
cat /tmp/users /tmp/systems
crontab -u worker -l
service cron stop >/dev/null && echo stopped
