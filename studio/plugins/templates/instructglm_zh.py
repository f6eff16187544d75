"""InstructGLM's form for BELLE's rows: 指令 and 答案 lines."""

ORDER = 74
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ()
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n{% elif message.role == 'user' %}指令: {{"
    " message.content }}\n{% elif message.role == 'assistant' %}答案: {{ message.content }}{{ eos_token or '' }}\n{%"
    " endif %}"
    "{% endfor %}{% if add_generation_prompt %}答案: {% endif %}"
)
