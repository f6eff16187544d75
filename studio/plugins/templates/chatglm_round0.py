"""ChatGLM-6B as THUDM's own chat and ptuning scripts wrote it: rounds from 0, and the bare question without history.

Only the last answer can be learned: what stands before <sop> is seen from both sides.
"""

ORDER = 72
SYSTEM = False
TOOLS = False
MODELS: tuple[str, ...] = ()
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% set ns = namespace(round=-1, asked=0) %}{% for message in messages %}{% if message.role == 'user' %}"
    "{% set ns.asked = ns.asked + 1 %}{% endif %}{% endfor %}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ raise_exception('system') }}{% elif message.role == 'user' %}"
    "{% set ns.round = ns.round + 1 %}{% if ns.asked == 1 %}{{ message.content }}"
    "{% else %}[Round {{ ns.round }}]\n问：{{ message.content }}\n答：{% endif %}{% elif message.role == 'assistant' %}"
    "{% if loop.last %}[gMASK]<sop>{{ message.content }}<eop>{% else %}{{ message.content }}\n{% endif %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}[gMASK]<sop>{% endif %}"
)
END = "<eop>"
LAST_ONLY = True
