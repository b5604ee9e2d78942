"""Short texts of other kinds: SUBJ, TREC-6, CoLA and SMS spam."""

from evaluation.cards.kit import NOT_STATED, labels, local
from evaluation.datasets import DataCard
from evaluation.sources import Fields, HubSet

SUBJ = DataCard(
    name="subj",
    title="SUBJ: opinion or plot",
    source="5,000 snippets of film reviews (rottentomatoes.com) and 5,000 sentences of plot summaries (imdb.com), in "
    "lower case and tokenised, collected by Pang and Lee (Cornell, subjectivity data 1.0).",
    licence=NOT_STATED + " Released for research.",
    citation="Bo Pang and Lillian Lee. A Sentimental Education: Sentiment Analysis Using Subjectivity Summarization "
    "Based on Minimum Cuts. ACL 2004.",
    labels=labels(
        ("subjective", "subjective", "Somebody's opinion of the film: it judges, praises, mocks or feels."),
        ("objective", "objective", "What happens in the film: it tells the plot and judges nothing."),
    ),
    item="sentence about a film",
    guidelines="Decide whether the sentence judges the film or tells its plot. Strong feelings of a character are "
    "plot; any word on how well the film is made is opinion.",
    splits="No official split. Copies are divided at random: the local one 5,000 to 1,000, the hub's 8,000 to 2,000.",
    sources=(
        local("5ace9c5dbdd97c9a50937897dc9b808074e225acc9b6f25ff5d60ab367f5ab2b"),
        HubSet(
            repository="SetFit/subj",
            splits={"train": "train", "test": "test"},
            fields=Fields(label="label_text"),
        ),
    ),
    caveats=("Labels say which site a sentence is from, not what a reader thought of it.",),
)

TREC6 = DataCard(
    name="trec6",
    title="TREC-6: question types",
    source="Questions of the TREC tracks and others collected at USC and UIUC, labelled by Li and Roth for the kind of "
    "answer that is sought.",
    licence=NOT_STATED + " Freely distributed by the authors' group.",
    citation="Xin Li and Dan Roth. Learning Question Classifiers. COLING 2002.",
    labels=labels(
        ("ABBR", "abbreviation", "What a short form stands for, or how something is shortened."),
        ("DESC", "description", "An explanation: what something is or means, how it is done, why it is so."),
        ("ENTY", "thing", "A thing that is no person, place or number: animal, food, product, event, word, colour."),
        ("HUM", "person", "Somebody: a person by name or role, a team, a company, an organisation."),
        ("LOC", "place", "Somewhere: a city, country, state, mountain, river, address."),
        ("NUM", "number", "A number: how many, how much, how long, how far, when, what percentage."),
    ),
    item="question",
    guidelines="Decide what kind of answer the question asks for, not what it is about. A question for the name of a "
    "person who did something asks for a person; one for the meaning of that name asks for a description.",
    splits="Official: 5,452 questions for training, 500 for the test.",
    sources=(
        local("33e723afd1217c854a57a9dbb31a14537ccc6ab1ef705ebc72316f1d3ac4d7eb"),
        HubSet(
            repository="CogComp/trec",
            revision="refs/convert/parquet",
            splits={"train": "train", "test": "test"},
            fields=Fields(label="coarse_label"),
        ),
    ),
    caveats=("Skewed: abbreviations are 2 % of the questions. Test questions are of another year than most others.",),
)

COLA = DataCard(
    name="cola",
    title="CoLA: is it grammatical?",
    source="Example sentences from 23 books and articles on linguistics, with the judgement that is printed there, "
    "collected by Warstadt, Singh and Bowman.",
    licence="The sentences stay their authors'; the compilers hold their use for research to be fair use.",
    citation="Alex Warstadt, Amanpreet Singh and Samuel Bowman. Neural Network Acceptability Judgments. TACL 7, 2019.",
    labels=labels(
        ("acceptable", "acceptable", "A native speaker would say it so; nothing is wrong with its grammar."),
        ("unacceptable", "unacceptable", "A native speaker would not say it: words, order, forms or sense go wrong."),
    ),
    item="sentence",
    guidelines="Decide whether the sentence is good English. Judge the grammar, not whether what it says is true, "
    "likely or polite. Rare and long-winded is still acceptable.",
    splits="8,551 sentences for training. The labels of the official test are kept secret, so the two public "
    "validation parts (527 from the same books, 516 from others) serve as the test here, as they do on the hub.",
    sources=(
        local("d45fddaa1c0726887e58a8d767022ed50202a59b50b3def410c7f1d2d5fbcecd"),
        HubSet(
            repository="nyu-mll/glue",
            config="cola",
            splits={"train": "train", "test": "validation"},
            fields=Fields(text="sentence"),
        ),
    ),
    near=None,
    caveats=(
        "Seven in ten are acceptable: read macro-F1 or Matthews' correlation, not accuracy.",
        "Sentences come in minimal pairs, so near copies are not taken out: one word less may be the whole difference.",
    ),
)

SMS_SPAM = DataCard(
    name="sms_spam",
    title="SMS spam",
    source="5,574 text messages from a British complaints site, a Singapore student corpus and two others, collected "
    "by Almeida, Gómez Hidalgo and Yamakami.",
    licence="Free for all purposes, by the authors' announcement (2011); the UCI repository gives CC BY 4.0.",
    citation="Tiago Almeida, José María Gómez Hidalgo and Akebo Yamakami. Contributions to the Study of SMS Spam "
    "Filtering: New Collection and Results. DocEng 2011.",
    labels=labels(
        ("spam", "spam", "Sent to many who did not ask for it: advertising, prizes, premium-rate numbers, fraud."),
        ("ham", "legitimate", "A message that its receiver expects: from friends, family, work or a service in use."),
    ),
    item="text message",
    guidelines="Decide whether the message is spam. Bad spelling and abbreviations are no sign of it. A message from a "
    "company that the receiver evidently deals with is legitimate.",
    splits="No official split. The local copy is divided at random, stratified; the hub's is one part.",
    sources=(
        local("97e450262f9634283f0e1f3bc06b9a40fb1574fea2dab787ab7c1717a35386ab"),
        HubSet(
            repository="ucirvine/sms_spam",
            config="plain_text",
            splits={"all": "train"},
            fields=Fields(text="sms"),
        ),
    ),
    caveats=(
        "Skewed: 13 % are spam, so read macro-F1, not accuracy.",
        "Spam is sent in waves: near copies are many, and are taken out.",
        "Messages are from before 2011, and hold telephone numbers that were public in spam.",
    ),
)

CARDS = (SUBJ, TREC6, COLA, SMS_SPAM)
