"""Phi-3 small, by Microsoft: Phi-3 after the beginning of the text."""

ORDER = 63
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("phi-3*small*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}<|system|>\n{{ message.content }}<|end|>\n{% elif message.role == 'user' %"
    "}<|user|>\n{{ message.content }}<|end|>\n{% elif message.role == 'assistant' %}<|assistant|>\n{{"
    " message.content }}<|end|>\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
END = "<|end|>"
