"""The page, and the only room that knows Gradio.

Analytics and version checks are off and pandas stays asleep before Gradio is imported anywhere in here: Gradio asks
for pandas at its import but needs it only for data frames, which this page does not have (0.4 CPU-s, 40 MB).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"


class _Asleep(ModuleType):
    """A module that is imported when one of its names is first asked for.

    Unlike `importlib.util.LazyLoader` it sleeps on when `inspect` walks over all modules asking for `__file__`.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        sys.modules.pop(self.__name__, None)
        module = importlib.import_module(self.__name__)
        self.__dict__.update(module.__dict__)
        return getattr(module, name)


def _let_sleep(name: str) -> None:
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        module = _Asleep(name)
        module.__file__ = spec.origin
        sys.modules[name] = module


_let_sleep("pandas")
