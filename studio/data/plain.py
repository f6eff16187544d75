"""A plain text in tokens: all of it is learned, and the token that ends a text stands behind it."""

from __future__ import annotations

from studio.data.chat import ChatTokenizer, Encoded, Located
from studio.sample import Sample


def encode(chat: ChatTokenizer, sample: Sample, cutoff_len: int = 1 << 30) -> Encoded:
    """The tokens of a text; no template is asked."""
    ids = [*chat.encode_text(sample.text), chat.eos_ids[0]]
    kept = ids[:cutoff_len]
    return Encoded(kept, [(0, len(kept))], len(ids) > cutoff_len)


def located(chat: ChatTokenizer, sample: Sample) -> Located:
    """The same with each token's characters in the text."""
    encoding = chat.tokenizer.encode(sample.text, add_special_tokens=False)
    return Located(sample.text, (), encoding.ids, encoding.offsets)
