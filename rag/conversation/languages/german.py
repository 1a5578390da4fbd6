"""German questions that rest on what was said before them."""

from rag.conversation.words import Words

WORDS = Words.of(
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
    pronoun=r"\b(?:er|ihn|ihm|ihnen|ihr|sie)\b|(?<!gibt )(?<!geht )\bes\b(?! (?:gibt|möglich|nötig|erlaubt|stimmt))",
    possessive=r"ihre[rsnm]?|seine?[rsnm]?",
    clause=r"und|oder|aber|wenn|weil|während|nachdem|bevor|seit|obwohl|dass|ob|damit|bis|sondern",
    comparative=r"\b(?:besser|schlechter|günstiger|billiger|teurer|schneller|langsamer|größer|kleiner|länger|kürzer|höher|niedriger|älter|"
    r"neuer|jünger|sicherer|stärker|einfacher|früher|später|leichter|schwerer|wichtiger)\b",
    complete=r"\b(?:als|oder|zwischen|unter|wenn)\b",
    defines=r"^(?:was|wer) (?:ist|sind|war|waren|bedeutet|heißt)\b|\b(?:über|bedeutet)\b",
    stopwords="gilt gelten kostet kosten viel viele geht gehen machen macht mache tun brauchen brauche braucht bekommen bekomme funktioniert "
    "funktionieren passiert passierte lange oft hoch groß alt weit möglich kostenlos erklären erkläre sagen sag bitte danke mehr "
    "noch auch schon nur mal denn doch also aber dann man mich mir dich dir uns euch etwas alles nichts beispiel beispiele "
    "unterschied vorteile nachteile gründe schritte art arten jahr jahre tag tage zeit beantragen beantrage gibt geben heißt "
    "bedeutet meinen meinst unterschreibt beginnt endet will möchte muss müssen darf dürfen sollte sollen wollen werde würde "
    "hätte wäre beim am bis seit wenn ob dass gut erste zweite letzte preis information informationen genau kommt wohnt lebt",
)
