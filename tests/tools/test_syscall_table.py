# SPDX-License-Identifier: Apache-2.0
"""The reference of system calls says what km's table says."""

import re

import pytest

from tools.docs import syscall_table


def test_page_is_current() -> None:
    """The page in docs/ is what the tool makes of the table as it is."""
    calls = syscall_table.read(syscall_table.TABLE.read_text(encoding="utf-8"))
    assert syscall_table.PAGE.read_text(encoding="utf-8") == syscall_table.render(calls)


def test_every_line_of_the_table_is_read() -> None:
    """Each entry of the table is a call of the page, once."""
    text = syscall_table.TABLE.read_text(encoding="utf-8")
    names = [call.name for call in syscall_table.read(text)]
    assert len(names) == len(set(names)) == len(re.findall(r"^    [A-Z_]+\(", text, re.MULTILINE))


def test_calls_are_told_apart() -> None:
    """The host's, km's and the refused ones are named so; another text is an error."""
    text = """    /* files */
    RESTART_ON_FILE(read, FD),
    FORWARD_HELPED(getppid),
    HANDLE_WAIT(ppoll, ppoll, FD,
                SIZE),
    HANDLE(mount, refuse, PATH),
"""
    assert [(call.name, call.by, call.notes) for call in syscall_table.read(text)] == [
        ("read", "host", "restarts, helped on files"),
        ("getppid", "host", "helped"),
        ("ppoll", "km", ""),
        ("mount", "refused", ""),
    ]
    assert "| `read` | host | restarts, helped on files |" in syscall_table.render(
        syscall_table.read(text)
    )
    with pytest.raises(ValueError, match="no system call"):
        syscall_table.read("")
