#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# PostgreSQL: a cluster by the package's own command, parallel queries, a backend that is killed.
cd /
pg_createcluster 15 test --start >/dev/null || exit
pg_lsclusters --no-header | awk '$2 == "test" {print $4}'
port=$(pg_lsclusters --no-header | awk '$2 == "test" {print $3}')
ask() { su postgres -c "psql -p $port -AtqX" 2>/dev/null; }
ask <<'END'
create table t as select generate_series(1, 100000) as i;
analyze t;
set max_parallel_workers_per_gather = 2;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
select count(*), sum(i) from t;
explain (costs off) select count(*) from t;
checkpoint;
END
echo "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'autovacuum launcher'" | ask
kill -HUP "$(head -1 /var/lib/postgresql/15/test/postmaster.pid)"
echo 'select max(i) from t' | ask
pg_ctlcluster 15 test stop --mode=fast && echo stopped
grep -cE 'FATAL|PANIC' /var/log/postgresql/postgresql-15-test.log
