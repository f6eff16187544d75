"""Files packed in every way that the studio unpacks."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from pathlib import Path

import pyarrow


def packed(folder: Path, name: str, content: bytes, pack: str) -> str:
    """Write a file, packed with gz, xz, zst, zip or not at all; its name."""
    packed_name = f"{name}.{pack}" if pack else name
    if pack == "zip":
        with zipfile.ZipFile(folder / packed_name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"inner/{name}", content)
        return packed_name
    pack_up = {"": bytes, "gz": gzip.compress, "xz": lzma.compress,
               "zst": lambda data: pyarrow.compress(data, "zstd", asbytes=True)}[pack]
    (folder / packed_name).write_bytes(pack_up(content))
    return packed_name
