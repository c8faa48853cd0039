# SPDX-License-Identifier: Apache-2.0
"""busybox, one static program with hundreds of faces, does the same in a VM and on the host."""

import shutil
from pathlib import Path

import pytest

from . import compare

BUSYBOX = shutil.which("busybox") or "busybox"

pytestmark = [
    pytest.mark.needs_kvm,
    pytest.mark.usefixtures("kvm"),
    pytest.mark.skipif(
        not shutil.which("busybox"), reason="busybox is missing: install busybox-static"
    ),
]

TEXT = b"".join(b"%d the quick brown fox %d\n" % (n * 7919 % 1000, n) for n in range(2000))
FILES = {"text": TEXT, "folder/one": b"1\n", "folder/two": b"2\n", "folder/.hidden": b"3\n"}

COMMANDS = (
    "ls -lan folder", "ls -R .", "ls missing", "cat text", "cat missing", "wc text", "wc -l text",
    "sha256sum text", "md5sum text folder/one", "cksum text", "sort text", "sort -n -r text",
    "uniq -c folder/one", "head -n 3 text", "tail -n 3 text", "cut -d\\  -f2-3 text",
    "grep -c fox text", "grep -n 99$ text", "grep missing text", "tr a-z A-Z", "rev text",
    "sed -n s/quick/slow/p text", "awk {s+=$1}END{print+s} text", "find . -name o*", "find .",
    "find . -type f -size +1", "gzip -c text", "gzip -k text", "bzip2 -k text", "tar cf - folder",
    "tar cvf archive.tar folder text", "cp -a folder copy", "mv text moved", "rm -r folder",
    "mkdir -p a/b/c", "ln -s text link", "touch -t 202001020304 text", "chmod 600 text",
    "stat -c %a:%s:%F text", "dd if=text of=out bs=100 count=7 skip=2", "od -c folder/one",
    "hexdump -C folder/two", "diff text folder/one", "cmp text folder/one", "comm text text",
    "split -l 500 text part-", "tee copy", "seq 1 1000", "factor 1234567890", "expr 6 * 7",
    "printf %05d\\n 42", "echo a b c", "basename /a/b.c .c", "dirname /a/b",  "id -u",
    "env", "date -u -d @86400", "cal 1 2020", "true", "false", "test -f text", "test -d text",
    "sleep 0.01", "base64 text", "uuencode text name", "strings text",
    "xargs echo", "vi -h", "nosuchapplet", "sh -c exit\\ 3", "du -a folder", "mktemp -u x",
      "unix2dos text", "shuf -n 0 text", "nproc",
)  # fmt: skip

SCRIPTS = (
    "i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; echo $i",
    "case $HOME in /no*) echo case;; esac; echo ${HOME#/}; set -- a b; echo $# $2",
    "echo one > f; echo two >> f; read x < f; echo $x; exit 5",
    "basename $(pwd) | cut -c1-8; cd folder; basename $OLDPWD | cut -c1-8",
    "cat text | grep fox | sort | tail -n 2",
    "for f in folder/*; do cat $f; done | wc -c",
    "x=$(echo inner; exit 4); echo $? $x",
    "(exit 7); echo $?; false || echo or; true && echo and",
    "sleep 5 & kill $!; wait $! 2>/dev/null; echo $?",
    "trap 'echo trapped' TERM; kill $$; echo after",
    "trap 'echo bye' EXIT; echo body",
    "kill -9 $$",
    "cat <<END\nhere $HOME\nEND",
    "echo x | (read a; echo $a$a) | tr x y",
    "find . -type f | xargs sha256sum | sort",
    "tar cf - folder | tar tf -",
    "gzip -c text | gunzip -c | cmp - text && echo same",
    "exec 3<text; read a <&3; echo $a; exec 3<&-",
    "ulimit -n; umask; echo $((0x7fffffff + 1))",
    "nosuchcommand; echo $?",
    "yes | head -n 3",
)


def _words(command: str) -> list[str]:
    return [word.replace("\0", " ") for word in command.replace("\\ ", "\0").split(" ")]


def _compare(words: list[str], km: Path, stdin: bytes) -> str:
    command = [BUSYBOX, *words]
    native = compare.run(command, stdin, FILES)
    return compare.difference(native, compare.run([str(km), *command], stdin, FILES))


@pytest.mark.parametrize("command", COMMANDS)
def test_applet(command: str, km: Path) -> None:
    """An applet's output, status and files are those of its native run."""
    wrong = _compare(_words(command), km, TEXT)
    assert not wrong, f"\n{wrong}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_shell(script: str, km: Path) -> None:
    """The shell runs a script as on the host: own words, other programs, pipelines and traps."""
    wrong = _compare(["sh", "-c", script], km, TEXT)
    assert not wrong, f"\n{wrong}"


def test_httpd_answers_a_request(km: Path) -> None:
    """The web server answers one request with the file that was asked for."""
    request = b"GET /text HTTP/1.0\r\n\r\n"
    done = compare.run([str(km), BUSYBOX, "httpd", "-i", "-h", "."], request, FILES)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK"))
    assert body == TEXT
