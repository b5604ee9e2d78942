"""What words say of the ids beside them: how plainly they offer them, whether they turn them down."""

import re
from typing import Literal

from prompts.replies.known import NOUNS

STRONG, WEAK, NEAR, NONE = 3.0, 2.0, 1.4, 0.0
Verdict = Literal["yes", "no"]
Weight = Literal["only", "first", "last", "words"]

_OFFER = (
    r"choose|prefer|select|pick|picked|label|suggest|annotate|recommend|go with|opt for|keep|settle on|left with|leaves"
    r"|leaving"
)
_STRONG = re.compile(
    r"\b(?:final|answer|selected|selection|chosen|choices?|picks?|picked|conclusion|output|result|boxed|response"
    r"|revised|corrected|correction)\b",
    re.IGNORECASE,
)
_HENCE = re.compile(r"\b(?:therefore|thus|hence|in conclusion|in summary|to sum up|finally)\b|^\W*so\b", re.IGNORECASE)
_CRITERION = (
    r"informative|useful|valuable|diverse|difficult|hard|hardest|ambiguous|uncertain|representative|unclear|rare"
    r"|diversity|difficulty|informativeness|uncertainty|good|best|yes|high priority|left"
    r"|least (?:certain|confident|sure|clear)"
)
_WEAK = re.compile(
    rf"\b(?:{_OFFER}|best|useful|informative|ids?|indices|instances|list|following|ranking|rank|order|ranked)\b",
    re.IGNORECASE,
)
_HEADING = re.compile(
    rf"\W*(?:(?:the|most|more|very|for|by|highly) )*(?:{_CRITERION})\b[^:.\n]{{0,30}}:\W*", re.IGNORECASE
)
_AGAIN = re.compile(r"\b(?:final|finally|revised|corrected|correction|instead|updated|wait|actually)\b", re.IGNORECASE)
_VERB = re.compile(rf"\b(?:{_OFFER})(?: [\w'-]+){{0,4}}[^\w,;.!?]*$", re.IGNORECASE)
_NOUN = re.compile(rf"\b(?:(?:{NOUNS})s?|ids|indices|entries|follow\w*)\W*$", re.IGNORECASE)
_ENDS_OPEN = re.compile(r"(?:[:=>{\[]| -|\b(?:is|are|be))[\s*'\"_(\[{<>:=#-]*$", re.IGNORECASE)
_EXAMPLE = re.compile(
    r"\bfor example|\bfor instance|\be\.g\."
    r"|\bexample(?: output| answer| reply)?\s*:|\ban example|\bif you\b|such as",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:not|n't|never|skip\w*|exclud\w*|reject\w*|omit\w*|discard\w*|unselect\w*|deselect\w*|remaining|others?|rest"
    r"|without|avoid\w*|ignor\w*|left out|leave out|drop\w*|remov\w*|except|other than|besides|apart from|none of"
    r"|rather than|instead of"
    r"|unlike|can't|cannot|don't|won't|wouldn't|unchosen|redundant|uninformative|runners?-up"
    r"|initially|originally|at first"
    r"|(?:least|less) (?:informative|useful|valuable|helpful|relevant|interesting|difficult|diverse|important))\b",
    re.IGNORECASE,
)
_BAD_HEADING = re.compile(
    r"\W*(?:(?:the|too|very|rather) )*(?:no|false|(?:most )?(?:certain|confident)|most (?:sure|clear)"
    r"|(?:most )?(?:bad|low|worse|worst|easy|easier|easiest|least|clear|obvious|duplicates?|dull|boring)"
    r"(?: (?!certain|confident|sure|similar|clear)[a-z]+){0,2})(?: ?\([^()]{0,30}\))?\W*:\W*",
    re.IGNORECASE,
)
_TURNED_DOWN = (
    r"redundant|dull|eas(?:y|ier|iest)|clear|obvious|trivial|similar|uninformative|duplicates?|alike|boring|irrelevant"
    r"|unhelpful|repetitive|close|next|not"
)
_NEGATIVE_AFTER = re.compile(
    r"(?!\W*(?:but|and)\b)[^.;\w]*(?:\w+ ){0,3}?(?:(?:not|n't)\b(?=\W*\w)|(?:is|are|was|were) not\b"
    r"|(?:skipped|excluded|rejected|omitted|ignored|dropped"
    r"|removed|discarded|less|too|already|would (?:come|be) (?:next|close)|if"
    rf"|(?:is|are)n't|should ?n't)\b|(?:is|are|was|were|seem|seems|look|looks) (?:\w+ ){{0,2}}?(?:{_TURNED_DOWN})\b)",
    re.IGNORECASE,
)
_ALL_BUT = re.compile(
    r"\b(?:all|every\w*|any\w*|each)\b[^.:;,\n]{0,40}?"
    r"\b(?:but|except(?: for)?|apart from|aside from|other than|besides|excluding|save|bar|minus|without)"
    rf"\W*(?:(?:the|for|number|{NOUNS})s?\W*){{0,3}}$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[.!?;,] |\bbut\b|\bso\b|\n"
    r"|\b(?:remov|exclud|dropp|skipp|ignor|avoid|discard|omitt|reject)ing\b[^.;]*?\b(?=I\b|we\b)",
    re.IGNORECASE,
)
_CONTRAST = re.compile(r"\b(?:instead of|rather than|over|unlike|not|and not|but not)\W*$", re.IGNORECASE)
_COUNTING = re.compile(r"\b(?:first|second|third|fourth|fifth|next|last|1st|2nd|3rd|\dth)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?;] ")
_CHOICE = (
    r"(?:select|choos|chos|pick|includ|recommend|keep|take|annotat|suitable|worth|necessary|needed|informative|useful"
    r"|helpful|valuable|relevant)\w*"
)
_LABELLED = r"(?: (?:a|the|its|any|my|our) (?:human )?labels?| (?:be(?:ing)? )?(?:labell?|annotat)\w+)?"
_WORTH = rf"worth(?:while|y)?(?: of)?{_LABELLED}"
_NO = re.compile(
    rf"\b(?:hardly|barely|not|less|least) (?:\w+ ){{0,2}}(?:{_WORTH}|informative)\b|(?<=n't) (?:\w+ ){{0,2}}{_CHOICE}"
    rf"|\b(?:not|n't|never|don't|wouldn't|won't|isn't|no need to|cannot|can't|shouldn't)\s(?:\w+\s){{0,3}}{_CHOICE}"
    r"|\b(?:skip|reject|exclud|omit|discard|ignor|unselect|deselect)\w*|\bnot (?:it|this)\b"
    r"|\bleave (?:it )?out\b|\bfalse\b|\b(?:uninformative|redundant)\b",
    re.IGNORECASE,
)
_YES = re.compile(
    r"\b(?:select|choose|chosen|pick|include|keep|recommend)(?:ed|d)?\b|\blabel (?:it|this)\b|\btrue\b|\byes\b"
    rf"|\b{_WORTH}|\b(?:is|are|very|highly|quite|more|also) (?!not\b|the\b)(?:\w+ )?informative\b",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(
    r"[^\w:=|(>-]*(?:[:=|(>-][ *_]*(?:(yes|no)\b|([yn])(?!\w| \w))|\W*(yes|no|y|n)\W*$)",
    re.IGNORECASE,
)
_PHRASE = (
    r"(?:yes|no|y|n|true|false|(?:(?:i|we) would |(?:is|are|was|should|to) |does |do )?(?:not |n't |don't )?(?:be )?"
    r"(?:select|choose|pick|include|keep|skip|reject|exclude|discard|drop|label|recommend)(?:ed|d|ped)?"
    rf"|(?:(?:it |this )?(?:is |are |isn't |aren't ))?(?:not )?(?:very )?"
    rf"(?:chosen|uninformative|redundant|{_WORTH}|{_CHOICE}))"
)
_GOOD = re.compile(rf"\W*(?:very |most |highly )?(?:{_CHOICE})\W*", re.IGNORECASE)
_OBJECT = r"(?: (?:it|this)(?: one)?)?[*'\"_)\]]{0,4}"
_ONLY = re.compile(rf"\W*{_PHRASE}\W*|\W*not (?:selected|chosen|picked|included)\b.*", re.IGNORECASE | re.DOTALL)
_AT_ONCE = re.compile(rf"\W*{_PHRASE}{_OBJECT}(?:\W*$|[.,;:!]| ?-| (?:because|since|as|due|for)\b)", re.IGNORECASE)
_AT_LAST = re.compile(rf"(?:^|[.,:;!?-] )(?:so )?{_PHRASE}{_OBJECT}\W*$", re.IGNORECASE)
_PLAIN = re.compile(r"\bworth (?:a label|(?:labell?|annotat)ing)\b", re.IGNORECASE)
"""The words that the prompts ask for."""
_SAID_IN = re.compile(
    r"\b(?:is|are|isn't|aren't|and|but|so|not|very|less|more|most|least) (?:\w+ ){0,2}informative\b", re.IGNORECASE
)
_ADDS = re.compile(
    rf"[^\w.;!?]*(?:(?:and|then|plus|finally|I|we),? )*(?:add(?:ing)?|also (?:add|{_OFFER}))\W*", re.IGNORECASE
)
_OVER = re.compile(
    r"\W*(?:but |so )?(?:on (?:second|further) thoughts?|(?:on|after) reflection|wait|actually|correction)\b",
    re.IGNORECASE,
)
_OFFERS = re.compile(rf"\b(?:{_OFFER})\b", re.IGNORECASE)
_TOPIC = re.compile(
    r"[\W_]*(?:(?:label|class|topic|group|cluster|category): )?"
    r"[^\W\d_][\w'/&-]*(?: [^\W\d_][\w'/&-]*){0,4}"
    r"(?: ?\d{1,2})?[*_]*(?: ?\([^()]{1,30}\))?[*_ '\"]*:?[*_ '\"]*",
    re.IGNORECASE,
)
_LISTING = re.compile(
    r"\b(?:candidates?|consider\w*|initial\w*|short-?list\w*|options?|all|lists?|instances|texts|input|possib\w*|maybe|ids"
    r"|alternat\w*|reserve\w*|backup\w*|final\w*|selected|selection|answer|revised|corrected|updated|step|round|before|after)\b",
    re.IGNORECASE,
)
_REPLACES = re.compile(
    r"\b(?:replac(?:e|ed|ing)|swap(?:ped|ping)?|exchang(?:e|ed|ing)|substitut(?:e|ed|ing))\b[^.;!?\n]{1,60}\b(?:with|by|for)\W*$",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'"[^"\n]{0,2000}"')


def grade(lead: str) -> float:
    """Say how plainly the words before a list offer it as the answer."""
    sentence = _SENTENCE.split(lead)[-1]
    is_open = _ENDS_OPEN.search(lead) is not None
    hence = _HENCE.search(sentence) is not None
    if (is_open and _STRONG.search(sentence)) or (hence and _WEAK.search(sentence)):
        return STRONG
    weak = _WEAK.search(sentence) if is_open else _VERB.search(sentence)
    if weak or (is_open and hence) or _HEADING.fullmatch(sentence):
        return WEAK
    return NEAR if _NOUN.search(sentence) else NONE


def is_heading(lead: str) -> bool:
    """Whether words name a quality that is wanted: `Most informative:`, `Hard:`, `Yes:`."""
    return _HEADING.fullmatch(lead) is not None


def starts_anew(lead: str) -> bool:
    """Whether words before a list take back what was offered before it."""
    return _AGAIN.search(lead) is not None


def adds(lead: str) -> bool:
    """Whether the words between two lists add the second to the first: `and add`."""
    return _ADDS.fullmatch(lead) is not None


def is_offer(lead: str) -> bool:
    """Whether words speak of choosing: `I would pick these:`."""
    return _OFFERS.search(lead) is not None


def is_topic(lead: str) -> bool:
    """Whether words are the name of a label or a topic: a short title that says nothing of a choice."""
    return len(lead) <= 80 and _TOPIC.fullmatch(lead) is not None and _LISTING.search(lead) is None


def is_replacement(before: str) -> bool:
    """Whether the words of a sentence before a list put it in the place of another: `I replace 17 with`."""
    return _REPLACES.search(before) is not None


def starts_over(before: str) -> bool:
    """Whether the sentence of a list takes back what was chosen before it: `On second thought, I drop 17`."""
    return _OVER.match(last_sentence(before)) is not None


def last_sentence(lead: str) -> str:
    return _SENTENCE.split(lead)[-1]


def says_plainly(text: str) -> bool:
    """Whether a remark holds the words that the prompts ask for, `worth a label`."""
    return _PLAIN.search(text[:2000]) is not None


def is_example(lead: str) -> bool:
    return _EXAMPLE.search(_SENTENCE.split(lead)[-1]) is not None


def is_refused(lead: str) -> bool:
    """Whether the words before a list say that it is an example, or that these are not chosen."""
    if _CONTRAST.fullmatch(lead.strip()):
        return True
    if is_example(lead) or _BAD_HEADING.fullmatch(_SENTENCE.split(lead)[-1]):
        return True
    return _NEGATIVE.search(_CLAUSE.split(lead)[-1]) is not None


def is_refused_after(after: str) -> bool:
    """Whether the words between a list and the next one turn the list down."""
    return _NEGATIVE_AFTER.match(after) is not None


def is_all_but(lead: str) -> bool:
    """Whether the words before a list say that all other instances are meant."""
    return _ALL_BUT.search(lead) is not None


def is_contrast(lead: str) -> bool:
    """Whether the words before a list only set it against the one before it, as in "42 rather than 17"."""
    return _CONTRAST.search(lead) is not None


def sentence_key(lead: str) -> str:
    """Return the words before a list, without numbers and ordinals, for comparing them with others."""
    return re.sub(r"[\W\d]+", " ", _COUNTING.sub(" ", _SENTENCE.split(lead)[-1])).strip().casefold()


def verdict(text: str) -> Verdict | None:
    """Read what is said about an instance: yes, no or nothing. Quotes say nothing."""
    text = _QUOTED.sub('""', text[:4000])
    if first := _FIRST_WORD.match(text[:80]):
        return "yes" if first[first.lastindex or 0][0] in "yY" else "no"
    no, yes = _NO.search(text[:2000]), _YES.search(text[:2000])
    if no and (yes is None or no.start() <= yes.start()):
        return "no"
    return "yes" if yes or _GOOD.fullmatch(text[:400]) else None


def weight(text: str) -> Weight:
    """Say how surely a remark is a verdict: nothing else, one with its reason, its last clause; else it is words."""
    if len(text) <= 400 and _ONLY.fullmatch(text):
        return "only"
    if _AT_ONCE.match(text[:400]) or _PLAIN.search(text[:2000]):
        return "first"
    return "last" if _AT_LAST.search(text[-80:]) or _SAID_IN.search(text[:400]) else "words"
