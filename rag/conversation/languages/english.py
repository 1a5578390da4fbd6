"""English questions that rest on what was said before them."""

from rag.conversation.words import Words

WORDS = Words.of(
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
    pronoun=r"\b(?:he|she|him|they|them|itself|themselves|himself|herself)\b"
    r"|(?<!is )(?<!was )(?<!does )(?<!will )(?<!would )\bit\b(?! (?:rain|snow)| (?:is|was|'s) (?:possible|necessary|true|safe|legal))"
    r"|\b(?:is|was|will|would) it\b(?! (?:be )?(?:possible|necessary|true|safe|legal|allowed|ok|okay|better|worth|rain\w*|snow\w*|common|"
    r"normal|required|mandatory|important|hard|difficult|easy)\b(?!\W*$))|\bdoes it\b(?! (?:take|cost|make sense|matter|mean|help) )",
    possessive=r"his|hers?|theirs?|its",
    clause=r"and|or|but|when|if|because|while|after|before|since|although|though|who|that|which|where|so|until|unless",
    comparative=r"\b(?:better|worse|cheaper|faster|slower|bigger|larger|smaller|longer|shorter|higher|lower|older|newer|younger|safer|"
    r"stronger|easier|harder|earlier|later|sooner|lighter|heavier|more (?:\w+ly|\w{6,}(?:[vt]e|nt|al|ed|ing|ous|ble|ful))|"
    r"less (?:\w{6,}(?:[vt]e|nt|al|ed|ing|ous|ble|ful)))\b",
    complete=r"\b(?:than|or|between|among|when|if|how)\b",
    defines=r"\b(?:what|who)(?:'s| is| are| was| were| does| do)\b(?! the\b(?! \w+ (?:of|for|in|between|to)\b))"
    r"|\b(?:define|mean|stand for)\b|\btell me (?:more )?about\b|\babout\b",
    stopwords="apply cost costs much many price pay fee fees work works working use used using need needs needed happen happens happened "
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
)
