"""How answers talk: what they say to the reader, and not of the matter.

Knows the wordings of greetings, refusals and meta talk: English at length, German, French, Spanish, Russian, Chinese and Japanese the
commonest. All of them expect `spoken` text. Knows nothing of where a sentence begins or ends.
"""

import re

SOURCES = r"(?:passages?|context|documents?|texts?|sources?|information|excerpts?|articles?|materials?|guide|documentation|content|data)"
THE_SOURCES = rf"(?:the|these|your) (?:\w+ ){{0,2}}{SOURCES}"
NOT = r"(?:not|n't)"
INFORMATION = r"have (?:\w+ ){0,3}(?:information|answer|context|details|data|idea|knowledge|access)"
KNOW = rf"(?:\w+ ){{0,2}}(?:know|find|answer|determine|tell|say|provide|see|locate|confirm|help|{INFORMATION})"
TELL = (
    r"(?:\w+ ){0,2}(?:mention|contain|say|provide|answer|include|specify|state|give|address|describe|discuss|cover|explain|indicate|"
    rf"offer|tell|list|reveal|clarify|{INFORMATION})"
)
FOUND = r"(?:mentioned|stated|specified|provided|given|said|answered|covered|clear|included|available|found|possible to \w+)"
ENDS = r"(?=(?: (?:provided|given|above|here|at all|itself|themselves))?(?:$|[,;:(]| and | but | so | whether | if | how | what | wh))"
DOKUMENTE = r"(?:dokumente?n?|textstellen?|passagen?|texte?n?|quellen?|kontext|auszügen?|informationen)"
DOCUMENTS = r"(?:documents?|passages?|textes?|contexte|sources?|extraits?)"
DOCUMENTOS = r"(?:documentos?|pasajes?|textos?|contexto|fuentes?|fragmentos?)"
DECLINES = re.compile(
    "|".join(
        (
            rf"\bi (?:really )?(?:do ?{NOT}|can ?not|can't|could ?{NOT}|did ?{NOT}|was ?{NOT} able to) {KNOW}",
            rf"\bi(?:'m| am) (?:unable|not able) to {KNOW}",
            r"^i(?:'m| am) not (?:\w+ )?(?:sure|certain|aware)\b",
            rf"\b{SOURCES}(?: \w+){{0,3}} (?:do|does|did) ?{NOT} {TELL}",
            rf"\b{SOURCES} (?:\w+ )?(?:(?:say|tell|mention|contain|provide|offer|give)s? (?:nothing|no information)|makes? no mention)\b",
            rf"\b(?:none of|nothing in) {THE_SOURCES}",
            rf"\b(?:no|not enough|insufficient) (?:\w+ )?(?:information|mention|answer|evidence|details?) (?:\w+ ){{0,6}}(?:in|from|by) "
            rf"{THE_SOURCES}",
            rf"^(?!.*\b(?:where|when|if|unless)\b).*{NOT} (?:\w+ )?{FOUND} (?:in|from|by) {THE_SOURCES}{ENDS}",
            rf"\b(?:information|answer|this|that|it)\b.{{0,80}} (?:is|was) ?{NOT} in {THE_SOURCES}\b",
            rf"{NOT} (?:\w+ )?(?:mentioned|stated|specified)$",
            r"^there(?:'s| is) (?:no|not enough|insufficient) (?:\w+ )?(?:information|mention)"
            r"(?: (?:about|on|of|regarding|in|available|given|provided|that|as to)\b|$)",
            r"\b(?:question|this) can(?: ?not|'t) be (?:answered|determined)\b",
            r"^(?:das |es )?(?:ich )?weiss (?:ich |das |es )?(?:leider )?nicht$",
            r"\bich (?:leider )?(?:kann|konnte) (?:\w+ ){0,4}nicht (?:\w+ )?(?:beantworten|finden|sagen|beurteilen)\b",
            r"^leider (?:kann|konnte) ich (?:\w+ ){0,4}(?:nichts?|keine\w*) (?:\w+ )?(?:finden|sagen|beantworten)$",
            rf"\b{DOKUMENTE} (?:enthalten|enthält|geben|gibt|liefern|liefert) (?:\w+ ){{0,3}}keinen? (?:\w+ )?"
            r"(?:information|angabe|antwort|hinweis|auskunft)",
            rf"\bi(?:n|m) (?:\w+ ){{0,3}}{DOKUMENTE} (?:\w+ ){{0,5}}nicht (?:erwähnt|genannt|angegeben|beschrieben|enthalten)$",
            rf"\b(?:die|der|das) (?:\w+ )?{DOKUMENTE} (?:erwähn|nenn|beantwort)\w+ (?:\w+ ){{0,4}}nicht$",
            r"\bje ne sais pas$",
            r"\bje ne (?:peux|trouve|parviens) pas (?:à )?(?:\w+ )?(?:répondre|trouver|dire|la réponse)\b",
            r"\bje n'ai (?:pas|rien) (?:trouvé|pu trouver)\b",
            rf"\b(?:les|le|la) {DOCUMENTS}(?: \w+)? ne (?:mentionn|contien|précis|indiqu|fourni|répond|donn|dis|dit)\w* (?:pas|aucun)",
            r"^no (?:lo )?sé$",
            r"\bno (?:puedo|pude|he podido) (?:responder|encontrar|contestar|decir)\b|\bno (?:encontré|he encontrado)\b",
            rf"\b(?:los|el|la|las) {DOCUMENTOS}(?: \w+)? no (?:mencion|contien|proporcion|indic|especific|respond|dice)\w*",
            r"^(?:я )?не знаю$",
            r"\bя не (?:могу|смог|смогла) (?:\w+ )?(?:ответить|найти|сказать|определить)\b",
            r"\bв (?:\w+ )?(?:документах|тексте|отрывках|контексте|источниках|материалах) (?:\w+ ){0,3}"
            r"(?:нет|не (?:упомина|указан|сказан|содержит|говорит)\w*)",
            r"\b(?:документы|отрывки|тексты|источники|контекст|текст) не (?:содерж|упомина|указыва|отвеча|сообща)\w*",
            r"我(?:也|并)?不(?:知道|清楚|确定)$",
            r"(?:我|抱歉|对不起)[^。]{0,8}(?:无法|不能)(?:回答|确定|找到|提供|得知)",
            r"(?:文档|文本|文件|段落|资料|上下文|文章|材料|来源)(?:中|里|内)?并?(?:没有|未)(?:提到|提及|说明|包含|提供|给出|涉及|回答|指出|相关)",
            r"(?:わかりません|お答えできません|回答できません)$",
            r"(?:文書|資料|文章|テキスト|ドキュメント)に.{0,40}(?:記載|言及|書か)(?:されて|れて)?(?:いません|ありません)",
        )
    )
)
HEDGES = (
    r"(?:(?:most |very )?(?:likely|probably)|apparently|presumably|perhaps|possibly)(?: (?:so|not|yes|no))?|unlikely|"
    r"(?:it (?:appears|seems|looks like it|would (?:appear|seem))|i (?:think|believe|suppose|assume))(?: so| not)?|"
    r"i (?:do not|don't) (?:think|believe) so"
)
REPLIES = re.compile(
    rf"(?:(?:yes|no)[,.]? )?(?:{HEDGES})|"
    r"(?:yes|no|yeah|yep|nope|sure|certainly|absolutely|definitely|of course|ja|nein|natürlich|klar|sicher|selbstverständlich|oui|non|"
    r"bien sûr|certainement|claro(?: que sí)?|por supuesto|sí|да|нет|конечно|当然|当然可以|是的|不是|はい|いいえ|もちろん(?:です)?)"
)
"""Yes or no, however surely: to a question that can be answered so, it is the answer."""
NEGATIVE = re.compile(r"no(?:pe)?\b.*|unlikely|.*\b(?:not|no|don't)\b.*")
POLAR = re.compile(
    r"\s*(?P<verb>is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|must|may|might)(?P<rest>\s.*)",
    re.IGNORECASE | re.DOTALL,
)
"""A question for yes or no: its verb, and the rest."""
GREETS = re.compile(
    r"(?:hi|hello|hey|sure|certainly|absolutely|of course|ok|okay|yes|no|great|good|thanks|thank you|welcome|you're welcome|"
    r"you are welcome|(?:that's |what )?(?:a )?(?:great|good|excellent) question|no problem|sorry|(?:good)?bye)(?: (?:there|thing|all|everyone|"
    r"so much|for \w+(?: \w+)?))?"
    r"|(?:hallo|guten (?:tag|morgen|abend)|gerne?|danke|vielen dank|kein problem|bitte(?: schön| sehr)?)"
    r"|(?:bonjour|salut|d'accord|merci(?: beaucoup)?|avec plaisir)"
    r"|(?:hola|gracias|muchas gracias|de nada|buenos días)"
    r"|(?:привет|здравствуйте|добрый день|спасибо|пожалуйста|хорошо)"
    r"|(?:你好|您好|好的|谢谢|不客气|没问题)"
    r"|(?:こんにちは|ありがとうございます)"
)
TALKS = re.compile(
    r"(?:(?:okay|ok|sure|certainly|of course|well|great|alright|absolutely)[,:] )?(?:"
    + "|".join(
        (
            r"(?:i )?hope (?:this|that|it|these)\b",
            r"(?:please )?(?:let me know|feel free to)\b",
            r"please (?:consult|refer to|rephrase|clarify|specify|share|ask again|provide (?:more|me|a|the|additional))\b",
            r"please note that (?:my|i|this answer|this response|the above)\b",
            r"(?:could|can|would) you (?:please |tell |clarify |provide |share |specify )",
            r"here(?:'s| is| are) .*(?:answer|summary|steps|overview|list|quotes?|information|details|explanation)$",
            rf"(?:based on|according to) {THE_SOURCES}(?: (?:provided|above|given))?$",
            r"(?:in (?:summary|conclusion|short)|to (?:summarize|sum up)|sources?|references|note|answer|question|summary)$",
            r"as an ai\b",
            r"i(?:'m|'d be| would be| am) (?:happy|glad|pleased) to\b",
            r"i(?:'ll| will) (?:answer|explain|try|do my best|summarize|go through|walk you)\b",
            r"i can (?:help|try|assist)\b",
            r"let(?:'s| us| me) (?:take|look|break|explain|go|start|see|summarize|walk|dive|explore)\b",
            r"if you have (?:any )?(?:other|more|further|additional)? ?questions(?: about [^,]*)?(?:$|,| please| feel| let)",
            r"if you (?:can|could) (?:share|provide|give)\b",
            r"if (?:not|so), please\b",
            r"for (?:more|further) (?:information|details),? (?:please )?(?:refer to|consult|see|check) "
            r"(?:the|your) (?:\w+ )?(?:documentation|manual|website|passages?|sources?|guide)$",
            r"have a (?:great|nice|good|wonderful|lovely)\b",
            r"good luck\b",
            r"enjoy your\b",
            r"these are the (?:key|main|most important) (?:points|facts|details|takeaways)\b",
            r"the question is (?:ambiguous|unclear|too (?:vague|broad))\b",
            r"no answer$",
            r"(?:the|an?|it|this|these|they|in|if|and|so|for)$",
            r"i(?:'m| am)? (?:sorry|apologi[sz]e)\b(?!.* but )",
            r"unfortunately$",
            r"(?:ich )?hoffe,? (?:das|dies|es)\b.*(?:hilft|geholfen|beantwortet|weiter)",
            r"(?:lassen sie (?:es )?mich wissen|zögern sie nicht|wenn sie (?:noch |weitere )+fragen|als ki\b)",
            r"j'espère que (?:cela|ça|ceci)\b",
            r"(?:n'hésitez pas|si vous avez d'autres questions|en tant qu(?:'ia|e modèle))\b",
            r"espero que (?:esto|eso|te|le)\b",
            r"(?:no dud(?:e|es) en|si tienes? (?:más|otras) preguntas|como (?:modelo|ia))\b",
            r"надеюсь,? (?:это|что)\b",
            r"(?:если у вас (?:есть|возникнут|будут|остались)|как (?:ии|языковая модель))\b",
            r"希望(?:这|对您|对你|能|以上)",
            r"如果(?:您|你)?(?:还)?有(?:其他|任何|更多)?(?:问题|疑问)",
            r"作为(?:一个|一名)?(?:ai|人工智能|语言模型)",
        )
    )
    + ")"
)
ECHOES = re.compile(r"q(?:uestion)?: ")
"""The question, said again."""
TELLS = re.compile(r"(?:(?:and|but|hey|hi|oh|so|well|yeah|yes)\b,? ?)*did you know\b")
"""A question that states what it asks."""
ADDS = re.compile(
    r"(?:(?:[,;:.–—…]|\s--?)\s*(?:but|however|though|although|yet|nevertheless)\b,?|\s+but\b|[ \t]*\n)\s*", re.IGNORECASE
)
"""Where a refusal goes over into what is known nevertheless, or the other way round."""
GOES_ON = re.compile(
    r"(?:[,;:–—]\s*+|\s--?\s++|\b(?:that|because|since|to (?:say|confirm|report|announce)|to (?:inform|tell) you)\s++)"
    r"(?!(?:i|we|you|my|your|this|that|these|it|they|please|feel|let|any\w*|more|so|what|which|who|how|if|when|as)\b)",
    re.IGNORECASE,
)
"""Where talk may go over into something else than talk."""
FINITE = re.compile(
    r"\b(?<!that )(?<!which )(?<!who )(?:is|was|are|were|has|have|had|will|would|can|could|may|might|must|should|does|do|did|cannot|\w+n't|"
    r"ist|sind|haben|wird|werden|kann|können|muss|müssen|darf|dürfen|est|sont|ont|peut|peuvent|doit|doivent|está|están|tiene|tienen|"
    r"puede|pueden|debe|deben|нельзя|можно|является|не)\b|(?:不|没有|可以|必须|是)(?!什么)|(?:です|ます|ません)"
)
"""Verbs that tell a sentence from the name of something, the commonest."""
OPENS_QUESTION = re.compile(
    r"(?:what|who|whom|whose|which|when|where|why|how|if|whether|was|wer|wie|wo|warum|wann|comment|pourquoi|quand|où|qui|cómo|cuándo|"
    r"dónde|qué|как|что|когда|где|почему|кто|为什么|如何|怎么|什么)\b"
)
COUNTS = re.compile(r"(?:sure, |ok(?:ay)?, )?(?:there|here) (?:is|are) (?:\w+ )?\d{1,2} \w+")
"""A lead-in whose number is that of what follows."""
ANNOUNCES = re.compile(
    r"\b(?:following|as follows|like (?:this|so))\b|\b(?:several|some|many|various|different|these|those|two|three|four|five|six|seven|eight|"
    r"nine|ten|\d{1,2}) (?:[\w-]+ ){0,3}[\w-]+$|^(?:for|in|on|to|with|about|according) [^,]+$|^\w+$"
)
"""A lead-in that says of what follows how much it is, or what it is about, and no more."""
DENIES = re.compile(r"\b(?:not|never|no|cannot|nothing|none|neither|\w+n't)\b")
COMMONPLACES = frozenset(
    "summary overview introduction background details detail answer answers question conclusion note notes example examples step steps "
    "key main important point points fact facts takeaway takeaways feature features benefit benefits reason reasons way ways type types "
    "kind kinds option options list table result results information passage passages document documents source sources reference "
    "references following follows include includes including based according provided context found find say says mean means use well "
    "first second third next finally then also more other additional quick short brief sure ok here there explanation description input output "
    "name item value no number run try follow command code "
    "the a an and or of to is are in on for from with my your this these".split()
)
"""Words of labels that say nothing of the matter, in English."""
JOINS = re.compile(
    r"(?:[,;:.–—…]\s*|\s--?\s+|\s)\(?(?P<word>(?:and )?(?:so|therefore|hence|thus)|because|since|and|which|meaning|"
    r"(?:even )?(?:when|if|though|although|as)|whenever|where|unless|while|(?<=[,;–—-] )(?:suggesting|implying|indicating|i\.e)|"
    r"except that|(?:other than|apart from|besides|beyond) (?:(?:the fact )?that|saying|stating|mentioning))\b\.?,?\s*|"
    r"(?:[,;:–—…]|\.{3}|\s--?)\s+|\s\(",
    re.IGNORECASE,
)
"""Where a clause beside a refusal may begin or end."""
INFERS = frozenset(
    "so therefore hence thus because since and which meaning suggesting implying indicating i.e except other apart besides beyond".split()
)
"""Words, or the first of several, after which a refusal may be taken for a reason, or go on as a statement."""
INDIRECT = re.compile(r"\b(?:whether|if|how|what|when|why|where|who|which|that)\b", re.IGNORECASE)
"""Words after which a refusal says what it does not know."""
REFUSES = re.compile(rf"(?:i|we|this|that|it|there|none|nothing|no|{THE_SOURCES}|{SOURCES})\b")
"""How a clause begins that is a refusal by itself, and shares no subject with the one before."""
TOPIC = re.compile(
    r"(?:if|when|whether|how|what|why|where|who|which|while|although|though|after|having|for|regarding|concerning|about|as|with|on|in|of|"
    r"to|at|from|by|besides|beyond|apart|based|according|since|because)\b"
)
"""How the phrase begins that a refusal is about, or what only leads to one."""
ASIDE = re.compile(
    r"(?:unfortunately,? |sorry,? )?(?:i\b(?!.*\b(?:think|believe|know|assume|guess)\b)|my\b|please\b|(?:the|this|your) (?:\w+ )?question\b|"
    r"you (?:ask|mean|refer|mention)\w*|you (?:may|might|should|could|can|will) (?:\w+ ){0,3}"
    r"(?:consult|check|contact|ask|refer|visit|reach|look|rephrase|provide|share)\b|"
    r"(?:the )?(?:\w+ )?answer(?: is)?$|"
    r"(?:it|this|that|the (?:\w+ )?answer) (?:is|remains|seems)(?: not| \w+ly)? (?:un)?(?:known|clear|certain|sure)\b)"
)
"""What is said beside a refusal, and is talk too: of who speaks, of what was asked, of where else to ask."""
REASON = re.compile(
    r"(?:since|because|as(?! far| for| of| to)|given that|(?:apart from|besides|other than|except for) (?:the fact )?that)\b([^,]+),\s*(.+)",
    re.IGNORECASE | re.DOTALL,
)
"""A reason or an exception, and what follows from it."""
DESCRIBES = re.compile(rf"(?:(?:while|although|though|even though) )?{THE_SOURCES}\b(?!.* that )")
"""What a refusal says its sources are about."""
CONCEDES = re.compile(r"(?:while|although|though|even though)\b\s*([^,]+),\s*", re.IGNORECASE)
"""A refusal before what is known nevertheless."""


def spoken(text: str) -> str:
    """In lower case, with plain apostrophes, single spaces and no punctuation at either end."""
    return " ".join(text.casefold().replace("\u2019", "'").lstrip("¡¿(").rstrip(".!…\u3002\uff01 ),;").split())
