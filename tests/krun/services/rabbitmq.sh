#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# RabbitMQ: Erlang with its port mapper and its distribution, a user that is made.
echo '127.0.0.1 rabbit' >>/etc/hosts
export RABBITMQ_NODENAME=r@localhost HOME=/var/lib/rabbitmq
rabbitmq-server -detached 2>/dev/null
until rabbitmqctl --quiet await_startup 2>/dev/null; do sleep 0.5; done
echo started
rabbitmqctl --quiet add_user reader secret
rabbitmqctl --quiet list_users --no-table-headers | sort
rabbitmqctl --quiet stop && echo stopped
