#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# memcached: its init script, as its own user, asked by bash alone.
service memcached start >/dev/null && echo started
until exec 3<>/dev/tcp/127.0.0.1/11211; do sleep 0.1; done 2>/dev/null
printf 'set a 0 0 5\r\nhello\r\nget a\r\nincr a 1\r\nquit\r\n' >&3
tr -d '\r' <&3
ps -C memcached -o user=
service memcached stop >/dev/null && echo stopped
