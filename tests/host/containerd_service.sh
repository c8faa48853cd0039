#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `systemctl restart containerd.service`, as far as a machine without systemd can have it: the real
# containerd, ended and started again, with the configuration at the usual place.
set -eu
[ "$*" = "restart containerd.service" ] || exit 5
if [ -f /var/lib/containerd-test.pid ]; then
	kill "$(cat /var/lib/containerd-test.pid)"
	while kill -0 "$(cat /var/lib/containerd-test.pid)" 2>/dev/null; do sleep 0.05; done
fi
containerd >>/var/lib/containerd-test.log 2>&1 </dev/null &
echo $! >/var/lib/containerd-test.pid
