"""Stanford Alpaca's plain headings; works with any tokenizer, since it needs no special token but the end.

An input stands in the same message as its instruction, below it.
"""

ORDER = 30
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("alpaca",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n\n{% elif message.role == 'user' %}###"
    " Instruction:\n{{ message.content }}\n\n{% elif message.role == 'assistant' %}### Response:\n{{"
    " message.content }}{{ eos_token or '' }}\n\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}### Response:\n{% endif %}"
)
