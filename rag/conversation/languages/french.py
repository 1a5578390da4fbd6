"""French questions that rest on what was said before them."""

from rag.conversation.words import Words

WORDS = Words.of(
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
    pronoun=r"(?<!y a-t-)(?<!existe-t-)(?<!faut-)(?<!est-)(?<!combien )\bil\b(?! (?:y a|faut|existe|est possible|pleut))"
    r"|\best-il\b(?! (?:possible|nécessaire|obligatoire|vrai|permis|interdit))|\b(?:elles?|ils|lui|eux)\b",
    possessive=r"leurs?|son|sa|ses",
    clause=r"et|ou|mais|quand|lorsque|si|parce|pendant|avant|après|depuis|qui|que|où|car|donc",
    comparative=r"\b(?:meilleure?s?|pires?|mieux)\b|\b(?:plus|moins) (?!de\b|d'|que\b|tard|tôt|long)\w+",
    complete=r"\b(?:que|ou|entre|parmi|si|du monde)\b|\bqu'|\b(?:le|la|les) (?:plus|moins) \w+ (?:de|du|des|en|d')",
    defines=r"^(?:qu'est-ce qu|c'est quoi|qui (?:est|sont|était)|que signifie)|\bsur\b",
    stopwords="coûte coûtent prix combien faire fait fais marche fonctionne fonctionner passe passé besoin faut peut peux puis-je obtenir "
    "utiliser trouver savoir dire expliquer expliquez donner détails exemple exemples différence options étapes types type sorte "
    "façon raison raisons avantages gratuit possible disponible long longtemps souvent vieux grand haut an ans année jour jours "
    "temps merci plus moins aussi encore très bien bon tout tous toute même autre autres premier second dernier je tu nous vous me "
    "te moi y est-ce c'est qu'est existe a-t a-t-il est-il nom né née commence finit mais si s'il cela ça veut vouloir faut-il ai avez",
)
