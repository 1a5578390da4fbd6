"""Chinese questions that rest on what was said before them.

Written without spaces, so what a question names is counted in characters.
"""

import re

PRONOUN = re.compile(r"(?<!其)[它他她这那]")
POINTS = re.compile(
    r"^(?:那|还有|另外|然后|但是|可是|所以|而且|也|再|不是|是的)|其(?=[中实]?[^实次]{0,4}[?？]?$)|上述|上面|前者|后者|该(?=[^怎如做去])"
    r"|第[一二三四五两]个|最后一个|哪[个种](?:更|比较)|(?:更|比较)[^比]{1,3}[?？]?$|呢[?？]?$|^为(?:什么|何)[?？]?$|^怎么(?:办|样|做)?[?？]?$|我(?:是说|的意思)"
    r"|你(?:刚才|说的|提到)|(?:举个|举)?例子|更多|详细|同样|一样|别的"
)
COMPLETE = re.compile(r"比.+更|和.+(?:哪个|相比|一样)")
COURTESY = re.compile(r"^(?:(?:谢谢|好的|明白了?|知道了|你好|您好|请问|对了|顺便问一下)[你您]?[,，。!！\s]*)+")
STOPWORDS = re.compile(
    r"什么|哪些|哪个|哪种|哪里|如何|怎么|怎样|为什么|为何|多少|何时|多久|是谁|谁|的|了|吗|是|有|在|我|你|您|请|可以|能|需要|要|会|钱|费用|价格|用|做|办|时候|"
    r"[\W\d]"
)
