"""English verbs in their forms: base, third person, past, participle. Knows regular endings and a list of what is common."""

import re
from typing import NamedTuple

IRREGULAR = (
    "be is was been|become becomes became become|begin begins began begun|break breaks broke broken|"
    "bring brings brought brought|build builds built built|buy buys bought bought|catch catches caught caught|"
    "choose chooses chose chosen|come comes came come|do does did done|draw draws drew drawn|drink drinks drank drunk|"
    "drive drives drove driven|eat eats ate eaten|fall falls fell fallen|feel feels felt felt|fight fights fought fought|"
    "find finds found found|fly flies flew flown|forget forgets forgot forgotten|get gets got got|give gives gave given|"
    "go goes went gone|grow grows grew grown|have has had had|hear hears heard heard|hide hides hid hidden|"
    "hold holds held held|keep keeps kept kept|know knows knew known|lead leads led led|leave leaves left left|"
    "lend lends lent lent|lie lies lay lain|lose loses lost lost|make makes made made|mean means meant meant|"
    "meet meets met met|pay pays paid paid|ride rides rode ridden|run runs ran run|say says said said|see sees saw seen|"
    "seek seeks sought sought|sell sells sold sold|send sends sent sent|shoot shoots shot shot|show shows showed shown|"
    "sing sings sang sung|sink sinks sank sunk|sit sits sat sat|sleep sleeps slept slept|speak speaks spoke spoken|"
    "spend spends spent spent|stand stands stood stood|steal steals stole stolen|swim swims swam swum|take takes took taken|"
    "teach teaches taught taught|tell tells told told|think thinks thought thought|throw throws threw thrown|"
    "understand understands understood understood|wear wears wore worn|win wins won won|write writes wrote written"
)
REGULAR = (
    "accept achieve acquire act add admit adopt affect agree allow announce appear apply approve argue arrive ask assist "
    "attack attempt attend attract avoid belong block carry cause celebrate challenge change claim close collect combine "
    "compete complete confirm connect consider consist contain continue contribute control convert cook cover create cross "
    "cure dance decide declare define deliver deny depend describe destroy determine develop die differ direct discover "
    "discuss display dominate earn employ enable encourage end enjoy ensure enter establish examine exist expand expect "
    "explain explore express extend face fail feature finish focus follow force form gain generate happen help host identify "
    "ignore improve include increase indicate influence inspire introduce invent investigate invite involve join jump kill "
    "kick lack last launch like live look love maintain manage marry mention move need occur offer open operate oppose order "
    "organise organize originate own perform plan play pour practice prefer prepare present prevent produce promise promote "
    "propose protect prove provide publish pull push raise range reach receive recommend record reduce refer reflect refuse "
    "regard reject relate release rely remain remove repeat replace report represent request require resemble resign resolve "
    "respond result retire return reveal ride sail save score seem separate serve settle share sign slice smile start state "
    "stay stop strengthen struggle study succeed suffer suggest supply support surround survive talk tend touch train travel "
    "treat trigger try turn urge use vary visit vote wait walk want warn wash watch weaken weigh welcome work"
).split()
NOUNS = frozenset(
    (
        "act acts attack attacks attempt attempts cause causes challenge challenges change changes claim claims control "
        "controls cook cooks cover covers cross cure cures dance dances display displays end ends face faces feature features "
        "finish focus force forces form forms gain gains help host hosts influence influences increase increases lack last "
        "launch live look looks love moves move need needs offer offers open order orders own plan plans play plays practice "
        "practices present presents produce promise promises promote pull push raise range ranges reach record records release "
        "releases repeat report reports request requests result results return returns ride rides sail sails score scores "
        "separate shares share sign signs slice slices smile smiles start starts state states stay stop stops struggle studies "
        "study supply supplies support supports talk talks tend touch train trains travel treat treats trigger triggers try "
        "turn turns urge use uses visit visits vote votes wait walk walks want wants wash watch watches work works drinks drink "
        "break breaks build buys catch draw draws drive drives fall falls feel fight fights find finds fly flies holds hold "
        "hides hide keep lead leads leave leaves lie lies means meet run runs shoot show shows sink sinks sleep stand stands "
        "steal swim think throw throws wear win wins saw thought felt ground found left lay like likes lasts welcome close "
        "closes complete block blocks kick kicks jump jumps kill"
    ).split()
)
"""Forms that are as often nouns or adjectives."""


class Verb(NamedTuple):
    """A verb in its four forms."""

    base: str
    third: str
    past: str
    participle: str


def _regular(base: str) -> Verb:
    third = (
        f"{base[:-1]}ies"
        if re.search(r"[^aeiou]y$", base)
        else f"{base}es"
        if re.search(r"(?:s|sh|ch|x|z)$", base)
        else f"{base}s"
    )
    if base.endswith("e"):
        past = f"{base}d"
    elif re.search(r"[^aeiou]y$", base):
        past = f"{base[:-1]}ied"
    elif base in ("admit", "stop", "plan", "refer", "prefer", "occur", "control", "submit", "permit"):
        past = f"{base}{base[-1]}ed"
    else:
        past = f"{base}ed"
    return Verb(base, third, past, past)


VERBS = [*(Verb(*forms.split()) for forms in IRREGULAR.split("|")), *map(_regular, REGULAR)]
THIRD = {verb.third: verb for verb in VERBS}
PAST = {verb.past: verb for verb in VERBS}
BASE = {verb.base: verb for verb in VERBS}
PARTICIPLES = frozenset(verb.participle for verb in VERBS)


def participle(word: str) -> bool:
    """Whether a word may be one, present or past."""
    return word in PARTICIPLES or (len(word) > 4 and word.endswith(("ed", "ing", "en")))
