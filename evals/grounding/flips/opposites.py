"""Words and their opposites, and verbs whose two sides are not alike. Knows English, in the forms that occur."""

BOTH_WAYS = (
    "increase decrease|increases decreases|increased decreased|increasing decreasing|rise fall|rises falls|rose fell|"
    "rising falling|raised lowered|raises lowers|won lost|wins loses|winning losing|win lose|bought sold|buys sells|buy sell|"
    "accepted rejected|accepts rejects|accept reject|allow forbid|allowed forbidden|allows forbids|include exclude|"
    "includes excludes|included excluded|including excluding|support oppose|supports opposes|supported opposed|"
    "supporting opposing|encourage discourage|encourages discourages|encouraged discouraged|loves hates|loved hated|"
    "begins ends|began ended|starts finishes|started finished|opened closed|opens closes|gained lost|strengthen weaken|"
    "strengthens weakens|strengthened weakened|improve worsen|improves worsens|improved worsened|succeed fail|succeeds fails|"
    "succeeded failed|admits denies|admitted denied|cause prevent|causes prevents|caused prevented|attracts repels|"
    "attacked defended|arrived left|arrives leaves|expand shrink|expands shrinks|expanded shrank|pushes pulls|"
    "pushing pulling|remember forget|borrow lend|borrowed lent|create destroy|creates destroys|created destroyed|"
    "praised criticised|convicted acquitted|approve reject|approved rejected|added removed|adds removes|adding removing|"
    "sitting standing|sits stands|walking running|exports imports|exported imported|higher lower|"
    "highest lowest|larger smaller|largest smallest|longer shorter|longest shortest|older younger|oldest youngest|"
    "faster slower|fastest slowest|stronger weaker|strongest weakest|better worse|best worst|taller shorter|tallest shortest|"
    "richer poorer|warmer colder|more less|large small|high low|strong weak|early late|hot cold|warm cool|fast slow|good bad|"
    "positive negative|common rare|public private|internal external|domestic foreign|male female|legal illegal|"
    "safe dangerous|easy difficult|simple complex|popular unpopular|possible impossible|happy sad|guilty innocent|"
    "northern southern|eastern western|north south|east west|upper lower|inside outside|above below|maximum minimum|"
    "often rarely|always never|quickly slowly|men women|man woman|boy girl|boys girls|husband wife|father mother|"
    "son daughter|brother sister|king queen|actor actress|winner loser|success failure|majority minority|victory defeat|"
    "strength weakness|advantage disadvantage|advantages disadvantages|benefits harms|beneficial harmful|mandatory optional|"
    "permanent temporary|ancient modern|natural artificial|liquid solid|north-east south-west|supporters opponents|"
    "supporter opponent|indoors outdoors|indoor outdoor|north-west south-east"
)
ONE_WAY = (
    "big small|bigger smaller|biggest smallest|most least|many few|usually rarely|sometimes never|all none of the|"
    "required optional|voluntary mandatory|young old|poor rich|important unimportant|liked disliked|similar different|"
    "successful unsuccessful|able unable|protects endangers|reduces increases|reduce increase|"
    "reduced increased|reducing increasing|kept lost|sold bought|provides lacks|contains lacks|contain lack|improves worsens|"
    "likes dislikes|prefers avoids|prefer avoid|effective ineffective|likely unlikely|usually seldom|confirmed denied|"
    "agreed refused|joined left|cures causes|heavy light|wide narrow|long short|near far from|under over|over under|"
    "against for|towards away from|healthy unhealthy"
)
"""Where the way back would be another word, or a rarer meaning."""
ACTIVE = (
    "accused acquired admired admires advised advises appointed approached arrested asked asks attacked attacks avenged "
    "bankrolled beat beats befriended betrayed blamed bought captured carried carries caused causes chased "
    "chases commissioned conquered contacted contained contains convinced covers criticised criticises criticized defeated "
    "defeats designed directed directs discovered employed endorsed expelled fired followed follows founded funded helped "
    "helps hired hires hit hits imitated included includes influenced influences informed inspired inspires interviewed "
    "invaded invented invited invites joins kicked kicks killed kissed kisses leads led likes loved loves managed "
    "manages mentions mentored mocked moves murdered needs nominated orders outsold overthrew overtook owned owns persuaded "
    "praised praises preceded precedes produced produces promises promoted proposed protected protects pulls pushed pushes "
    "raised remembers reminds replaced replaces rescued rules sees sends sent shot shows signed sponsored succeeded sued "
    "supplied supported supports surpassed surrounded surrounds taught teaches tells thanked thanks threatened told toppled "
    "touched trained trains tricked uses visited visits warned warns watches wrote"
).split()
PASSIVE = (
    "accused acquired admired appointed arrested attacked beaten bought built captured carried caused chased commissioned "
    "composed conquered covered created criticised criticized defeated designed developed directed discovered established "
    "followed founded funded hired influenced inspired invented killed led loved made managed operated owned painted "
    "performed played praised preceded produced published recorded released replaced rescued sponsored succeeded sung "
    "supported surrounded taught trained used visited written"
).split()
PHRASAL = (
    "leads_to led_to results_in resulted_in depends_on depended_on consists_of consisted_of belongs_to belonged_to relies_on relied_on "
    "contributes_to contributed_to derives_from stems_from stemmed_from part_of based_on named_after replaced_by followed_by "
    "made_from made_of made_up_of derived_from located_in larger_than smaller_than older_than younger_than faster_than higher_than lower_than "
    "more_popular_than better_than worse_than bigger_than longer_than"
)
ABLE_TO = "cause affect influence replace contain produce support prevent create increase reduce control lead_to result_in contribute_to"
"""Verbs whose two sides change places after `can` and the like."""


def _table() -> dict[str, tuple[str, ...]]:
    both, single = ([tuple(pair.split(" ", 1)) for pair in pairs.split("|")] for pairs in (BOTH_WAYS, ONE_WAY))
    table: dict[str, tuple[str, ...]] = {}
    for one, other in [*both, *((other, one) for one, other in both), *single]:
        table[one] = (*table.get(one, ()), other)
    return {word: tuple(dict.fromkeys(others)) for word, others in table.items()}


OPPOSITES = _table()
