# SPDX-License-Identifier: Apache-2.0
# Terminals: script, tmux, stty, what a program finds there.
export TERM=xterm SHELL=/bin/sh
script -q -e -c 'tty | cut -c1-9; stty size; stty -a | grep -o "isig icanon"; test -t 0 && echo terminal; exit 7' /dev/null < /dev/null | tr -d '\r'
echo "${PIPESTATUS[0]}"
tmux -f /dev/null -S "$PWD/socket" new-session -d -x 80 -y 24 'echo in tmux; stty size; read x; echo got $x; sleep 100'
ask() { tmux -S "$PWD/socket" "$@"; }
for _ in $(seq 600); do ask capture-pane -p | grep -q '24 80' && break; sleep 0.05; done
ask send-keys word Enter; for _ in $(seq 600); do ask capture-pane -p | grep -q 'got word' && break; sleep 0.05; done
ask capture-pane -p | grep -v '^$'; ask list-panes -F '#{pane_current_command} #{pane_width}'; ask kill-server
rm -f socket
