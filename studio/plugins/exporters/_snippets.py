"""The lines of Python that open a result and put a question to it, as somebody elsewhere types them."""

from __future__ import annotations

_WHOLE = '''from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{folder}")
model = AutoModelForCausalLM.from_pretrained("{folder}")
'''
_TUNED = '''from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{folder}")
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{base}"), "{adapter}")
'''
_ASKED = '''talk = [{"role": "user", "content": "12 + 30 = ?"}]
prompt = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=True, return_tensors="pt")
answer = model.generate(**prompt, max_new_tokens=200)[0, prompt["input_ids"].shape[1]:]
print(tokenizer.decode(answer, skip_special_tokens=True))
'''


def whole(folder: str) -> list[str]:
    """A model of its own, by transformers."""
    return [*_WHOLE.format(folder=folder).splitlines(), *_ASKED.splitlines()]


def tuned(folder: str, base: str, adapter: str = "") -> list[str]:
    """A base with what was learned on it, by PEFT; `adapter` is where that lies, if not in the folder itself."""
    return [*_TUNED.format(folder=folder, base=base, adapter=adapter or folder).splitlines(), *_ASKED.splitlines()]
