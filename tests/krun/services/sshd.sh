#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sshd: a login by a key, a terminal, a copy, a refusal.
useradd --create-home --shell /bin/bash person
install -d -m 700 -o person /home/person/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/key
install -m 600 -o person /root/key.pub /home/person/.ssh/authorized_keys
service ssh start >/dev/null && echo started
options=(-i /root/key -o StrictHostKeyChecking=no -o LogLevel=ERROR)
ssh "${options[@]}" person@localhost 'id -un; pwd; exit 7'
echo "status $?"
ssh -tt "${options[@]}" person@localhost 'tty | cut -c1-8; stty size' </dev/null 2>/dev/null | tr -d '\r'
seq 1 5000 >/tmp/numbers
scp -q "${options[@]}" /tmp/numbers person@localhost:copy && cmp /tmp/numbers /home/person/copy && echo same
stat -c %U /home/person/copy
ssh "${options[@]}" -o BatchMode=yes nobody@localhost true 2>&1 | cut -c1-35
service ssh stop >/dev/null && echo stopped
