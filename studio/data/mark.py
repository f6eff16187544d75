"""The mark of a model folder: told in milliseconds, another one when its weights or its configuration have changed.

Of each file with weights the size, the header and some blocks spread evenly over it count, of the small files all.
Where it lies and when it was copied do not count. It notices an exchange, not a forgery.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

SMALL = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "tokenizer.model")
_BLOCK = 1 << 16
_BLOCKS = 32


def mark(folder: Path) -> str:
    """The mark of a model folder, "" for one that cannot be read."""
    digest = hashlib.sha256()
    try:
        weights = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("adapter"))
        for path in [folder / name for name in SMALL] + weights:
            if path.is_file():
                digest.update(path.name.encode())
                _take(path, digest)
    except OSError:
        return ""
    return digest.hexdigest()[:32]


def _take(path: Path, digest: hashlib._Hash) -> None:
    """The file's size, its beginning, its end and blocks between; all of a file that is no larger than those."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(size.to_bytes(8, "little"))
        if size <= _BLOCK * _BLOCKS:
            digest.update(file.read())
            return
        for number in range(_BLOCKS):
            file.seek((size - _BLOCK) * number // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
