"""English words that decide what reads as a tag. Other languages work from stop words and counts alone.

Drawn up by reading the commonest words and tags of instruction pools; a word that is in none of these lists is a word like
any other.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOPICS = _words(
    "ai computer computers date face faces fire home html http information homepage index interest interests member members microsoft "
    "netscape novel null order page research ring room rooms self shell system test text tip tv uk us-based url web webpage website "
    "word words world zero mug mill bill copy gas goods group groups"
)
"""Words of the common stop list that do name a topic, alone or in a phrase."""

FILLERS = _words(
    "abovementioned accept accepts according accordingly achieve achieved add added adding allow allows answer answers answered appear "
    "appropriate arrange ask asked asking assume attached avoid aware based basic become begin believe belong belongs better big bit bring brought "
    "build built buy buys called came carefully carry causing change changed choose choosing chosen clear clearly clue combine come commonly compare compared "
    "complete completed completely compute concise concisely consider considered consist consists construct constructed contain contains continue "
    "correct correctly craft create created creates creating decide decided decides deemed define defined delete depending derive derived describe "
    "described describes describing detailed detect determine determined develop developed devise different discuss display does draw "
    "easy easily elaborate employ ensure ensuring enter entire establish evaluate exact examine example examples exist existing expand explain "
    "explaining explains explore express extract famous favorite feel feels felt fetch figure fill final finally find finding finds fit follow followed following "
    "follows form formed formulate found full gave generate generated generates generating give given gives giving go goes going good got gradually great grow guess "
    "handle happen happened happens hard help helps high highlight hmmm hold holds identified identifies identify identifying illustrate imagine "
    "implement implemented implements improve include included includes including indicate initial insert instead introduce "
    "involve involved involves involving iterate i'll keep kind kinds know known large larger largest latest lead leads learned leave left length let lets likely list-up listed listen "
    "little live lived lives located long look looks lost lot lots love loves low made main major make makes making match mention mentioned "
    "modify month's move moved multiple name named names necessary need needed needs new nhere nis noinput noptions nthe number numbers obtain occur occurred occurs odd "
    "offer offers ok option options original originally output outputs outputs outputting overall own particular perform performed performing performs pick picked piece pieces please plus possible "
    "potential present presented pretend prepare previous print prints process-of produce produced produces properly propose proposed provide provided provides providing "
    "put puts quick quickly quite ran randomly read reading reads real really reason reasoning receive received receives recent recognize recommend record-the "
    "reduce refer referred refers regular related released relevant remain remaining remove removed removes removing replace represent represents "
    "require required requires respond result resulting results return returned returning returns reverse rewrite rewritten right run runs save say says see "
    "select selected sells send sense sent separate separated set several shall show showing shown shows sides similar simple single slowly small smaller "
    "sold solve solving someone specific specified spend spends spent start started starting starts state stated states step-by-step stop straight style-of suggest suggested "
    "suitable sum-up suppose supposed sure take taken takes taking talk talking tell tells think thoughts thoughtful took total tried true try trying turn turned type types "
    "understand understanding unique update use used useful uses using utilize valid various verified verify view want wanted wants way ways went work worked "
    "working works worth write writes writing-a written wrong wrote yes false none nbsp nand nor nanswer nquestion noutput ninput additional additionally certain capable able common "
    "effective efficient efficiently typical unknown interesting important significant main primary key beautiful happy nice perfect proper "
    "ago already always away back early late later now often once soon still today tomorrow yesterday never ever maybe perhaps actually "
    "bought bring eat eats ate sit sat stand stood gets getting went walked walk walks gone lie lay wear wore wears saw seen became becomes keeps kept met meet lying "
    "happening doing done being having had come-up involved determine decide decides causes caused cause chain-of-thought consciousness stream first second third fourth fifth last next fair bad best worst old older young younger"
)
"""Words that end a phrase as stop words do: the verbs, adverbs and empty adjectives that instructions are made of."""

VAGUE = _words(
    "account action activity adjective age amount area aspect attribute average background beginning benefit body book box boy car case category challenge chance character "
    "child choice claim class color combination comment company component concept condition conclusion consequence content context conversation "
    "cost country couple criteria customer data day days description detail details difference difficulty direction dog dollar dollars doubt effect effort element elements end "
    "entry error event evidence experience experiencing fact factor family feature feeling field file foot format friend friends function game girl goal group guy half hand head hour "
    "hours idea ideas image impact importance individual information input inputs instance instruction instructions integer issue issues item items job john kid knowledge "
    "label letter level life line lines link list lists man mark mary matter meaning measure member message method mile miles minute minutes mistake model "
    "moment money month months name night note noun object objects operation opinion outcome page pair paper paragraph parameter parent part parts party passage passages patient pattern "
    "people percent percentage period person phrase phrases place plan play point points position pound pounds practice price problem problems process product program project "
    "property purpose quality quantity question questions range rate reader record red reference relationship report response responses risk role row rule "
    "sample sentence sentences sequence series setting side sign situation size solution solutions something sort source space speaker stage statement statements status step steps store story strategy "
    "string strings structure student students style subject substance sum support symbol table task tasks teacher team technique term terms text "
    "thing things time times title tom tone top topic topics unit user users value values variable variety version view visit wall week weeks "
    "whole word words worker world writer writing year years james blue green white black brown north south east west daily modern current natural popular positive negative "
    "physical social short traditional professional personal successful international national different individual general american british large "
    "total maximum minimum complex simple original special free local public medical doctor doctors passive active neutral standard strong weak hot cold deep dark light "
    "increase decrease decision option answer example reason reasons result test text code line order information interest tip tips date rest lack use "
    "today one two three four five six seven eight nine ten dozen hundred thousand million billion january february march april may june july august september october november december "
    "monday tuesday wednesday thursday friday saturday sunday inch inches meter meters century decade "
    "inside outside center central middle corner bottom left side upper interpretation consideration characteristic characteristics aspects ones piece share trait traits kind sarah mike jack bob alice peter jane lisa jerry "
    "nothing everything anything everyone nobody bunch mr mrs ms dr sir lady male female guess hello hi hey thank thanks welcome ability approach appearance"
)
"""Words that are part of a tag ('word problem', 'story line') but say too little alone."""

SHORT = _words("a i an of to in is it on at by we he or as if do be no so up my me us am go")
"""The words under three letters by which English is told; its stop list holds every country code besides."""

PLURALS = {
    "children": "child", "men": "man", "women": "woman", "mice": "mouse", "feet": "foot", "teeth": "tooth", "analyses": "analysis",
    "criteria": "criterion", "phenomena": "phenomenon", "matrices": "matrix", "vertices": "vertex", "indices": "index", "indexes": "index",
    "wolves": "wolf", "knives": "knife", "lives": "life", "leaves": "leaf", "geese": "goose", "hypotheses": "hypothesis",
}  # fmt: skip
"""Plurals that the stemmer does not fold."""

DETERMINERS = _words("a an the my your his her its our their this that these those each every any some of in for on about with from by between")
"""After these comes a noun or an adjective."""

VERB_SIGNS = _words("to can will would should could may might must i you he she we they who not does did do don't didn't doesn't can't cannot let let's please")
"""After these comes a verb."""

OBJECT_SIGNS = _words("a an the my your his her its our their these me you him them it myself yourself himself themselves")
"""Before these comes a verb."""

_WRITTEN = _words(
    "poem story stories song lyric lyrics essay article letter email tweet post blog review report speech dialogue conversation headline slogan haiku sonnet limerick joke "
    "paragraph sentence summary script proposal memo note caption description biography bio advertisement ad press release quote riddle fable narrative "
    "novel scene monologue rap verse resume message tagline metaphor simile analogy"
)
_MADE = "create make generate produce compose write craft draft construct formulate develop devise prepare design build come"

TASKS = {
    **dict.fromkeys(_MADE.split(), "{object} creation"),
    "summarize": "summarization", "summarise": "summarization", "condense": "summarization", "shorten": "summarization",
    "classify": "classification", "categorize": "categorization", "categorise": "categorization", "label": "classification",
    "translate": "translation", "paraphrase": "paraphrasing", "rephrase": "paraphrasing", "reword": "paraphrasing",
    "rewrite": "rewriting", "re-write": "rewriting", "edit": "text editing", "proofread": "proofreading", "punctuate": "punctuation",
    "calculate": "{object} calculation", "compute": "{object} calculation", "convert": "conversion", "compare": "comparison", "contrast": "comparison",
    "analyze": "{object} analysis", "analyse": "{object} analysis", "evaluate": "{object} evaluation", "assess": "{object} evaluation",
    "predict": "{object} prediction", "estimate": "{object} estimation", "brainstorm": "brainstorming", "outline": "outlining",
    "recommend": "{object} recommendation", "debug": "debugging", "rank": "ranking", "sort": "sorting", "arrange": "arranging", "rearrange": "rearranging",
    "roleplay": "roleplay", "role-play": "roleplay", "extract": "information extraction", "detect": "{object} detection", "define": "definition",
    "simulate": "simulation", "optimize": "optimization", "refactor": "refactoring", "parse": "parsing", "research": "research", "retrieve": "information retrieval",
    "autocomplete": "text completion", "fill": "fill in the blank", "discuss": "discussion", "describe": "{object} description", "explain": "{object} explanation",
    "combine": "sentence combining", "pretend": "roleplay", "argue": "argumentation", "plan": "planning", "organize": "organization",
}  # fmt: skip
"""Leading verb of an instruction -> the task it asks for; `{object}` is the thing the verb governs."""


def task(verb: str, thing: str) -> str | None:
    """The tag of 'verb ... thing', as 'write a poem' is 'poem writing'; None where it would say nothing."""
    template = TASKS[verb]
    if "{object}" not in template:
        return template
    if verb in _MADE.split():
        head = thing.split()[-1] if thing else ""
        return f"{thing} writing" if head in _WRITTEN or head.removesuffix("s") in _WRITTEN else None
    if not thing:
        return None
    return None if verb in ("describe", "explain") else template.format(object=thing)
