"""Importing torch and transformers without what a training run does not need: half the way to the first step.

`transformers.modeling_utils` pulls in torch's compiler, its sharded tensors, accelerate and the serving code at its
top. For architectures that the tests prove, those imports are answered by empty stand-ins while transformers is being
imported; afterwards the stand-ins are taken away, so that whoever needs the real modules later gets them.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Not needed to build a model, to run it forward and backward, or to save it.
_ABSENT = (
    "torch._dynamo", "torch._inductor", "torch.distributed.tensor", "torch.distributed.fsdp",
    "torch.distributed.checkpoint", "torch.distributed._composable", "torch.nn.attention.flex_attention",
    "transformers.generation.continuous_batching", "transformers.integrations.finegrained_fp8",
    "accelerate", "bitsandbytes",
)
_STRUCTURE = "transformers.utils.import_utils"


def torch_process(spec: Any) -> None:
    """Import torch and give it its threads."""
    import torch

    if spec.cpu_threads:
        torch.set_num_threads(spec.cpu_threads)


class _StandIn(type):
    """The type of stand-ins for classes and functions: instances are never made, decorators change nothing.

    A class that inherits from a stand-in is an ordinary one.
    """

    def __call__(cls, *args: Any, **named: Any) -> Any:
        if not _is_stand_in(cls):
            return super().__call__(*args, **named)
        return args[0] if args and callable(args[0]) else cls

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or not _is_stand_in(cls):
            raise AttributeError(name)
        return _stand_in(name)

    def __getitem__(cls, item: Any) -> Any:
        return cls

    def __iter__(cls) -> Iterator[Any]:
        return iter(())


def _stand_in(name: str) -> Any:
    return _StandIn(name, (), {"absent": True})


def _is_stand_in(cls: type) -> bool:
    return "absent" in vars(cls)


class _Absent(types.ModuleType):
    """A module without content that has every name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = _stand_in(name)
        setattr(self, name, found)
        return found


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an `_Absent` for every module below the given names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name == _STRUCTURE:
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            if spec is not None and spec.loader is not None:
                spec.loader = _WithoutScan(spec.loader)
            return spec
        if any(name == absent or name.startswith(absent + ".") for absent in self._names):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to execute."""


class _WithoutScan(importlib.abc.Loader):
    """Loads transformers' import helpers, but the list of all models' classes stays empty.

    Making it reads the folders of 400 models, twice: half a CPU-second, for names that nobody asks for here.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        self._loader.exec_module(module)
        whole = module.define_import_structure  # type: ignore[attr-defined]

        def structure(path: Any, prefix: str | None = None) -> Any:
            folder = str(path).removesuffix("/__init__.py")
            return {frozenset(): {}} if folder.endswith("/transformers/models") else whole(path, prefix)

        module.define_import_structure = structure  # type: ignore[attr-defined]


@contextmanager
def imports(*, lean: bool) -> Iterator[None]:
    """Within, imports of what is absent are answered by stand-ins; what was imported before stays what it is.

    `torch._dynamo.disable(function)` of a stand-in is the function itself, which is what it means without a compiler.
    """
    if not lean:
        yield
        return
    absent = [name for name in _ABSENT if name not in sys.modules]
    finder = _Finder(absent)
    sys.meta_path.insert(0, finder)
    try:
        with _no_numbers_for_nothing():
            yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if isinstance(module, _Absent):
                del sys.modules[name]
                parent, _, child = name.rpartition(".")
                if isinstance(vars(sys.modules.get(parent, module)).get(child), _Absent):
                    delattr(sys.modules[parent], child)


@contextmanager
def _no_numbers_for_nothing() -> Iterator[None]:
    """Do not draw first weights for tensors without storage.

    Models are built on the meta device before they are filled; torch answers by its Python reference of normal_,
    which imports sympy: 0.4 CPU-seconds.
    """
    from torch.nn import init

    names = ("normal_", "kaiming_uniform_", "uniform_")
    originals = {name: getattr(init, name) for name in names}

    def skipping(original: Any) -> Any:
        return lambda tensor, *rest, **named: tensor if tensor.is_meta else original(tensor, *rest, **named)

    for name, original in originals.items():
        setattr(init, name, skipping(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(init, name, original)
