"""OpenChat 3.5."""

ORDER = 85
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("openchat*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}<|end_of_turn|>{% elif message.role == 'user' %}GPT4"
    " Correct User: {{ message.content }}<|end_of_turn|>{% elif message.role == 'assistant' %}GPT4 Correct"
    " Assistant: {{ message.content }}<|end_of_turn|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}GPT4 Correct Assistant:{% endif %}"
)
END = "<|end_of_turn|>"
