"""The small vocabulary the starter model lives in: things, opposites, days, and what is said about them."""

from __future__ import annotations

# English, Chinese, English plural, colour in English, colour in Chinese
THINGS = [
    ("apple", "苹果", "apples", "red", "红色"),
    ("banana", "香蕉", "bananas", "yellow", "黄色"),
    ("lemon", "柠檬", "lemons", "yellow", "黄色"),
    ("orange", "橙子", "oranges", "orange", "橙色"),
    ("grape", "葡萄", "grapes", "purple", "紫色"),
    ("tomato", "番茄", "tomatoes", "red", "红色"),
    ("carrot", "胡萝卜", "carrots", "orange", "橙色"),
    ("leaf", "叶子", "leaves", "green", "绿色"),
    ("tree", "树", "trees", "green", "绿色"),
    ("sky", "天空", "skies", "blue", "蓝色"),
    ("sea", "大海", "seas", "blue", "蓝色"),
    ("sun", "太阳", "suns", "yellow", "黄色"),
    ("moon", "月亮", "moons", "white", "白色"),
    ("cloud", "云", "clouds", "white", "白色"),
    ("snow", "雪", "snows", "white", "白色"),
    ("milk", "牛奶", "milks", "white", "白色"),
    ("rose", "玫瑰", "roses", "red", "红色"),
    ("crow", "乌鸦", "crows", "black", "黑色"),
    ("frog", "青蛙", "frogs", "green", "绿色"),
    ("panda", "熊猫", "pandas", "black and white", "黑白色"),
]
# English, Chinese, what it says in English, in Chinese
ANIMALS = [
    ("cat", "猫", "meow", "喵喵"),
    ("dog", "狗", "woof", "汪汪"),
    ("cow", "牛", "moo", "哞哞"),
    ("duck", "鸭子", "quack", "嘎嘎"),
    ("sheep", "羊", "baa", "咩咩"),
    ("bird", "鸟", "tweet", "叽叽"),
    ("bee", "蜜蜂", "buzz", "嗡嗡"),
    ("hen", "母鸡", "cluck", "咯咯"),
]
# English, its opposite, Chinese, its opposite
OPPOSITES = [
    ("big", "small", "大", "小"),
    ("hot", "cold", "热", "冷"),
    ("tall", "short", "高", "矮"),
    ("fast", "slow", "快", "慢"),
    ("old", "new", "旧", "新"),
    ("open", "closed", "开", "关"),
    ("day", "night", "白天", "黑夜"),
    ("up", "down", "上", "下"),
    ("left", "right", "左", "右"),
    ("happy", "sad", "高兴", "难过"),
    ("light", "dark", "明亮", "黑暗"),
    ("early", "late", "早", "晚"),
    ("near", "far", "近", "远"),
    ("full", "empty", "满", "空"),
    ("long", "short", "长", "短"),
    ("good", "bad", "好", "坏"),
    ("rich", "poor", "富", "穷"),
    ("strong", "weak", "强", "弱"),
]
# English, Chinese: said, repeated and translated, with no fact attached
OTHERS = [
    ("book", "书"),
    ("house", "房子"),
    ("door", "门"),
    ("water", "水"),
    ("tea", "茶"),
    ("rice", "米饭"),
    ("bread", "面包"),
    ("school", "学校"),
    ("teacher", "老师"),
    ("friend", "朋友"),
    ("river", "河"),
    ("mountain", "山"),
    ("flower", "花"),
    ("fish", "鱼"),
    ("horse", "马"),
    ("train", "火车"),
    ("bicycle", "自行车"),
    ("window", "窗户"),
    ("table", "桌子"),
    ("chair", "椅子"),
    ("letter", "信"),
    ("song", "歌"),
    ("rain", "雨"),
    ("wind", "风"),
    ("star", "星星"),
    ("paper", "纸"),
    ("pencil", "铅笔"),
    ("shoe", "鞋子"),
    ("egg", "鸡蛋"),
    ("city", "城市"),
    ("red", "红色"),
    ("yellow", "黄色"),
    ("green", "绿色"),
    ("blue", "蓝色"),
    ("white", "白色"),
    ("black", "黑色"),
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
DAYS_ZH = ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
MONTHS_ZH = ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"]

# The names of the numbers as plain words: said, repeated and translated, never beside their digits
NUMBERS = [
    ("zero", "零"),
    ("one", "一"),
    ("two", "二"),
    ("three", "三"),
    ("four", "四"),
    ("five", "五"),
    ("six", "六"),
    ("seven", "七"),
    ("eight", "八"),
    ("nine", "九"),
    ("ten", "十"),
    ("eleven", "十一"),
    ("twelve", "十二"),
    ("thirteen", "十三"),
    ("fourteen", "十四"),
    ("fifteen", "十五"),
    ("sixteen", "十六"),
    ("seventeen", "十七"),
    ("eighteen", "十八"),
    ("nineteen", "十九"),
    ("twenty", "二十"),
    ("thirty", "三十"),
    ("forty", "四十"),
    ("fifty", "五十"),
    ("sixty", "六十"),
    ("seventy", "七十"),
    ("eighty", "八十"),
    ("ninety", "九十"),
    ("hundred", "百"),
]

NOUNS = [thing[:2] for thing in THINGS] + [animal[:2] for animal in ANIMALS] + OTHERS[:30]
COUNTABLE = [thing[0:3] for thing in THINGS if thing[0] not in ("sky", "sea", "sun", "snow", "milk")]
PAIRS = (
    [thing[:2] for thing in THINGS]
    + [animal[:2] for animal in ANIMALS]
    + OTHERS
    + NUMBERS
    + [(english, chinese) for english, _, chinese, _ in OPPOSITES]
)
