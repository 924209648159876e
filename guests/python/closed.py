"""What an interpreter finds where there is no machine: a clock that stands still, and no files.

The sandbox gives it nothing either, but would end the parser instead of raising where its author sees it.
"""

import os
import sys
import time
from importlib.machinery import BuiltinImporter, FrozenImporter

from library import LIBRARY

NOW_S = 946_684_800
"""What the clock says for ever: 2000-01-01T00:00:00Z, as for parsers in any language."""

OURS = "_casparian_speed closed componentize_py_runtime componentize_py_types library runtime warm wit_world".split()
"""Modules that are forgotten: a parser's own may be called so."""
ABSENT = ("open", "os.", "socket.", "subprocess.", "shutil.", "tempfile.", "glob.", "ctypes.", "sqlite3.")
"""Events of the interpreter that would look for a machine."""


def close() -> None:
    """Closes what the build still needs: its disks. Nothing opens the world again: an interpreter keeps its hooks."""
    _forget_disks()
    for name in OURS:
        del sys.modules[name]
    sys.addaudithook(_refuse)


def _refuse(event, _):
    if event.startswith(ABSENT):
        raise PermissionError(f"a parser reads its input and nothing else: {event} is not there")


def stop_clocks() -> None:
    """Stops the clocks, at the end of the build: no guest need do it for itself."""
    time.time, time.time_ns = lambda: float(NOW_S), lambda: NOW_S * 10**9
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, lambda: 0.0)
        setattr(time, f"{name}_ns", lambda: 0)
    gmtime, strftime, ctime = time.gmtime, time.strftime, time.ctime
    time.gmtime = time.localtime = lambda seconds=None: gmtime(NOW_S if seconds is None else seconds)
    time.strftime = lambda form, at=None: strftime(form, gmtime(NOW_S) if at is None else at)
    time.ctime = lambda seconds=None: ctime(NOW_S if seconds is None else seconds)
    time.sleep = lambda seconds: None


def stop_input() -> None:
    """Lets nobody wait for what is typed. What was to hold it takes as much memory as ten modules."""
    sys.stdin = sys.__stdin__ = None


def _forget_disks():
    sys.argv = ["parser"]  # who formats a usage asks what the program is called
    # Who asks for a module that is not there is told so; the search for it on a disk would end the parser.
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, LIBRARY]
    for kept in (sys.path, sys.path_hooks, sys.path_importer_cache):
        kept.clear()
    os.stat = os.lstat = os.access = _absent


def _absent(path, *_, **__):
    raise FileNotFoundError(2, "a parser reads its input and nothing else", str(path))
