"""The text of `spec.yaml`: every argument, below a header that says which studio and which data it was."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from studio import __version__
from studio.args import document as yaml
from studio.specs import works

SCHEMA_VERSION = 1
HEADER = ("schema_version", "studio_version", "created", "packages", "fingerprints")
_PACKAGES = ("torch", "transformers", "peft", "tokenizers", "datasets", "accelerate", "bitsandbytes")


def freeze(spec: Any, created: str, fingerprints: Mapping[str, str]) -> str:
    """YAML of a spec with its header; `created` is an ISO time, `fingerprints` one hash a dataset."""
    header = {"schema_version": SCHEMA_VERSION, "studio_version": __version__, "created": created,
              "packages": _versions(), "fingerprints": dict(fingerprints)}
    return yaml.dumps(header | works.document(spec))


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def thaw(path: Path) -> tuple[Any, dict[str, Any]]:
    """(spec, header) of a `spec.yaml`; raises InputError or SpecError when it is missing or wrong."""
    draft = yaml.read(path)
    return works.check(without_header(draft)), {name: draft.get(name) for name in HEADER}


def without_header(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments alone: a run's spec.yaml is a recipe too."""
    return {name: value for name, value in draft.items() if name not in HEADER}
