# SPDX-License-Identifier: Apache-2.0
"""The program of a snapshot of Python: an interpreter that has started, and gets its words later.

It is executed with `python3 -c` in a VM, and not imported. MODULES, which its maker puts in front,
are imported before. It tells its maker what it has read, a path a line, and asks for the snapshot.
The resumed one takes over from the new process all that an interpreter reads when it starts:
arguments, environment, standard streams, folders of modules. It draws new random numbers where the
library keeps a state of them.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODULES: "list[str]" = globals().get("MODULES", [])
FOLDERS: "dict[str, int]" = {}
HERE = "<snapshot>"


def _prepare() -> None:
    """Import what programs will, and say which files that has read, or looked for in vain."""
    import gc

    for name in MODULES:
        __import__(name)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        files = {line.split(None, 5)[5].rstrip() for line in maps if "/" in line}
    files.update(path for path in sys.path if path.endswith(".zip"))
    for module in list(sys.modules.values()):
        files.update(getattr(module, name, None) or "" for name in ("__file__", "__cached__"))
    print(*sorted(file for file in files if file[:1] == "/"), sep="\n", flush=True)
    FOLDERS.update(_folders())
    gc.collect()
    gc.freeze()


def _arguments() -> "list[str]":
    """Wait here for the process that resumes; return its command line."""
    import os

    try:
        with open("/proc/kontain/snapshot", "rb") as file:
            words = file.read().split(b"\0")
    except OSError as error:
        sys.exit(f"no snapshot: {error}")
    return [os.fsdecode(word) for word in words[:-1]]


def _begin() -> None:
    """Take over what is the new process's own."""
    import os
    import site

    with open("/proc/kontain/environ", "rb") as file:
        pairs = (entry.partition(b"=") for entry in file.read().split(b"\0") if b"=" in entry)
        wanted = {name: value for name, _, value in pairs}
    for name in set(os.environb) - set(wanted):
        del os.environb[name]
    os.environb.update(wanted)
    if sys.stdout.isatty():
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # no other's
    sys.path_importer_cache.clear()
    known = set(sys.path)
    for folder, changed in _folders():
        if FOLDERS.get(folder) != changed:
            site.addsitedir(folder, known)
    if "sitecustomize" not in sys.modules:
        site.execsitecustomize()
    if site.ENABLE_USER_SITE and "usercustomize" not in sys.modules:
        site.execusercustomize()
    _draw()


def _folders() -> "list[tuple[str, int]]":
    """Return the folders of modules other than the standard library's, with their times."""
    import os
    import site

    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    user = [f"~/.local/lib/{version}/site-packages"] if site.ENABLE_USER_SITE else []
    paths = map(os.path.expanduser, [*user, *site.getsitepackages()])
    return [(path, os.stat(path).st_mtime_ns) for path in paths if os.path.isdir(path)]


def _draw() -> None:
    """Renew the library's random numbers, so that two copies differ."""
    import os

    loaded = sys.modules
    if "random" in loaded:
        loaded["random"].seed()
    if "tempfile" in loaded:
        vars(loaded["tempfile"])["_name_sequence"] = None
    if "ssl" in loaded:
        loaded["ssl"].RAND_add(os.urandom(64), 64.0)
    if "logging" in loaded:
        vars(loaded["logging"])["_startTime"] = __import__("time").time()


def _program(words: "list[str]") -> "Any":
    """Return the code that WORDS ask for, with the surroundings that Python gives it."""
    import os

    main = sys.modules["__main__"]
    if words[0] == "-c":
        sys.argv[:] = ["-c", *words[2:]]
        sys.path[0] = ""
        return compile(words[1], "<string>", "exec", dont_inherit=True)
    if words[0] == "-m":
        sys.argv[:] = ["-m", *words[2:]]
        sys.path[0] = os.getcwd()
        return _main_of(words[1], alter_argv=True)
    path = words[0]
    sys.argv[:] = words
    if any(_takes(hook, path) for hook in sys.path_hooks):
        sys.path[0] = path
        return _main_of("__main__", alter_argv=False)
    try:
        with sys.modules["io"].open_code(path) as file:
            text = file.read()
    except OSError as error:
        place = os.path.abspath(path)
        why = f"[Errno {error.errno}] {error.strerror}"
        print(f"{sys.orig_argv[0]}: can't open file {place!r}: {why}", file=sys.stderr)
        sys.exit(2)
    sys.path[0] = os.path.dirname(os.path.realpath(path))
    main.__file__ = os.path.abspath(path)
    main.__cached__ = None  # type: ignore[attr-defined] # Python's own module has it
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    main.__loader__ = loader("__main__", main.__file__)
    return compile(text, main.__file__, "exec", dont_inherit=True)


def _takes(hook: "Any", path: str) -> bool:
    """Say whether PATH is a folder or an archive of modules."""
    try:
        hook(path)
    except ImportError:
        return False
    return True


def _main_of(module: str, *, alter_argv: bool) -> "Any":
    text = f"__import__('runpy')._run_module_as_main({module!r}, {alter_argv})"
    return compile(text, HERE, "exec", dont_inherit=True)


def _resume() -> "Any":
    _prepare()
    sys.orig_argv[:] = _arguments()
    words = sys.orig_argv[1:]
    _begin()
    code = _program(words)
    for name in (
        "TYPE_CHECKING",
        "MODULES",
        "FOLDERS",
        "HERE",
        "_folders",
        "_prepare",
        "_arguments",
        "_begin",
        "_draw",
        "_program",
        "_takes",
        "_main_of",
        "_resume",
        "sys",
        "__doc__",
    ):
        del globals()[name]
    globals()["__doc__"] = None
    return code


try:
    exec(_resume())  # noqa: S102 - as Python does with its command line
except Exception as error:  # shown as Python shows it, without the frames of this file
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == "<snapshot>":
        trace = trace.tb_next
    __import__("sys").excepthook(type(error), error.with_traceback(trace), trace)
    __import__("sys").exit(1)
