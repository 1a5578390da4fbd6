"""Small tables of English that the made pairs are rewritten and falsified by: words that mean the same, and words that do not."""

_SAME_VERBS = """
show demonstrate reveal|use employ utilize|help assist|start launch|end conclude finish|need require|allow enable|
increase raise|reduce lower|improve enhance|examine inspect|create produce|explain clarify|describe depict portray|
appear emerge|obtain acquire|contain include|remain stay|protect defend|attack assault|discover uncover|
suggest propose|indicate signal|compare contrast|collect gather|join enter|finish complete|call name|destroy demolish|
visit tour|live reside|move relocate|claim assert|announce declare|decide determine|request ask|
answer reply|connect link|mix blend|repair fix|select pick|watch view|wait linger|develop devise|treat handle|
assess evaluate|detect identify|confirm verify|infect contaminate|prevent avert|convey carry|cause trigger|
delete erase|store save|load fetch|search look|display present|check inspect|ensure guarantee|replace substitute
"""
_SAME_WORDS = """
big large|small little|huge enormous massive|fast quick rapid|quickly rapidly|begin commence|began commenced|begun commenced|
found discovered|made produced|built constructed|led headed|won gained|held conducted|gave provided|gives provides|give provide|
took adopted|became turned_into|many numerous|several a_number_of|about approximately around roughly|nearly almost|
important significant|main primary chief|famous renowned well-known|near close_to|because since|although though|but yet|
however nevertheless|also additionally|often frequently|usually typically generally|sometimes occasionally|mostly largely mainly|
children kids|child kid|people persons individuals|men males|women females|father dad|mother mom|doctor physician|doctors physicians|
city town|country nation|countries nations|area region|areas regions|company firm|companies firms|movie film|movies films|
author writer|authors writers|teacher instructor|student pupil|students pupils|house home|car vehicle|street road|ship vessel|
illness disease sickness|illnesses diseases|drug medicine|drugs medicines|
result outcome finding|results outcomes findings|method approach technique|methods approaches techniques|studies investigations|
goal aim objective|goals aims objectives|problem issue|problems issues|part portion|parts portions|
type kind sort|types kinds sorts|whole entire|total overall|different distinct|similar alike|new novel|old ancient|rich wealthy|
strong powerful|difficult hard|easy simple|clear evident|likely probable|possible feasible|correct right|wrong incorrect|
beautiful lovely|dangerous hazardous|necessary essential|sufficient adequate enough|beneficial helpful|harmful damaging|
rare uncommon|common widespread|severe serious|fatal deadly lethal|annual yearly|yearly annual|during throughout|
within inside|whether if|through via|under beneath|over above|among amongst|toward towards|while whereas|
located situated|considered regarded_as|known recognized|composed made_up|established founded|
death dying|deaths fatalities|birth childbirth|growth expansion|decline drop|rise growth|war conflict|battle fight|
king monarch|ruler sovereign|law statute|laws statutes|rights entitlements|job occupation|jobs occupations|work labor|
money funds|price cost|prices costs|speech address|leader head|leaders heads|member participant|members participants|
error mistake fault|errors mistakes faults|folder directory|folders directories|file document|question query|questions queries|
answer response|answers responses|default standard|setting option|settings options|list series|step stage|steps stages|
furthermore moreover|therefore thus hence|consequently as_a_result|initially at_first|finally eventually|currently at_present|
previously earlier|subsequently afterwards|approximately about|primarily mainly|entirely completely|solely only|only just
"""
_CONTRASTS = """
increase decrease|increases decreases|increased decreased|increasing decreasing|higher lower|highest lowest|high low|more less|most least|
more fewer|larger smaller|largest smallest|large small|big tiny|longer shorter|longest shortest|long short|older younger|old young|
oldest youngest|early late|earlier later|earliest latest|first last|before after|begin end|began ended|begins ends|start stop|started stopped|
positive negative|positively negatively|same different|similar different|better worse|best worst|good bad|strong weak|stronger weaker|
rich poor|fast slow|faster slower|hot cold|warm cold|wet dry|heavy light|hard soft|difficult easy|safe dangerous|common rare|
often rarely|usually rarely|always never|frequently seldom|all none|every no|everyone nobody|both neither|with without|inside outside|
internal external|upper lower|above below|over under|north south|northern southern|east west|eastern western|left right|
open closed|opened closed|public private|male female|men women|man woman|boys girls|boy girl|father mother|son daughter|brother sister|
husband wife|king queen|he she|his her|allow forbid|allowed forbidden|allows forbids|permit prohibit|include exclude|includes excludes|
accept reject|accepted rejected|agree disagree|agreed disagreed|support oppose|supported opposed|supports opposes|win lose|won lost|
victory defeat|success failure|successful unsuccessful|possible impossible|likely unlikely|able unable|legal illegal|required optional|
necessary unnecessary|sufficient insufficient|effective ineffective|significant insignificant|important unimportant|
known unknown|present absent|presence absence|gain loss|gained lost|rise fall|rose fell|risen fallen|buy sell|bought sold|
import export|enable disable|enabled disabled|add remove|added removed|create destroy|created destroyed|built demolished|
cause prevent|causes prevents|caused prevented|promote inhibit|promotes inhibits|promoted inhibited|activate suppress|activated suppressed|
improve worsen|improved worsened|improves worsens|enhance reduce|enhanced reduced|enhances reduces|protect endanger|
live die|alive dead|survived died|birth death|healthy sick|acute chronic|mild severe|minor major|partial complete|partly fully|
temporary permanent|simple complex|direct indirect|directly indirectly|active passive|natural artificial|ancient modern|
domestic foreign|local global|urban rural|rural urban|single multiple|maximum minimum|majority minority|beginning end|
day night|summer winter|spring autumn|morning evening|to from|into from|before during|until after|against for|
attack defend|attacked defended|joined left|arrived departed|entered left|love hate|loved hated|remember forget|
accurate inaccurate|correct incorrect|true false|visible invisible|dependent independent|viral bacterial|virus bacterium|
viruses bacteria|human animal|humans animals|adults children|teacher student|doctor patient|doctors patients|city village|
white black|red blue|green yellow|gold silver|half double|twice half|thousand million|million billion|millions thousands
"""
_STRONGER = """
some all|many all|most all|several all|often always|sometimes always|usually always|may must|might will|could will|can must|
may will|can will|possible certain|possibly certainly|likely certain|suggest prove|suggests proves|suggested proved|
nearly exactly|approximately exactly|about exactly|partly entirely|mainly only|mostly only|should must|
associated caused|helps ensures|rarely never|few no
"""
_TIMES = """
monday tuesday wednesday thursday friday saturday sunday|
january february march april june july august september october november december|
second minute hour day week month year decade century|seconds minutes hours days weeks months years decades centuries|
yesterday today tomorrow|daily weekly monthly yearly|first second third fourth fifth sixth|1st 2nd 3rd 4th 5th
"""
_OPPOSITES = """
common rare|large small|big small|high low|long short|strong weak|good bad|safe dangerous|easy difficult|possible impossible|likely unlikely|
effective ineffective|legal illegal|known unknown|present absent|open closed|same different|true false|similar different|dead alive|able unable|
sufficient insufficient|necessary unnecessary|clear unclear|significant insignificant|available unavailable|different identical|rare frequent|
expensive cheap|old new|empty full|fast slow|complete incomplete|simple complex|visible hidden|healthy sick|rich poor
"""
NUMERALS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
            "eighteen nineteen twenty").split()  # fmt: skip
CONTRACTIONS = {
    "is not": "isn't", "are not": "aren't", "was not": "wasn't", "were not": "weren't", "does not": "doesn't", "do not": "don't",
    "did not": "didn't", "cannot": "can't", "has not": "hasn't", "have not": "haven't", "could not": "couldn't",
    "would not": "wouldn't", "it is": "it's", "they are": "they're", "there is": "there's",
}  # fmt: skip
FUNCTION_WORDS = frozenset(
    "a about after all also an and any are as at be because been before being between both but by can could did do does during each for "
    "from had has have he her his how if in into is it its may might more most no not of on one only or other our out over she should so "
    "some such than that the their them then there these they this those through to under up was we were what when where which while who "
    "will with would you".split()
)


def _groups(table: str) -> list[list[str]]:
    return [[word.replace("_", " ") for word in group.split()] for group in table.split("|") if group.strip()]


def _inflected(verb: str) -> tuple[str, str, str, str]:
    """A regular verb's forms."""
    if verb.endswith("e"):
        return verb, verb + "s", verb + "d", verb[:-1] + "ing"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb, verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing"
    return verb, verb + ("es" if verb.endswith(("s", "sh", "ch", "x")) else "s"), verb + "ed", verb + "ing"


def _related(groups: list[list[str]]) -> dict[str, tuple[str, ...]]:
    """Each word of a group with the others."""
    related: dict[str, dict[str, None]] = {}
    for group in groups:
        for word in group:
            related.setdefault(word, {}).update(dict.fromkeys(other for other in group if other != word))
    return {word: tuple(others) for word, others in related.items()}


SAME = _related(
    [list(forms) for group in _groups(_SAME_VERBS) for forms in zip(*map(_inflected, group), strict=True)] + _groups(_SAME_WORDS)
)
"""Words that may stand for one another in most sentences."""
CONTRARY = _related(_groups(_CONTRASTS))
"""Words that make another statement of a sentence when one stands for the other."""
STRONGER = {weak: (strong,) for weak, strong in _groups(_STRONGER)}
"""Words that claim more in place of the first."""
OPPOSITE = {word: others[0] for word, others in _related(_groups(_OPPOSITES)).items()}
"""Adjectives, each with the one that it is when it is not the other."""
OTHER_TIME = _related(_groups(_TIMES))
