"""DeepSeek LLM Chat, by DeepSeek: User and Assistant lines."""

ORDER = 64
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("deepseek-llm*chat", "deepseek-moe*chat", "deepseek-v2*")
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n\n{% elif message.role == 'user' %}User: {{"
    " message.content }}\n\n{% elif message.role == 'assistant' %}Assistant: {{ message.content }}{{ eos_token or"
    " '' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
