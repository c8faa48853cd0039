# SPDX-License-Identifier: Apache-2.0
# git: a repository with branches, a conflict, a clone, a bundle, packs and a search.
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
export HOME="$PWD"
git init -q -b main repository && cd repository || exit
for n in $(seq 8); do echo "line $n" >> file; mkdir -p "folder$n"; echo "$n" > "folder$n/file"; git add .; git commit -qm "commit $n"; done
git checkout -qb other HEAD~2; sed -i 's/line 3$/their line/' file; git commit -qam theirs
git checkout -q main; sed -i 's/line 3$/our line/' file; git commit -qam ours
git merge other 2>&1; git status --short; git checkout -q --theirs file; git add file; git commit -qm merged
git log --oneline --graph | head -n 12
git tag -am 'a tag' v1; git describe; git rev-parse HEAD; git grep -c 'line 2'
git diff --stat HEAD~3; git blame -s file | head -n 3; git stash list; git fsck --full 2>&1
git gc -q --aggressive; git count-objects -v | grep -E 'count|in-pack|packs'
cd .. && git clone -q repository clone && cd clone && git log --format=%h | wc -l && git bundle create -q ../all.bundle --all
git -c protocol.file.allow=always submodule add -q ../repository sub && git status --short
cd .. && git clone -q --depth 1 "file://$PWD/repository" shallow && git -C shallow log --oneline | wc -l
git -C repository archive --format=tar v1 | tar tf - | wc -l
rm -rf repository clone shallow all.bundle
