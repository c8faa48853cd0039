#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# MariaDB: its tables are made, its init script starts it, InnoDB keeps a table.
mariadb-install-db --user=mysql --datadir=/var/lib/other --auth-root-authentication-method=normal >/dev/null
echo "made $?"
service mariadb start >/dev/null && echo started
mariadb --skip-column-names <<'END'
create database a;
use a;
create table t (i int primary key, s varchar(9)) engine = innodb;
insert into t values (1, 'x'), (2, 'y');
select count(*), max(s) from t;
select count(*) > 0 from information_schema.processlist;
END
service mariadb restart >/dev/null && mariadb --skip-column-names --execute 'select i, s from a.t'
service mariadb stop >/dev/null && echo stopped
pgrep -c mariadbd
