"""A thousand pairs of answer and reference from real sets beside the checkout, Chinese and English."""

from __future__ import annotations

import json
import random
from functools import cache

from tests.house.source import PROJECT

SHARED = PROJECT.parent / "shared" / "data"
REFERENCE = SHARED / "chatglm" / "metrics_reference.json"
SETS = ("lf_alpaca_zh_demo.json", "alpaca_data_head2000.json", "cet_oaast_sft_zh.json", "hk_arith_zh.json",
        "rasbt_instruction-data.json")
LONGEST = 80
HERE = all((SHARED / "instruct" / name).is_file() for name in SETS)


@cache
def real_pairs(count: int = 1000) -> tuple[list[str], list[str]]:
    """(answers, references): half are other rows' answers, half the row's own with a part lost, moved or said twice."""
    texts = []
    for name in SETS:
        rows = json.loads((SHARED / "instruct" / name).read_text(encoding="utf-8"))
        texts.append([str(row["output"])[:LONGEST] for row in rows if row.get("output")][:count // len(SETS) + 1])
    flat = [text for group in texts for text in group][:count]
    assert len(flat) == count
    chance = random.Random(7)
    answers = [flat[(place + 1) % count] if place % 2 else damaged(text, chance) for place, text in enumerate(flat)]
    return answers, flat


def damaged(text: str, chance: random.Random) -> str:
    """The text with one of its stretches lost, moved to the front or doubled."""
    first, last = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    piece = text[first:last]
    return chance.choice((text[:first] + text[last:], piece + text[:first] + text[last:], text[:last] + piece))
