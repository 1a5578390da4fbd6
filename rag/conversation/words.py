"""How six languages point back at what was said, go on, compare with nothing, or leave out what they ask about.

Knows words and patterns; how a question is told by them is for `rag.conversation.followup`.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from rag.text.analyzer import FUNCTION_WORDS


class Words(NamedTuple):
    """How a language says it; the patterns read a question in lower case, with plain apostrophes."""

    courtesy: re.Pattern[str]
    """What is said before a question, and is none of it."""
    points: re.Pattern[str]
    """At what was said before, whatever else the question says."""
    adds: re.Pattern[str]
    """Words such as `other`, which point at what was said where the question names little else."""
    stands: re.Pattern[str]
    """For what was said before, unless an earlier clause of the question names it."""
    owner: re.Pattern[str]
    """The same of a possessive, which its own clause may name."""
    joint: re.Pattern[str]
    """Where another clause begins."""
    compares: re.Pattern[str]
    complete: re.Pattern[str]
    """What a comparison has to name, to be understood by itself."""
    defines: re.Pattern[str]
    """What asks about one thing, and has only to name that."""
    light: frozenset[str]
    """Words that say nothing of what is asked about."""


def _words(
    language: str,
    *,
    courtesy: str,
    points: str,
    adds: str,
    stands: str,
    owner: str,
    joint: str,
    compares: str,
    complete: str,
    defines: str,
    light: str,
) -> Words:
    return Words(
        re.compile(rf"(?:(?:{courtesy})\b[\s,.!;:…-]*)+"),
        re.compile(points),
        re.compile(adds),
        re.compile(stands),
        re.compile(rf"\b(?:{owner})\b"),
        re.compile(rf"[,.;:?!]|\b(?:{joint})\b"),
        re.compile(compares),
        re.compile(complete),
        re.compile(defines),
        frozenset(f"{FUNCTION_WORDS[language]} {light}".split()),
    )


LATIN: Mapping[str, Words] = {
    "en": _words(
        "en",
        courtesy=r"thanks?(?: you)?(?: so much| very much| a lot)?|ok(?:ay)?|i see|i understand|great|good(?: to know)?|nice|cool|wow|"
        r"got it|sorry|hi|hello|hey|please|well|sure|anyway|by the way|btw|interesting|"
        r"(?:that|it)(?:'s| is| was) (?:fine|ok|okay|good|great|all right|alright|helpful|interesting|amazing)|no problem|"
        r"(?:can|could|would) you (?:please )?(?:tell me|explain)|do you know|i (?:want|would like|need) to know|tell me",
        points=r"^(?:and|but|or|then|also|plus|too|yes|no|not|instead|because)\b|^so\b(?! far)"
        r"|\b(?:what|how) about\b|^what if\b|^why(?: not| is that| so)?\W*$|\b(?:what|who|where|anything|anyone|something|any|how) else\b"
        r"|\bi (?:mean|meant)\b|\bi(?:'m| am| was) (?:talking|referring|asking)\b|\byou (?:said|say|mean|mentioned|told|just|gave|listed)\b"
        r"|\b(?:this|these|those)\b(?! (?:year|week|month|morning|evening|afternoon|summer|winter|time|days)\b)"
        r"|(?:^|\b(?:is|was|were|are|does|did|do|will|would|can|could|should|has|had|isn't|doesn't|about|of|for|with|after|before|in|on|to|"
        r"at|from|like|than|by|without|all|do|if|why|how|when|besides) )that\b(?! (?:i|you|we|he|she|they|it|there)\b)|\bthat\W*$|\bthat one\b"
        r"|\bthe (?:former|latter|above|previous|others|rest|(?:first|second|third|fourth|last|next) ones?)\b"
        r"|\b(?:first|second|third|fourth|last) one\b|\bthe (?:first|second|third|fourth|latter|other|others)\W*$"
        r"|\bthe (?:first|second|third|fourth|last) (?:do|does|did|is|was|has|can|will|cost|costs|mean|include|pay|say)\b"
        r"|\b(?:does|do|is|did|was|has) the (?:first|second|third|fourth|last|other)\b (?!\w+ \w+ \w+)"
        r"|\bwhich (?:ones?|of (?:them|these|those))\b|\b(?:of|between|from|for|with|about|all) them\b|\b(?:both|either|neither)\b(?=\W*$| of\b)"
        r"|(?<!than )(?<!more than )\bones?\W*$|\b(?:as well|too|again|instead|otherwise|in that case|the difference)\W*$"
        r"|\bothers\b|\b(?:an|some|more) (?:examples?|details?|information)\W*$|\bmore\W*$"
        r"|\b(?:over|in|from|to|out|up|get|go|live|work|vote|been) there\b|^\W*(?:alternatives|examples)\b|^any (?:\w+)\W*$",
        adds=r"\b(?:an)?other\b|\b(?:further|additional|similar|same)\b",
        stands=r"\b(?:he|she|him|they|them|itself|themselves|himself|herself)\b"
        r"|(?<!is )(?<!was )(?<!does )(?<!will )(?<!would )\bit\b(?! (?:rain|snow)| (?:is|was|'s) (?:possible|necessary|true|safe|legal))"
        r"|\b(?:is|was|will|would) it\b(?! (?:be )?(?:possible|necessary|true|safe|legal|allowed|ok|okay|better|worth|rain\w*|snow\w*|common|"
        r"normal|required|mandatory|important|hard|difficult|easy)\b(?!\W*$))|\bdoes it\b(?! (?:take|cost|make sense|matter|mean|help) )",
        owner=r"his|hers?|theirs?|its",
        joint=r"and|or|but|when|if|because|while|after|before|since|although|though|who|that|which|where|so|until|unless",
        compares=r"\b(?:better|worse|cheaper|faster|slower|bigger|larger|smaller|longer|shorter|higher|lower|older|newer|younger|safer|"
        r"stronger|easier|harder|earlier|later|sooner|lighter|heavier|more (?:\w+ly|\w{6,}(?:[vt]e|nt|al|ed|ing|ous|ble|ful))|"
        r"less (?:\w{6,}(?:[vt]e|nt|al|ed|ing|ous|ble|ful)))\b",
        complete=r"\b(?:than|or|between|among|when|if|how)\b",
        defines=r"\b(?:what|who)(?:'s| is| are| was| were| does| do)\b(?! the\b(?! \w+ (?:of|for|in|between|to)\b))"
        r"|\b(?:define|mean|stand for)\b|\btell me (?:more )?about\b|\babout\b",
        light="apply cost costs much many price pay fee fees work works working use used using need needs needed happen happens happened "
        "start starts end ends get gets getting go make makes create find know tell explain mean means give details detail information "
        "info example examples difference options option steps step types type kind kinds way ways reason reasons benefits requirements "
        "requirement deadline available free possible best good long often old big tall far last take takes taken happen want like see "
        "say said think believe help helps please sure also just still really only any some all more most very too then than them him "
        "her us here now ever never own each every other another same new first second third one two someone something anything "
        "everything thing things people person different lot able right correct year years day days time times called name names "
        "provide provides offer offers include includes support supports contain it's what's how's that's i'm don't doesn't didn't "
        "isn't aren't can't won't because into out up down over under after before during between while both but let etc yes ok "
        "okay thanks thank sorry much hear heard ask asking question look looking long-term building place city country company "
        "service services program programs book movie film show game team song author writer",
    ),
    "de": _words(
        "de",
        courtesy=r"danke(?: schön| sehr)?|vielen dank|ok(?:ay)?|gut|super|toll|verstehe|ach so|aha|hallo|hi|bitte|übrigens|"
        r"(?:kannst du|können sie) mir (?:bitte )?(?:sagen|erklären)",
        points=r"^(?:und|aber|oder|dann|also|auch|ja|nein|nicht)\b|\bwas ist mit\b|\bwie (?:sieht|steht) es\b.{0,40}\b(?:mit|um|bei)\b|^was,? wenn\b"
        r"|^(?:warum|wieso|weshalb|wozu)(?: nicht| das| denn)?\W*$|\b(?:was|wer|wo) (?:noch|sonst)\b|\bich meinte?\b|\bdu (?:sagtest|meinst)\b"
        r"|\bdiese[rsnm]?\b(?! (?:jahr|woche|monat|sommer|winter))|\bjene[rsnm]?\b"
        r"|\bda(?:von|mit|für|zu|ran|rauf|bei|rüber|rin|raus|durch|gegen|nach|vor|hinter)\b(?!,? (?:dass|ob|zu)\b)|\b(?:dort|dorthin)\b"
        r"|\b(?:das|die|der)(?=\W*$| (?:auch|denn|so|nicht|noch|alles|online|etwas|genau|überhaupt|jetzt|dann|mehr|extra|heute|immer|genauer)\b)"
        r"|\b(?:der|die|das|den|dem) (?:(?:erste|zweite|dritte|vierte|letzte|andere)[rsn]?|letztere[rsn]?|erstere[rsn]?|andere[rn]?)"
        r"(?=\W*$| (?:kostet|ist|hat|kann|wird|bedeutet|auch)\b)|\bwelche[rs]? (?:davon|von (?:ihnen|beiden|diesen))\b|\b(?:beide[ns]?|beiden)\W*$"
        r"|\b(?:ebenfalls|genauso|stattdessen|sonst|mehr|nochmal)\W*$|\b(?:ein beispiel|beispiele|mehr dazu)\b",
        adds=r"\b(?:andere|weitere|ähnliche)[rsnm]?\b|\b(?:der|die|das)selben?\b",
        stands=r"\b(?:er|ihn|ihm|ihnen|ihr|sie)\b|(?<!gibt )(?<!geht )\bes\b(?! (?:gibt|möglich|nötig|erlaubt|stimmt))",
        owner=r"ihre[rsnm]?|seine?[rsnm]?",
        joint=r"und|oder|aber|wenn|weil|während|nachdem|bevor|seit|obwohl|dass|ob|damit|bis|sondern",
        compares=r"\b(?:besser|schlechter|günstiger|billiger|teurer|schneller|langsamer|größer|kleiner|länger|kürzer|höher|niedriger|älter|"
        r"neuer|jünger|sicherer|stärker|einfacher|früher|später|leichter|schwerer|wichtiger)\b",
        complete=r"\b(?:als|oder|zwischen|unter|wenn)\b",
        defines=r"^(?:was|wer) (?:ist|sind|war|waren|bedeutet|heißt)\b|\b(?:über|bedeutet)\b",
        light="gilt gelten kostet kosten viel viele geht gehen machen macht mache tun brauchen brauche braucht bekommen bekomme funktioniert "
        "funktionieren passiert passierte lange oft hoch groß alt weit möglich kostenlos erklären erkläre sagen sag bitte danke mehr "
        "noch auch schon nur mal denn doch also aber dann man mich mir dich dir uns euch etwas alles nichts beispiel beispiele "
        "unterschied vorteile nachteile gründe schritte art arten jahr jahre tag tage zeit beantragen beantrage gibt geben heißt "
        "bedeutet meinen meinst unterschreibt beginnt endet will möchte muss müssen darf dürfen sollte sollen wollen werde würde "
        "hätte wäre beim am bis seit wenn ob dass gut erste zweite letzte preis information informationen genau kommt wohnt lebt",
    ),
    "fr": _words(
        "fr",
        courtesy=r"merci(?: beaucoup)?|d'accord|ok(?:ay)?|bien|super|parfait|je vois|je comprends|bonjour|salut|désolée?|s'il (?:te|vous) plaît|"
        r"au fait|(?:peux-tu|pouvez-vous) (?:me dire|m'expliquer)",
        points=r"^(?:et|mais|ou|alors|donc|aussi|oui|non)\b|\bqu'en est-il\b|^pourquoi(?: pas| ça| cela)?\W*$|^et si\b|\b(?:quoi|qui|où) d'autre\b"
        r"|\bje (?:veux|voulais) dire\b|\bje parl(?:e|ais) de\b|\bvous avez dit\b"
        r"|\b(?:cela|ça|celui|celle|ceux|celles|celui-ci|celle-ci)\b(?! qui\b| que\b)"
        r"|\b(?:cette|cet|ces)\b(?! (?:année|semaine|été|hiver))|(?<!est-)(?<!qu'est-)\bce\b(?! (?:qu|mois|n'est|sont)|tte|t )"
        r"|\b(?:lequel|laquelle|lesquels|lesquelles)\b(?=\W*$| (?:est|sont|a|ont|de ces|d'entre|coûte|inclut|des deux))"
        r"|\b(?:le|la|les|du|des|au) (?:premi(?:er|ère)|second|seconde|deuxième|troisième|derni(?:er|ère)|autres?|même)s?\W*$"
        r"|\b(?:d'autres|autres?|là-bas|là-dessus|aussi|non plus|également|plutôt)\W*$|\bd'entre eux\b"
        r"|\b(?:plus de détails|un exemple|des exemples)\W*$|\b(?:qu'en|j'en|en (?:a|ai|faut|sait)|y a-t-on)\b",
        adds=r"\b(?:autres?|mêmes?|supplémentaires?)\b",
        stands=r"(?<!y a-t-)(?<!existe-t-)(?<!faut-)(?<!est-)(?<!combien )\bil\b(?! (?:y a|faut|existe|est possible|pleut))"
        r"|\best-il\b(?! (?:possible|nécessaire|obligatoire|vrai|permis|interdit))|\b(?:elles?|ils|lui|eux)\b",
        owner=r"leurs?|son|sa|ses",
        joint=r"et|ou|mais|quand|lorsque|si|parce|pendant|avant|après|depuis|qui|que|où|car|donc",
        compares=r"\b(?:meilleure?s?|pires?|mieux)\b|\b(?:plus|moins) (?!de\b|d'|que\b|tard|tôt|long)\w+",
        complete=r"\b(?:que|ou|entre|parmi|si|du monde)\b|\bqu'|\b(?:le|la|les) (?:plus|moins) \w+ (?:de|du|des|en|d')",
        defines=r"^(?:qu'est-ce qu|c'est quoi|qui (?:est|sont|était)|que signifie)|\bsur\b",
        light="coûte coûtent prix combien faire fait fais marche fonctionne fonctionner passe passé besoin faut peut peux puis-je obtenir "
        "utiliser trouver savoir dire expliquer expliquez donner détails exemple exemples différence options étapes types type sorte "
        "façon raison raisons avantages gratuit possible disponible long longtemps souvent vieux grand haut an ans année jour jours "
        "temps merci plus moins aussi encore très bien bon tout tous toute même autre autres premier second dernier je tu nous vous me "
        "te moi y est-ce c'est qu'est existe a-t a-t-il est-il nom né née commence finit mais si s'il cela ça veut vouloir faut-il ai avez",
    ),
    "es": _words(
        "es",
        courtesy=r"(?:muchas )?gracias|vale|ok(?:ay)?|bien|genial|perfecto|entiendo|ya veo|hola|perdón?|por favor|por cierto|"
        r"(?:puedes|puede|podrías) (?:decirme|explicarme)",
        points=r"^(?:y|pero|o|entonces|también|además|sí|no)\b|^qué tal\b|^qué (?:pasa|hay|sucede) con\b|^por qué(?: no| eso)?\W*$|^y si\b"
        r"|\b(?:qué|quién|algo) más\b|\bquiero decir\b|\bquise decir\b|\bme refiero\b|\bdijiste\b|\bha dicho\b"
        r"|\b(?:eso|esto|esas?|esos|aquel|aquella|aquello|aquellos|ello)\b|\best(?:e|a|os|as)\b(?! (?:año|semana|mes|verano|invierno))"
        r"|\b(?:el|la|los|las|del|al) (?:primer[oa]|segund[oa]|tercer[oa]|últim[oa]|otr[oa]|mism[oa])s?(?=\W*$| (?:es|cuesta|tiene|incluye)\b)"
        r"|\b(?:cuál|cuáles) de (?:ell[oa]s|los dos|las dos)\b|\b(?:ambos|ambas|tampoco|también|otra vez|en su lugar|más)\W*$"
        r"|\b(?:ahí|allí|allá)\b|\b(?:más (?:detalles|información)|un ejemplo|ejemplos)\W*$|\b(?:lo)\b(?! que\b| más\b| mejor\b)",
        adds=r"\b(?:otr[oa]s?|mism[oa]s?|adicional(?:es)?)\b",
        stands=r"\b(?:él|ellas?|ellos|les?)\b",
        owner=r"sus?|suy[oa]s?",
        joint=r"y|o|pero|cuando|si|porque|mientras|antes|después|desde|aunque|que|donde",
        compares=r"\b(?:mejor|mejores|peor|peores|mayor|menor)\b|\b(?:más|menos) (?!de\b|que\b|tarde)\w+",
        complete=r"\b(?:que|o|entre|si|de(?:l)?|para)\b",
        defines=r"^(?:qué|quién|quiénes) (?:es|son|fue|fueron|significa)\b|\bsobre\b",
        light="cuesta cuestan precio hacer hace hago funciona funcionar pasa pasó necesito necesita hay puedo puede pueden obtener usar "
        "encontrar saber decir explicar explica dar detalles ejemplo ejemplos diferencia opciones pasos tipos tipo manera razón razones "
        "ventajas gratis posible disponible largo tiempo veces viejo grande alto años año día días más menos también muy bien bueno "
        "todo todos otra otro mismo primero segundo último yo tú me te nos mi tu sí si ya pero vale gracias favor quiero quiere tengo "
        "tiene tienen cubre eso esto ese esa este esta nació murió empieza termina nombre hay sin",
    ),
}
RUSSIAN = _words(
    "ru",
    courtesy=r"спасибо(?: большое)?|хорошо|ладно|ок(?:ей)?|понятно|ясно|привет|здравствуйте|пожалуйста|извините|кстати|"
    r"(?:можешь|можете) (?:сказать|объяснить)",
    points=r"^(?:а|и|но|или|тогда|также|да|нет|ещё|еще)\b|\bнасч[её]т\b|^что,? если\b"
    r"|^(?:почему|зачем)(?: нет| так| это)?\W*$|\b(?:что|кто|где) (?:ещё|еще)\b"
    r"|\bя имел[аи]? в виду\b|\bя про\b|\bвы (?:сказали|имеете)\b|\bиз (?:них|этих)\b"
    r"|\b(?:это|этот|эта|эти|этого|этой|этих|этим|этому|этом|эту)\b(?! (?:год|недел|месяц))|\b(?:тот|того|той|тех|тем|тому|те)\b(?! котор|,)"
    r"|\b(?:там|туда|оттуда|тогда|такой|такая|такое|такие|таких)\b"
    r"|\b(?:перв|втор|треть|последн|друг)(?:ой|ый|ая|ое|ие|ые|его|ого|ей|ому|ую|яя|ий|их|им)\b(?=\W*$| (?:стоит|есть|имеет|включает)\b)"
    r"|\b(?:тоже|также|снова|вместо этого|больше|подробнее)\W*$|\b(?:пример|примеры)\W*$",
    adds=r"\b(?:друг(?:ой|ая|ое|ие|их)|остальные|дополнительные)\b",
    stands=r"\b(?:он|она|оно|они|него|неё|нее|ней|нему|ним|них|ними|нём|нем|ему|ей|им|ими)\b",
    owner=r"его|её|ее|их",
    joint=r"и|или|но|а|когда|если|потому|пока|после|до|хотя|который|которая|которые|что|чтобы|где",
    compares=r"\b(?:лучше|хуже|дешевле|дороже|быстрее|медленнее|больше|меньше|длиннее|короче|выше|ниже|старше|новее|моложе|безопаснее|"
    r"сильнее|проще|легче|сложнее|раньше|позже|важнее)\b",
    complete=r"\b(?:чем|или|между|среди|если)\b",
    defines=r"^(?:что такое|кто такой|кто такая|что значит|что означает)\b|\b(?:о|об|про)\b",
    light="стоит стоят сколько много можно нужно надо работает работать делать сделать происходит произошло получить использовать найти "
    "знать сказать объяснить дай дать подробности пример примеры разница варианты шаги тип типы вид способ причина причины "
    "бесплатно доступно долго часто большой высокий старый год года лет день дней время ещё еще тоже также очень хорошо всё все "
    "другой первый второй последний мне меня мой моя нам вас вам родился родилась умер начинается заканчивается имя есть бы "
    "если то же ли да нет спасибо пожалуйста а но этого это этот",
)
CHINESE_PRONOUN = re.compile(r"(?<!其)[它他她这那]")
CHINESE_POINTS = re.compile(
    r"^(?:那|还有|另外|然后|但是|可是|所以|而且|也|再|不是|是的)|其(?=[中实]?[^实次]{0,4}[?？]?$)|上述|上面|前者|后者|该(?=[^怎如做去])"
    r"|第[一二三四五两]个|最后一个|哪[个种](?:更|比较)|(?:更|比较)[^比]{1,3}[?？]?$|呢[?？]?$|^为(?:什么|何)[?？]?$|^怎么(?:办|样|做)?[?？]?$|我(?:是说|的意思)"
    r"|你(?:刚才|说的|提到)|(?:举个|举)?例子|更多|详细|同样|一样|别的"
)
CHINESE_COMPLETE = re.compile(r"比.+更|和.+(?:哪个|相比|一样)")
CHINESE_COURTESY = re.compile(r"^(?:(?:谢谢|好的|明白了?|知道了|你好|您好|请问|对了|顺便问一下)[你您]?[,，。!！\s]*)+")
CHINESE_LIGHT = re.compile(
    r"什么|哪些|哪个|哪种|哪里|如何|怎么|怎样|为什么|为何|多少|何时|多久|是谁|谁|的|了|吗|是|有|在|我|你|您|请|可以|能|需要|要|会|钱|费用|价格|用|做|办|时候|"
    r"[\W\d]"
)
