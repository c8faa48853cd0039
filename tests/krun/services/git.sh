#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# git: hooks of the client and of a server, a clone by its own protocol.
cd /tmp || exit
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q --bare -b main server && git init -q -b main work && cd work || exit
printf '#!/bin/sh\necho before\n' >.git/hooks/pre-commit
cat >.git/hooks/commit-msg <<'END'
#!/bin/sh
grep -q allowed "$1" || { echo refused; exit 1; }
END
cat >../server/hooks/post-receive <<'END'
#!/bin/sh
read -r old new ref
echo "got $ref"
END
chmod 755 .git/hooks/* ../server/hooks/post-receive
date >f && git add f
git commit -q -m bad 2>&1
echo "status $?"
git commit -q -m 'allowed' 2>&1
echo "status $?"
git push -q ../server main 2>&1 | sed 's/ *$//'
git daemon --base-path=/tmp --export-all --listen=127.0.0.1 --reuseaddr --detach
until git ls-remote git://127.0.0.1/server >/dev/null 2>&1; do sleep 0.1; done
git clone -q git://127.0.0.1/server ../copy && git -C ../copy log --format=%s
git gc -q && git fsck 2>&1 && echo checked
