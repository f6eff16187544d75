"""P-Tuning v2: learned keys and values in front of every layer move (Liu et al. 2021), the model stays."""

from __future__ import annotations

from studio.args.fields import Group, arg

ORDER = 20


class Arguments(Group):
    """Length and making of the prefix."""

    group = "prefix"
    tuners = ("prefix",)

    pre_seq_len: int = arg(16, ge=1, le=1024, basic=True)
    prefix_projection: bool = arg(False)
