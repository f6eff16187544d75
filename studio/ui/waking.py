"""What Gradio does at its import and this page does not need: pandas (0.4 CPU-s, 40 MB), and rewriting the type stubs
of all its components for editors (1 CPU-s, at every start, into the installed package).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class _Asleep(ModuleType):
    """A module that is imported when one of its names is first asked for.

    Unlike `importlib.util.LazyLoader` it sleeps on when `inspect` walks over all modules asking for `__file__`.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__path__", "__version__"):
            raise AttributeError(name)
        sys.modules.pop(self.__name__, None)
        module = importlib.import_module(self.__name__)
        self.__dict__.update(module.__dict__)
        return getattr(module, name)


def let_sleep(name: str) -> None:
    """Put off the import of a module that may never be needed."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        module = _Asleep(name)
        module.__file__, module.__spec__ = spec.origin, spec
        sys.modules[name] = module


class _WithoutStubs(MetaPathFinder):
    """Finds `gradio.component_meta` once, and takes its writing of stub files out."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "gradio.component_meta":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            if hasattr(module, "create_or_modify_pyi"):
                module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def without_stubs() -> None:
    """Let Gradio's coming import leave its own files alone."""
    if "gradio" not in sys.modules:
        sys.meta_path.insert(0, _WithoutStubs())
