"""A parser's modules, loaded from memory: from the bytes that the host hands over, or from files that somebody debugs."""

from __future__ import annotations

import importlib.util
import linecache
import marshal
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from casparian.shapes import Fault

ROOTS = ("", "vendor/")
"""Where modules are looked for: the parser's own, then what it brings along."""


class Modules(MetaPathFinder, InspectLoader):
    """Finds and loads modules among the files of a parser.

    `folder` is put before the file names of code, so that a debugger finds the files of a parser that stands on a disk.
    """

    def __init__(self, files: Mapping[str, bytes], code: Mapping[str, bytes] | None = None, folder: str = "") -> None:
        self.files = dict(files)
        self._code = dict(code or {})
        self._folder = folder
        self._paths: dict[str, str] = {}
        self._found: set[str] = set()
        self._shown = {folder + path: path for path in self.files}
        self._refuse_shadows()

    def _refuse_shadows(self) -> None:
        for root in ROOTS:
            for path in self.files:
                if not path.startswith(root) or not path.endswith(".py"):
                    continue
                name = path.removeprefix(root).split("/")[0].removesuffix(".py")
                if name in sys.stdlib_module_names or name == "casparian":
                    message = f"`{path}` would hide the module `{name}` of Python or of this SDK: give it another name"
                    raise Fault("module-name", message)

    def install(self) -> None:
        """Makes the modules importable, instead of those of any parser before."""
        for other in [it for it in sys.meta_path if isinstance(it, Modules)]:
            other.remove()
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Makes the modules of this parser unknown again."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in self._found:
            sys.modules.pop(name, None)
        for name in self._shown:
            linecache.cache.pop(name, None)

    def shown(self, code_file: str) -> str | None:
        """Returns how a code file is called to people; `None` where it is not one of these."""
        return self._shown.get(code_file)

    def module_name(self, entry: str) -> str:
        """Returns the module that an entry names: `fills`, `fills.py` or `package/fills.py`."""
        name = entry.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        if self._find(name) is None:
            known = ", ".join(sorted(path for path in self.files if path.endswith(".py"))) or "none"
            raise Fault("no-entry", f"there is no module `{name}` to start from; there are {known}")
        return name

    def _find(self, name: str) -> tuple[str, bool] | None:
        stem = name.replace(".", "/")
        for root in ROOTS:
            for path, is_package in ((f"{root}{stem}/__init__.py", True), (f"{root}{stem}.py", False)):
                if path in self.files:
                    return path, is_package
        return None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a module; a folder without `__init__.py` is a package too."""
        found = self._find(fullname)
        if found is None:
            return self._folder_spec(fullname)
        self._found.add(fullname)
        file, is_package = found
        self._paths[fullname] = file
        spec = ModuleSpec(fullname, self, origin=self._folder + file, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [self._folder + file.removesuffix("/__init__.py")]
        return spec

    def _folder_spec(self, fullname: str) -> ModuleSpec | None:
        stem = fullname.replace(".", "/") + "/"
        if not any(path.startswith(root + stem) and path.endswith(".py") for root in ROOTS for path in self.files):
            return None
        self._found.add(fullname)
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [self._folder + stem.rstrip("/")]
        return spec

    def get_source(self, fullname: str) -> str:
        """Returns the source of a module."""
        return importlib.util.decode_source(self.files[self._paths[fullname]])

    def get_data(self, path: str) -> bytes:
        """Returns a file that stands beside the modules."""
        try:
            return self.files[path.removeprefix(self._folder)]
        except KeyError:
            raise FileNotFoundError(path) from None

    def get_code(self, fullname: str) -> CodeType:
        """Returns the code of a module, compiled before or now."""
        path = self._paths[fullname]
        kept = self._code.get(path, b"")
        if kept.startswith(importlib.util.MAGIC_NUMBER):
            code: CodeType = marshal.loads(kept[len(importlib.util.MAGIC_NUMBER) :])
            return code
        return compile(self.files[path], self._folder + path, "exec", dont_inherit=True)

    def is_package(self, fullname: str) -> bool:
        """Returns whether a module is a package."""
        return self._paths[fullname].endswith("/__init__.py")

    def exec_module(self, module: ModuleType) -> None:
        """Runs the code of a module."""
        exec(self.get_code(module.__name__), module.__dict__)


def compiled(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the code of every module among the files, for [`Modules`] of the same Python to load without compiling.

    Raises `SyntaxError` where a file is no Python.
    """
    code = {}
    for path, raw in sorted(files.items()):
        if path.endswith(".py"):
            made = compile(raw, path, "exec", dont_inherit=True)
            code[path] = importlib.util.MAGIC_NUMBER + marshal.dumps(made)
    return code
