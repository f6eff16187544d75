"""Alpaca's headings in simplified Chinese."""

ORDER = 31
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ()
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n\n{% elif message.role == 'user' %}### 指令：\n{{"
    " message.content }}\n\n{% elif message.role == 'assistant' %}### 回复：\n{{ message.content }}{{ eos_token or '' "
    "}}\n\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}### 回复：\n{% endif %}"
)
