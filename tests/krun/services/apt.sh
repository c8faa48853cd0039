#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# apt and dpkg: many packages with their scripts and triggers, one that is removed, a file of a package.
export DEBIAN_FRONTEND=noninteractive
apt-get -y install /packages/*.deb >/tmp/apt 2>&1
echo "apt $?"
grep -c '^Setting up' /tmp/apt >/tmp/count
[ "$(cat /tmp/count)" -ge 100 ] && echo 'a hundred'
grep -E '^(E:|dpkg: error)' /tmp/apt
dpkg --audit && echo sound
dpkg --verify hello && hello
dpkg --search "$(command -v hello)"
apt-get -y purge hello >/dev/null 2>&1
test -e /usr/bin/hello
echo "gone $?"
