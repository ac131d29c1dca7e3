"""English words that decide what reads as a tag. Other languages work from stop words and counts alone.

Drawn up by reading the commonest words and tags of instruction pools; a word that is in none of these lists is a word like
any other.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOPICS = _words(
    "ai bill computer computers copy date face faces fire gas goods group groups home homepage html http index information "
    "interest interests member members microsoft mill mug netscape novel null order page research ring room rooms self shell "
    "system test text tip tv uk url us-based web webpage website word words world zero"
)
"""Words of the common stop list that do name a topic, alone or in a phrase."""

SOFT = _words(
    "area best big case cases day different early end fact find first free full general good great hard high important "
    "interesting interests large last late left line little long look low means name new number old open order pages part place "
    "point possible present problem problems public read real right second self short show showing side single small social state "
    "states sure third top turn value way week work working year years young"
)
"""Words that count inside a phrase whose words belong together ('new york', 'high school', 'united states'), and nowhere else."""

FILLERS = _words(
    "able abovementioned accept accepts according accordingly achieve achieved actually add added adding additional additionally "
    "ago allow allows already always answer answered answers appear appropriate arrange ask asked asking assume ate attached "
    "avoid aware away back bad based basic beautiful became become becomes begin being believe belong belongs better bit bought "
    "bring brought build built buy buys called came capable carefully carry cause caused causes causing certain chain-of-thought "
    "change changed choose choosing chosen clear clearly clue combine come common commonly compare compared complete completed "
    "completely compute concise concisely consciousness consider considered consist consists construct constructed contain "
    "contained contains continue correct correctly craft create created creates creating creative decide decided decides deciding "
    "deemed define defined delete depending derive derived describe described describes describing detailed detect determine "
    "determined develop developed devise discuss display does doing done draw easily easy eat eats effective efficient "
    "efficiently elaborate employ ensure ensuring enter entire establish evaluate ever exact examine example examples exist "
    "existing expand expected experience experiences experiencing explain explaining explains explore express extract extremely "
    "fair false famous favorite feel feels felt fetch fifth figure fill final finally finding finds fit follow followed following "
    "follows form formed formulate found fourth frightened gave generate generated generates generating gets getting give given "
    "gives giving go goes going gone got gradually grow guess had handle happen happened happening happens happy having help "
    "helps highlight highly hmmm hold holds i'll identified identifies identify identifying illustrate imagine implement "
    "implemented implements improve improved include included includes including indicate initial insert instance instead "
    "introduce involve involved involves involving iterate keep keeps kept key kind kinds know known larger largest later latest "
    "lay lead leads learned leave length let lets lie likely listed listen live lived lives located looks lost lot lots love "
    "loves lying made main major make makes making match maybe meet mention mentioned met modify move moved multiple named names "
    "nand nbsp nearby necessary need needed needs never next nhere nice ninput nis noinput none noptions nor noutput now nthe "
    "numbers obtain occur occurred occurs odd offer offers often ok older once option options original originally output outputs "
    "outputting overall own particular perfect perform performed performing performs perhaps pick picked piece pieces please plus "
    "potential prepare presented pretend previous primary print prints produce produced produces proper properly propose proposed "
    "provide provided provides providing put puts quick quickly quite ran random randomly reading reads really reason reasoning "
    "receive received receives recent recognize recommend recommended reduce refer referred refers regular related released "
    "relevant remain remaining remove removed removes removing replace represent represents require required requires respond "
    "result resulting results return returned returning returns reverse rewrite rewritten run runs sat save saw say says see seem "
    "seen select selected sells send sense sent separate separated set several shall shown shows sides significant similar simple "
    "sit slowly smaller sold solve solving someone soon specific specified spend spends spent stand start started starting starts "
    "stated step-by-step still stood stop straight stream suffering suggest suggested suitable suppose supposed take taken takes "
    "taking talk talking tell tells think thoughtful thoughts today tomorrow took total tried true try trying turned type types "
    "typical understand understanding unique unknown update use used useful uses using utilize valid various verified verify via "
    "view walk walked walks want wanted wants ways wear wears went wore worked works worst worth write writes written wrong wrote "
    "yes yesterday younger"
)
"""Words that end a phrase as stop words do: the verbs, adverbs and empty adjectives that instructions are made of."""

VAGUE = _words(
    "aaron ability account action active activity adam adjective age alan alex alice american amount andrew andy angela ann anna "
    "anne answer anthony anything appearance approach april area aspect aspects attribute august average background barbara "
    "beginning ben benefit betty billion billy black blue bob bobby body book bottom box boy brad brandon brenda brian british "
    "brown bruce bunch car carl carlos carol carter case category center central century challenge chance character "
    "characteristic characteristics charles charlie child choice chris christina cindy claim class code cold color combination "
    "comment company complex component concept conclusion condition consequence consideration content context conversation corner "
    "cost country couple craig criteria current customer daily dan daniel danny dark data date dave david day days deborah decade "
    "december decision decrease deep dennis description detail details diana difference different difficulty direction doctor "
    "doctors dog dollar dollars donald donna doubt doug dozen dr east eating edward effect effort eight element elements "
    "elizabeth ella emily emma end entry eric erica error ethan evan event everyone everything evidence example experience fact "
    "factor family feature february feeling female field file five foot format four frank fred free friday friend friends "
    "function game gary general george girl goal grace green greg group growing guess guy half hand hannah harold harry head "
    "heather helen hello henry hey hi holding hot hour hours hundred ian idea ideas image impact importance inch inches increase "
    "individual information input inputs inside instance instruction instructions integer interest international interpretation "
    "isabella issue issues item items jack jackson jacob jake james jamie jane janet january jason jeff jennifer jenny jeremiah "
    "jeremy jerome jerry jesse jessica jill jim jimmy job joe joel john johnny johnson jonathan jones jose joseph josh joshua "
    "joyce juan judy julia julie july june justin karen kate kathy katie kelly ken kenneth kevin kid kim kind knowledge kris kyle "
    "label lack lady large larry laura lauren left leo leon letter level liam life light lily linda line lines link lisa list "
    "lists living local logan louis lucas lucy luke male man march maria marie mark martha martin mary matt matter matthew max "
    "maximum may meaning measure megan melissa member message meter meters method mia michael michelle middle mike mile miles "
    "million minimum minute minutes mistake model modern moment monday money month months moving mr mrs ms name nancy natalie "
    "nathan national natural negative neutral nick nicole night nine noah nobody north note nothing noun november object objects "
    "october oliver olivia one ones operation opinion option order original outcome outside page pair pam pamela paper paragraph "
    "parameter parent part parts party passage passages passive patient patricia patrick pattern paul peggy people percent "
    "percentage period person personal peter phil philip phrase phrases physical piece place plan play point points popular "
    "position positive pound pounds practice price problem problems process product professional program project property public "
    "purpose quality quantity question questions rachel ralph randy range rate raymond reader reason reasons rebecca record red "
    "reference relationship report response responses rest result richard rick risk robert robin roger role ron ronald rosa rose "
    "row roy rule running russell ruth ryan sally sam samantha sample samuel sandra sara sarah saturday scott sean sentence "
    "sentences september sequence series setting seven share sharon shirley short side sign simple sir situation six size smith "
    "social solution solutions something sophia sophie sort source south space speaker special stage standard standing statement "
    "statements status step stephanie stephen steps steve steven store story strategy string strings strong structure student "
    "students style subject substance successful sue sum sunday support susan symbol table task tasks teacher team technique ted "
    "ten teresa term terms terry test text thank thanks theresa thing things thousand three thursday tim time times timmy timothy "
    "tina tip tips title today todd tom tone tony top topic topics total tracy traditional trait traits tuesday two tyler unit "
    "upper use user users value values vanessa variable variety version victor victoria view vincent visit waiting walking wall "
    "walter wayne weak wednesday week weeks welcome wendy west white whole william willie word words worker world writer writing "
    "year years zach"
)
"""Words that are part of a tag ('word problem', 'story line') but say too little alone."""

SHORT = _words("a am an as at be by do go he i if in is it me my no of on or so to up us we")
"""The words under three letters by which English is told; its stop list holds every country code besides."""

IRREGULAR = {
    "movies": "movie", "cookies": "cookie", "smoothies": "smoothie", "calories": "calorie", "zombies": "zombie", "selfies": "selfie",
    "potatoes": "potato", "tomatoes": "tomato", "heroes": "hero", "echoes": "echo", "volcanoes": "volcano", "mosquitoes": "mosquito",
    "children": "child", "men": "man", "women": "woman", "mice": "mouse", "feet": "foot", "teeth": "tooth", "analyses": "analysis",
    "criteria": "criterion", "phenomena": "phenomenon", "matrices": "matrix", "vertices": "vertex", "indices": "index", "indexes": "index",
    "wolves": "wolf", "knives": "knife", "lives": "life", "leaves": "leaf", "geese": "goose", "hypotheses": "hypothesis",
}  # fmt: skip
"""Plurals that no rule folds."""


def singular(word: str) -> str:
    """The word without its plural ending (the S-stemmer, Harman 1991).

    A full stemmer makes one word of engine and engineer, of colon and colonies, and either is then shown for both.
    """
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("us", "ss", "is")):
        return word[:-1]
    return word


VERB_SIGNS = _words(
    "can can't cannot could did didn't do does doesn't don't he i let let's may might must not please she should they to we who "
    "will would you"
)
"""After these comes a verb."""

OBJECT_SIGNS = _words("a an her him himself his it its me my myself our the their them themselves these you your yourself")
"""Before these comes a verb."""

_WRITTEN = _words(
    "ad advertisement analogy article bio biography blog caption conversation description dialogue email essay fable haiku "
    "headline joke letter limerick lyric lyrics memo message metaphor monologue narrative note novel paragraph poem post press "
    "proposal quote rap release report resume review riddle scene sentence simile slogan song sonnet speech stories story "
    "summary tagline tweet verse"
)
_MADE = "create make generate produce compose write craft draft construct formulate develop devise prepare design build come"

_NAMED = {
    "summarize summarise condense shorten": "summarization",
    "classify label": "classification",
    "categorize categorise": "categorization",
    "translate": "translation",
    "paraphrase rephrase reword": "paraphrasing",
    "rewrite re-write": "rewriting",
    "edit": "text editing",
    "proofread": "proofreading",
    "punctuate": "punctuation",
    "calculate compute": "{thing} calculation",
    "convert": "conversion",
    "divide": "division",
    "multiply": "multiplication",
    "subtract": "subtraction",
    "compare contrast": "comparison",
    "analyze analyse": "{thing} analysis",
    "evaluate assess": "{thing} evaluation",
    "predict": "{thing} prediction",
    "estimate": "{thing} estimation",
    "brainstorm": "brainstorming",
    "outline": "outlining",
    "recommend": "{thing} recommendation",
    "debug": "debugging",
    "rank": "ranking",
    "sort": "sorting",
    "arrange": "arranging",
    "rearrange": "rearranging",
    "roleplay role-play pretend": "roleplay",
    "extract": "information extraction",
    "detect": "{thing} detection",
    "define": "definition",
    "simulate": "simulation",
    "optimize": "optimization",
    "refactor": "refactoring",
    "parse": "parsing",
    "research": "research",
    "retrieve": "information retrieval",
    "autocomplete": "text completion",
    "fill": "fill in the blank",
    "discuss": "discussion",
    "combine": "sentence combining",
    "argue": "argumentation",
    "plan": "planning",
    "organize": "organization",
}

TASKS = dict.fromkeys(_MADE.split(), "") | {verb: name for verbs, name in _NAMED.items() for verb in verbs.split()}
"""Leading verb of an instruction -> the task it asks for; `{thing}` is what the verb governs; '' where only some things make a task."""


def task(verb: str, thing: str) -> str | None:
    """The tag of 'verb ... thing', as 'write a poem' is 'poem writing'; None where it would say nothing."""
    if verb in _MADE.split():
        return f"{thing} writing" if thing in _WRITTEN or thing.removesuffix("s") in _WRITTEN else None
    name = TASKS[verb]
    return name.replace("{thing}", thing).strip()


ALSO_NOUNS = _words("build contrast craft design draft edit estimate label outline plan rank research roleplay sort")
"""Verbs of TASKS that name a topic too."""

_ADJECTIVES = ("ous", "ful", "less", "able", "ible")
_NO_ADJECTIVES = _words("bible cable constable fable handful syllable table variable vegetable vegetables")
_NO_ADVERBS = _words("ally anomaly assembly belly bully butterfly family fly folly italy jelly july lily monopoly rally reply supply tally")
_NO_PARTICIPLES = _words("biped bleed breed creed deed embed feed hatred hundred seed speed weed")


def inflected(word: str) -> bool:
    """Whether the ending says adverb, participle or adjective."""
    if word.endswith("ly"):
        return len(word) > 4 and word not in _NO_ADVERBS
    if word.endswith("ed"):
        return len(word) > 4 and word not in _NO_PARTICIPLES
    return word.endswith(_ADJECTIVES) and word not in _NO_ADJECTIVES
