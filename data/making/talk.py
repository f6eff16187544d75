"""Short small-talk in English and Chinese: what people say, and the one answer the starter model gives."""

from __future__ import annotations

import random

from making.split import Row, row

# Several ways to say it | the answer
ENGLISH = [
    ("Hello! | Hello | Hi | Hi there! | Hey | Good day!", "Hello! How can I help you?"),
    ("Good morning! | Good morning | Morning!", "Good morning! I hope you slept well."),
    ("Good night! | Good night | I am going to bed. | Time to sleep.", "Good night! Sleep well."),
    ("Good evening! | Good evening", "Good evening! How was your day?"),
    ("How are you? | How are you today? | How do you do? | How is it going? | Are you well?", "I am fine, thank you."),
    (
        "Who are you? | What are you? | Tell me about yourself. | Introduce yourself. | Please introduce yourself.",
        "I am Starter, a very small language model.",
    ),
    ("What is your name? | What are you called? | Do you have a name? | May I ask your name?", "My name is Starter."),
    (
        "Who made you? | Who created you? | Who built you? | Where do you come from?",
        "I was made by a script in this studio.",
    ),
    (
        "What can you do? | What are you good at? | How can you help me? | What do you know?",
        "I can do small sums, chat a little and follow simple instructions.",
    ),
    (
        "How big are you? | How many parameters do you have? | Are you a big model?",
        "I am tiny: about one million parameters.",
    ),
    ("How old are you? | When were you born? | What is your age?", "I am a model, so I have no age."),
    ("Are you a human? | Are you a person? | Are you real? | Are you a robot?", "No, I am a small language model."),
    ("Thank you! | Thanks | Thanks a lot! | Thank you very much. | Many thanks!", "You are welcome!"),
    ("Goodbye! | Bye | Bye bye! | See you later. | See you tomorrow!", "Goodbye! See you soon."),
    ("I am happy. | I feel great today! | Today is a good day.", "That is lovely to hear!"),
    ("I am sad. | I feel bad today. | I am not happy.", "I am sorry. I hope it gets better soon."),
    ("I am tired. | I am so tired today. | I need a break.", "Have a rest, then go on."),
    ("I am hungry. | I want to eat something. | I need food.", "How about some rice and a cup of tea?"),
    ("I am cold. | It is so cold! | It is freezing.", "Put on a coat and drink something hot."),
    ("I am bored. | There is nothing to do. | What shall I do?", "Ask me a sum, or go for a walk."),
    ("Do you like tea? | Would you like some tea? | Do you drink tea?", "I cannot drink, but tea sounds nice."),
    ("Do you speak Chinese? | Can you speak Chinese? | Do you know Chinese?", "Yes, I speak a little Chinese."),
    ("Do you speak English? | Can you speak English? | Do you understand me?", "Yes, I speak a little English."),
    ("Tell me a joke. | Do you know a joke? | Make me laugh.", "Why was six afraid of seven? Because seven ate nine!"),
    ("Sing a song. | Can you sing? | Sing for me.", "La la la, the sun is in the sky!"),
    (
        "Tell me a story. | Do you know a story? | Please tell me a short story.",
        "A small cat saw the moon. It wanted to catch it. It jumped all night, then it slept.",
    ),
    ("How many days are there in a week? | How many days does a week have?", "There are seven days in a week."),
    ("How many months are there in a year? | How many months does a year have?", "There are twelve months in a year."),
    ("How many legs does a dog have? | How many legs has a cat?", "It has four legs."),
    ("How many fingers do you see on two hands? | How many fingers do people have?", "People have ten fingers."),
    ("Sorry! | I am sorry. | Excuse me. | My mistake.", "No problem at all."),
    ("Can you help me? | Please help me. | I need help. | Help!", "Of course. What do you need?"),
    ("Yes. | Yes | OK | Okay. | Sure.", "Good. What is next?"),
    ("No. | No | No, thank you. | Not now.", "All right."),
    ("What is the weather like? | Is it raining? | Will it rain today?", "I cannot see outside, but I hope for sun."),
    ("What time is it? | Do you know the time? | What day is today?", "I have no clock, so I do not know."),
    ("I love you. | You are great! | Well done! | You are very clever.", "Thank you, that is kind of you."),
    ("You are wrong. | That is not right. | This is wrong.", "I am sorry. I am small and make mistakes."),
]
CHINESE = [
    ("你好！ | 你好 | 您好 | 嗨 | 你好呀 | 大家好", "你好！有什么可以帮你？"),
    ("早上好！ | 早上好 | 早安", "早上好！希望你睡得好。"),
    ("晚安！ | 晚安 | 我要睡觉了。 | 该睡觉了。", "晚安！祝你好梦。"),
    ("晚上好！ | 晚上好", "晚上好！今天过得怎么样？"),
    ("你好吗？ | 你今天好吗？ | 最近怎么样？ | 你怎么样？ | 你还好吗？", "我很好，谢谢。"),
    (
        "你是谁？ | 你是什么？ | 介绍一下你自己。 | 请介绍一下自己。 | 请你自我介绍。",
        "我是 Starter，一个很小的语言模型。",
    ),
    ("你叫什么名字？ | 你的名字是什么？ | 你有名字吗？ | 怎么称呼你？", "我叫 Starter。"),
    ("谁制作了你？ | 谁创造了你？ | 你是谁做的？ | 你从哪里来？", "我是由这个工作室里的一个脚本做出来的。"),
    ("你会做什么？ | 你能做什么？ | 你有什么本领？ | 你擅长什么？", "我会做简单的算术，聊聊天，听简单的指令。"),
    ("你有多大？ | 你有多少参数？ | 你是大模型吗？", "我很小，大约一百万个参数。"),
    ("你几岁了？ | 你多大年纪？ | 你什么时候出生？", "我是模型，没有年龄。"),
    ("你是人吗？ | 你是真人吗？ | 你是机器人吗？ | 你是真的吗？", "不是，我是一个小小的语言模型。"),
    ("谢谢！ | 谢谢 | 谢谢你。 | 多谢！ | 非常感谢！", "不客气！"),
    ("再见！ | 再见 | 拜拜 | 明天见！ | 回头见。", "再见！下次聊。"),
    ("我很高兴。 | 我今天很开心！ | 今天真好。", "真为你高兴！"),
    ("我很难过。 | 我今天不开心。 | 我不高兴。", "别难过，希望你很快好起来。"),
    ("我累了。 | 今天好累。 | 我想休息。", "休息一下再继续吧。"),
    ("我饿了。 | 我想吃东西。 | 肚子饿了。", "来一碗米饭和一杯茶怎么样？"),
    ("我好冷。 | 今天真冷！ | 天气好冷。", "穿上外套，喝点热的。"),
    ("好无聊。 | 我很无聊。 | 我该做什么？", "让我算一道题，或者出去走走。"),
    ("你喜欢茶吗？ | 你喝茶吗？ | 要喝茶吗？", "我不能喝，不过茶听起来不错。"),
    ("你会说中文吗？ | 你会讲中文吗？ | 你懂中文吗？", "会，我会说一点中文。"),
    ("你会说英语吗？ | 你会英文吗？ | 你懂英语吗？", "会，我会说一点英语。"),
    ("讲个笑话。 | 给我讲个笑话。 | 你会讲笑话吗？", "小鱼问大鱼：你为什么不说话？大鱼说：我嘴里都是水！"),
    ("唱首歌。 | 你会唱歌吗？ | 给我唱首歌。", "啦啦啦，太阳在天空中！"),
    ("讲个故事。 | 给我讲个故事。 | 请讲一个短故事。", "小猫看见了月亮。它想抓住月亮。它跳了一夜，然后睡着了。"),
    ("一个星期有几天？ | 一周有几天？", "一个星期有七天。"),
    ("一年有几个月？ | 一年有多少个月？", "一年有十二个月。"),
    ("狗有几条腿？ | 猫有几条腿？", "它有四条腿。"),
    ("人有几个手指？ | 两只手有几个手指？", "人有十个手指。"),
    ("对不起！ | 对不起 | 不好意思。 | 抱歉。", "没关系。"),
    ("你能帮我吗？ | 请帮帮我。 | 我需要帮助。 | 帮帮我！", "当然。你需要什么？"),
    ("好的。 | 好 | 是的。 | 可以。 | 行。", "好。接下来做什么？"),
    ("不。 | 不是。 | 不用了，谢谢。 | 现在不要。", "好吧。"),
    ("天气怎么样？ | 下雨了吗？ | 今天会下雨吗？", "我看不见外面，希望是晴天。"),
    ("现在几点？ | 你知道时间吗？ | 今天星期几？", "我没有钟，所以不知道。"),
    ("我爱你。 | 你真棒！ | 做得好！ | 你真聪明。", "谢谢，你真好。"),
    ("你错了。 | 这不对。 | 不对。", "对不起，我很小，会犯错。"),
]
TABLES = {False: ENGLISH, True: CHINESE}


def everything(chinese: bool) -> list[Row]:
    """Every way of saying everything in one language, with its answer."""
    return [row(said.strip(), answer) for ways, answer in TABLES[chinese] for said in ways.split("|")]


def one(rng: random.Random, chinese: bool) -> Row:
    """One thing said, each topic as likely as another."""
    ways, answer = rng.choice(TABLES[chinese])
    return row(rng.choice(ways.split("|")).strip(), answer)
