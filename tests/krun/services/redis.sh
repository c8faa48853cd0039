#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# redis: its init script, a snapshot by fork, an append-only file, a pipeline.
service redis-server start >/dev/null && echo started
until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.1; done
redis-cli set a b
redis-cli config set appendonly yes
seq 1 2000 | sed 's/.*/rpush l &/' | redis-cli --pipe | tail -1
redis-cli bgsave
until redis-cli info persistence | grep -q rdb_bgsave_in_progress:0; do sleep 0.1; done
redis-cli info persistence | grep -E 'rdb_last_bgsave_status|aof_last_write_status' | tr -d '\r'
redis-cli eval 'return redis.call("llen", KEYS[1])' 1 l
service redis-server restart >/dev/null
until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.1; done
redis-cli get a
redis-cli llen l
redis-cli shutdown nosave
while pgrep redis-server >/dev/null; do sleep 0.1; done
echo ended
