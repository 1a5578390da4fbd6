"""Names that stand in for others of their kind, and the words that tell a kind. Knows English spellings."""

COUNTRIES = (
    "Argentina Australia Austria Belgium Brazil Bulgaria Canada Chile China Colombia Croatia Cuba Denmark Egypt England "
    "Estonia Ethiopia Finland France Germany Ghana Greece Hungary Iceland India Indonesia Iran Iraq Ireland Israel Italy "
    "Japan Kenya Latvia Lebanon Lithuania Malaysia Mexico Morocco Nepal Netherlands Nigeria Norway Pakistan Peru Poland "
    "Portugal Romania Russia Scotland Serbia Spain Sudan Sweden Switzerland Syria Taiwan Thailand Turkey Uganda Ukraine "
    "Vietnam Wales"
).split()
CITIES = (
    "Amsterdam Athens Atlanta Baghdad Bangkok Barcelona Beijing Belfast Berlin Birmingham Boston Bristol Brussels Budapest "
    "Cairo Cardiff Chicago Copenhagen Dallas Delhi Denver Detroit Dublin Edinburgh Frankfurt Geneva Glasgow Hamburg Helsinki "
    "Houston Istanbul Jakarta Jerusalem Kiev Leeds Lisbon Liverpool London Madrid Manchester Melbourne Miami Milan Montreal "
    "Moscow Mumbai Munich Nairobi Naples Oslo Ottawa Paris Philadelphia Prague Rome Seattle Seoul Shanghai Singapore "
    "Stockholm Sydney Tokyo Toronto Vancouver Vienna Warsaw Zurich"
).split()
REGIONS = (
    "Alabama Alaska Alberta Arizona Arkansas California Colorado Connecticut Delaware Florida Georgia Hawaii Idaho Illinois "
    "Indiana Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri Montana "
    "Nebraska Nevada Ohio Oklahoma Ontario Oregon Pennsylvania Quebec Tennessee Texas Utah Vermont Virginia Wisconsin Wyoming"
).split()
CONTINENTS = ("Africa Asia Europe").split()
PEOPLES = (
    "African American Arab Argentine Asian Australian Austrian Belgian Brazilian British Bulgarian Canadian Chinese Cuban "
    "Czech Danish Dutch Egyptian English European Finnish French German Greek Hungarian Indian Indonesian Iranian Iraqi Irish "
    "Israeli Italian Japanese Kenyan Korean Mexican Nigerian Norwegian Pakistani Polish Portuguese Roman Romanian Russian "
    "Scottish Serbian Spanish Swedish Swiss Syrian Thai Turkish Ukrainian Vietnamese Welsh"
).split()
GIVEN = (
    "Adam Adrian Alan Albert Alex Alexander Alice Amanda Amy Andrea Andrew Andy Angela Ann Anna Anne Anthony Arthur Barbara "
    "Ben Benjamin Bernard Bill Bob Brian Bruce Bryan Carl Carlos Carol Caroline Catherine Charles Charlie Charlotte Chris "
    "Christian Christina Christine Christopher Claire Colin Craig Dan Daniel Dave David Dean Deborah Dennis Diana Donald "
    "Douglas Edward Elena Elizabeth Ellen Emily Emma Eric Eva Frank Fred Frederick Gary Geoffrey George Gerald Gordon Grace "
    "Graham Greg Hannah Hans Harold Harry Heather Helen Henry Howard Hugh Ian Isaac Ivan Jack Jacob James Jamie Jane Janet "
    "Jason Jean Jeff Jennifer Jeremy Jerry Jessica Jim Joan Joe John Jonathan Jordan Jose Joseph Joshua Juan Judith Julia "
    "Julian Julie Justin Karen Karl Kate Katherine Kathy Keith Kelly Ken Kenneth Kevin Larry Laura Lee Leo Leon Leonard Lewis "
    "Linda Lisa Louis Lucy Luis Luke Margaret Maria Marie Mark Martha Martin Mary Matt Matthew Max Melissa Michael Michelle "
    "Mike Mohamed Mohammed Nancy Natalie Neil Nicholas Nick Nicole Nigel Olivia Oscar Pamela Patricia Patrick Paul Paula "
    "Peter Phil Philip Rachel Ralph Raymond Rebecca Richard Rob Robert Robin Roger Ron Ronald Rose Roy Russell Ruth Ryan Sam "
    "Samantha Samuel Sandra Sarah Scott Sean Sharon Simon Sophie Stephen Steve Steven Stuart Susan Thomas Tim Timothy Tom "
    "Tony Victor Victoria Vincent Walter Wayne William Zoe"
).split()
SURNAMES = (
    "Anderson Baker Campbell Fischer Gallagher Hughes Jensen Lindgren Moreau Novak Ortega Parker Rossi Sanders Turner Walsh"
).split()
KINDS = {"country": COUNTRIES, "city": CITIES, "region": REGIONS, "continent": CONTINENTS, "people": PEOPLES, "given": GIVEN}
LISTED = {name: kind for kind, listed in KINDS.items() for name in listed} | {"Jordan": "other", "Georgia": "other"}
LOWER = {
    name.lower(): name
    for name, kind in LISTED.items()
    if kind not in ("given", "other") and name not in ("Turkey", "China", "Polish")
}
"""Those that are no other word where a text has no capitals."""
TITLES = frozenset(
    (
        "Mr Mrs Ms Miss Dr Prof Professor Sir Lord Lady President Senator Judge Captain General Chancellor Minister King Queen "
        "Prince Princess"
    ).split()
)
ORGANISATIONS = frozenset(
    (
        "Agency Airlines Airways Army Association Bank Board Church City Club College Commission Committee Company Corp "
        "Corporation Council Court Department Foundation Group Hospital Inc Institute League Ltd Ministry Museum Network Office "
        "Party Police Records Rovers School Service Society Studios Times Trust Union United University"
    ).split()
)
PLACES = frozenset(
    (
        "Airport Avenue Bay Bridge Castle County Hill Island Islands Lake Mountain Mountains Ocean Park Province River Road Sea "
        "Station Street Valley"
    ).split()
)
THINGS = frozenset(
    "Cup Award Awards Series Show Festival Act War Battle Championship Trophy Prize Tour Album Day Week Games Game Project Agreement Treaty".split()
)
FURNITURE = frozenset(
    "Mail Sign Privacy Policy Menu Home Page Share News Top Contact Help Photo Image Copyright Read Search Subscribe Video".split()
)
"""What pages are furnished with, and no claim names."""
CAPITALISED = frozenset(
    (
        "I I'm I've I'll I'd The A An In On At It He She They We You This That These Those There His Her Its Their Our My Your "
        "But And Or If As For From With By To Of So No Not Yes OK When While Where What Which Who Why How After Before Since "
        "Until Also However Some Many Most All Each Both One Two Three First Then Thus Because Although Though Despite During "
        "Such Other Another More Less Few God Internet CEO AD BC TV DVD Mon Tue Wed Thu Fri Sat Sun PhD USA"
    ).split()
)
"""Words that are written so without being names."""
