#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What looks for programs by access(2): run-parts, which, env, xargs, find, a file that may not be executed.
mkdir /tmp/parts
printf '#!/bin/sh\necho one\n' >/tmp/parts/one
printf '#!/usr/bin/python3\nprint("two")\n' >/tmp/parts/two
cp /bin/echo /tmp/parts/three
echo 'echo not' >/tmp/parts/four
chmod 755 /tmp/parts/{one,two,three}
run-parts --test /tmp/parts
run-parts --arg=three /tmp/parts
which ls sh four
PATH=/tmp/parts command -v one three four
/tmp/parts/four 2>/dev/null
echo "status $?"
find /tmp/parts -executable | sort | xargs -n1 basename | tr '\n' ' '
python3 -c 'import os, shutil; print(shutil.which("ls"), os.access("/tmp/parts/four", os.X_OK), os.access("/tmp/parts/one", os.X_OK))'
node -e 'require("fs").accessSync("/bin/ls", require("fs").constants.X_OK); console.log("node")'
setpriv --reuid=65534 --clear-groups sh -c 'chmod 700 /tmp/parts/one 2>/dev/null; test -x /tmp/parts/one && echo may'
chmod 700 /tmp/parts/one
setpriv --reuid=65534 --clear-groups sh -c 'test -x /tmp/parts/one || echo may not; command -v systemctl'
