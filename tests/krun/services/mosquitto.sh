#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mosquitto: a subscriber that gets what another one publishes, and a kept message.
printf 'listener 1883 127.0.0.1\nallow_anonymous true\nlog_dest none\n' >/tmp/conf
mosquitto -c /tmp/conf &
server=$!
until mosquitto_pub -h 127.0.0.1 -t kept -m later -r 2>/dev/null; do sleep 0.1; done
mosquitto_sub -h 127.0.0.1 -t kept -C 1
mosquitto_sub -h 127.0.0.1 -t now -C 1 &
reader=$!
while kill -0 $reader 2>/dev/null; do
	mosquitto_pub -h 127.0.0.1 -t now -m hello
	sleep 0.2
done
ps -o user= -p $server
kill $server && wait $server
echo "status $?"
