"""Spanish questions that rest on what was said before them."""

from rag.conversation.words import Words

WORDS = Words.of(
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
    pronoun=r"\b(?:él|ellas?|ellos|les?)\b",
    possessive=r"sus?|suy[oa]s?",
    clause=r"y|o|pero|cuando|si|porque|mientras|antes|después|desde|aunque|que|donde",
    comparative=r"\b(?:mejor|mejores|peor|peores|mayor|menor)\b|\b(?:más|menos) (?!de\b|que\b|tarde)\w+",
    complete=r"\b(?:que|o|entre|si|de(?:l)?|para)\b",
    defines=r"^(?:qué|quién|quiénes) (?:es|son|fue|fueron|significa)\b|\bsobre\b",
    stopwords="cuesta cuestan precio hacer hace hago funciona funcionar pasa pasó necesito necesita hay puedo puede pueden obtener usar "
    "encontrar saber decir explicar explica dar detalles ejemplo ejemplos diferencia opciones pasos tipos tipo manera razón razones "
    "ventajas gratis posible disponible largo tiempo veces viejo grande alto años año día días más menos también muy bien bueno "
    "todo todos otra otro mismo primero segundo último yo tú me te nos mi tu sí si ya pero vale gracias favor quiero quiere tengo "
    "tiene tienen cubre eso esto ese esa este esta nació murió empieza termina nombre hay sin",
)
