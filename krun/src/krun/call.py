# SPDX-License-Identifier: Apache-2.0
"""One call of krun, taken apart."""

from __future__ import annotations

import time

from krun import options, state
from krun.backend import become, global_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from krun.backend import Backend


class Call:
    """The options before the verb, the verb, and the options and arguments after it."""

    def __init__(self, program: str, given: options.Options, verb: str, words: list[str]) -> None:
        """Take WORDS, what follows VERB, apart; PROGRAM is krun's own file."""
        self.program = program
        self.given = given
        self.verb = verb
        self.words = words
        self.options, self.arguments = options.scan(
            words,
            options.VALUES.get(verb, frozenset()),
            options.LETTERS.get(verb, {}),
            in_order=verb in ("exec", "gdb", "trace"),
        )
        self.root = given.get("root") or state.root()
        self.spent, self.began = time.process_time(), time.monotonic()
        self.marks: list[tuple[str, float]] = []

    def mark(self, phase: str) -> None:
        """Note that PHASE of the work is done."""
        self.marks.append((phase, time.monotonic()))

    def wants_help(self) -> bool:
        """Say whether the verb's usage is asked for."""
        return any((name, None) in self.options.items for name in ("help", "h", "?", "usage"))

    def become(self, backend: Backend, words: list[str]) -> NoReturn:
        """Become BACKEND with this call's verb, followed by WORDS."""
        become(backend, self.words_before(backend) + words)

    def words_before(self, backend: Backend) -> list[str]:
        """Return what BACKEND gets up to the verb."""
        return [*global_words(backend, self.given, self.root), self.verb]

    def become_with_kvm(
        self,
        backend: Backend,
        changed: options.Options,
        arguments: list[str],
        kvm_fd: int | None = None,
        more_fd: int | None = None,
    ) -> NoReturn:
        """Become BACKEND with the options CHANGED, and hand KVM to the process that it starts.

        KVM_FD is KVM where it is open already; MORE_FD gets the number after KVM's.
        """
        from krun import kvm  # noqa: PLC0415 - only what starts a process needs it

        if backend.name == "crun":
            from krun import streams  # noqa: PLC0415 - runc leaves the host's alone

            streams.keep_null()
        number, preserve = self.kvm_place(backend)
        kvm.place(kvm.open_device() if kvm_fd is None else kvm_fd, number)
        if more_fd is not None:
            kvm.place(more_fd, number + 1)
            preserve += 1
        changed = changed.without("preserve-fds")
        changed.items.append(("preserve-fds", str(preserve)))
        end = ["--"] if arguments[0][:1] == "-" else []  # an ID may begin so
        self.become(backend, [*changed.words(), *end, *arguments])

    def kvm_place(self, backend: Backend) -> tuple[int, int]:
        """Return the descriptor by which the process has KVM, and --preserve-fds for BACKEND."""
        from krun import kvm  # noqa: PLC0415 - likewise

        return kvm.inherited(self.options.get("preserve-fds"), backend.name)
