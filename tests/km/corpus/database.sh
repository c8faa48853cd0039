# SPDX-License-Identifier: Apache-2.0
# sqlite3: transactions, a write-ahead log, indexes, several processes that wait for one lock.
sqlite3 db <<'END'
PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n REAL);
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) INSERT INTO t SELECT x, 'name' || x % 100, x * 1.5 FROM c;
CREATE INDEX i ON t (name); SELECT count(*), sum(n), max(name) FROM t WHERE name LIKE 'name1%';
BEGIN; DELETE FROM t; ROLLBACK; SELECT count(*) FROM t; EXPLAIN QUERY PLAN SELECT * FROM t WHERE name = 'x';
END
for n in 1 2 3 4; do
    for m in $(seq 5); do sqlite3 -cmd '.timeout 60000' db "INSERT INTO t (name, n) VALUES ('process$n', $m)"; done &
done
wait
sqlite3 db "SELECT name, count(*) FROM t WHERE name LIKE 'process%' GROUP BY name; PRAGMA integrity_check; VACUUM;"
sqlite3 db .dump | grep -v process | cksum; sqlite3 db 'SELEC' 2>&1; echo $?
sqlite3 -json db "SELECT * FROM t WHERE id < 3"; rm -f db*
