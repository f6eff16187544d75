"""Human and Assistant lines with an end after each, LLaMA-Factory's default for models without a chat form."""

ORDER = 25
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ()
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}System: {{ message.content }}{{ eos_token or '' }}\n{% elif message.role =="
    " 'user' %}Human: {{ message.content }}{{ eos_token or '' }}\n{% elif message.role == 'assistant' %"
    "}Assistant:{{ message.content }}{{ eos_token or '' }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
