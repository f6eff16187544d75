"""GLM-4, by Zhipu AI: ChatGLM3's roles with line breaks; a call is its name and, below it, JSON."""

ORDER = 76
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ("glm-4*", "glm4*")
ALIASES: tuple[str, ...] = ()
TOOLS_TEXT = (
    "你是一个名为 ChatGLM 的人工智能助手。你是基于智谱 AI 公司训练的语言模型 GLM-4 模型开发的，"
    "你的任务是针对用户的问题和要求提供适当的答复和支持。{{ '\n\n' }}# 可用工具"
    "{% for tool in tools %}{{ '\n\n## ' }}{{ tool.function.name }}{{ '\n\n' }}{{ tool.function | tojson(indent=4) }}"
    "{{ '\n' }}在调用上述函数时，请使用 Json 格式表示调用的参数。{% endfor %}"
)
JINJA = (
    "[gMASK]<sop>{% if tools %}<|system|>{{ '\n' }}" + TOOLS_TEXT + "{% endif %}"
    "{% for message in messages %}"
    "{% if message.role == 'tool' %}<|observation|>{{ '\n' }}{{ message.content }}"
    "{% elif message.tool_calls %}{% if message.content %}<|assistant|>{{ '\n' }}{{ message.content }}{% endif %}"
    "{% for call in message.tool_calls %}<|assistant|>{{ call.function.name }}{{ '\n' }}"
    "{{ call.function.arguments | tojson }}{% endfor %}"
    "{% else %}<|{{ message.role }}|>{{ '\n' }}{{ message.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
