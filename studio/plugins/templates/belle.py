"""BELLE, by Lianjia: Human and Assistant paragraphs on BLOOMZ and LLaMA."""

ORDER = 81
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("belle*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n\n{% elif message.role == 'user' %}Human: {{"
    " message.content }}\n\n{% elif message.role == 'assistant' %}Assistant: {{ message.content }}{{ eos_token or"
    " '' }}\n\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
