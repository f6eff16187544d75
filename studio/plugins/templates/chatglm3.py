"""ChatGLM3, by THUDM: a role's token, a line for its metadata, the words; a call is a line of Python under its name."""

ORDER = 75
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ("chatglm3*",)
ALIASES: tuple[str, ...] = ()
TOOLS_TEXT = (
    "Answer the following questions as best as you can. You have access to the following tools:{{ '\n' }}"
    "{{ tools | tojson(indent=4) }}"
)
JINJA = (
    "[gMASK]sop{% if tools and messages[0].role != 'system' %}<|system|>{{ '\n ' }}" + TOOLS_TEXT + "{% endif %}"
    "{% for message in messages %}"
    "{% if message.role == 'system' %}<|system|>{{ '\n ' }}{{ message.content }}"
    "{% if tools and loop.first %}{{ '\n' }}" + TOOLS_TEXT + "{% endif %}"
    "{% elif message.role == 'tool' %}<|observation|>{{ '\n ' }}{{ message.content }}"
    "{% elif message.tool_calls %}{% if message.content %}<|assistant|>{{ '\n ' }}{{ message.content }}{% endif %}"
    "{% for call in message.tool_calls %}<|assistant|>{{ call.function.name }}{{ '\n ```python\ntool_call(' }}"
    "{% for name, value in call.function.arguments | items %}{{ name }}={{ value | tojson }}"
    "{{ '' if loop.last else ', ' }}{% endfor %}){{ '\n```' }}{% endfor %}"
    "{% else %}<|{{ message.role }}|>{{ '\n ' }}{{ message.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
