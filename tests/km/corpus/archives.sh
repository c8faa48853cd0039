# SPDX-License-Identifier: Apache-2.0
# tar, gzip, bzip2, xz with threads, cpio-like copies, sparse files, links, digests.
mkdir -p tree/a/b; seq 100000 > tree/numbers; head -c 300000 /dev/zero > tree/a/zeros
ln tree/numbers tree/hard; ln -s ../numbers tree/a/soft; mkfifo tree/a/b/fifo; chmod 4751 tree/a
truncate -s 10M tree/sparse
find tree -exec touch -h -d @1000000000 {} +
for way in -z -j -J; do
    tar --sort=name --owner=0 --group=0 -c $way -f archive tree && tar -x -f archive -C . --one-top-level=out && tar -t -v -f archive | wc
    diff -r --no-dereference tree/a/zeros out/tree/a/zeros && ls -lR --time-style=+%s out | grep -v ^total | cksum; rm -r out
done
xz -T2 -k --block-size=200KiB tree/numbers -c | xz -dc -T2 | cksum
gzip -9 < tree/numbers | gunzip | cmp - tree/numbers && bzip2 < tree/numbers | bunzip2 | cmp - tree/numbers && echo same
sha256sum tree/numbers tree/sparse; md5sum tree/hard; cksum tree/a/zeros; b2sum tree/numbers | cut -c1-32
cp -a --sparse=always tree copy && diff -r --no-dereference -x fifo tree copy && du -k copy/sparse | cut -f1
split -n 5 tree/numbers part. && cat part.* | cmp - tree/numbers && wc -c part.*
dd if=tree/numbers of=block bs=4k count=3 skip=1 conv=notrunc status=none; od -A d -t x1 block | tail -n 2
rm -rf tree copy archive part.* block
