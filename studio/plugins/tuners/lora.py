"""LoRA: small low-rank matrices beside the weights move (Hu et al. 2021), optionally rank-stabilised or DoRA."""

from __future__ import annotations

from studio.args.fields import Group, NameList, arg

ORDER = 10


class Arguments(Group):
    """Size and place of the low-rank matrices."""

    group = "lora"
    tuners = ("lora",)

    lora_rank: int = arg(8, ge=1, le=1024, basic=True, aliases=("lora_r",))
    lora_alpha: int | None = arg(None, ge=1, le=4096, basic=True)
    lora_dropout: float = arg(0.0, ge=0, lt=1)
    lora_target: NameList = arg(["all"], basic=True)
    use_rslora: bool = arg(False)
    use_dora: bool = arg(False)
    additional_target: NameList = arg([], aliases=("modules_to_save",))
