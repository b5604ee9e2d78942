"""What stands at the end of every page of a study or an ablation: data, settings, models, prompts, costs, caveats."""

from collections.abc import Sequence

from evaluation.document import Block, Pairs, Section
from evaluation.study_record import WHOLE, SetUsed, StudyRecord, shares
from evaluation.table import Sheet
from evaluation.views import split_rows

REPLAY = (
    "manifest.json names every file with its SHA-256; thresher replay manifest.json makes every number anew from the "
    "stored predictions, without a model and without a network, and says what differs.",
    "thresher report FOLDER draws this page and its pictures again.",
)


def data_section(record: StudyRecord) -> Section:
    """Whose the data are, under which licence, and what was done to them."""
    blocks = [Block(title=f"{name}: {used.card.title}", pairs=_card(used)) for name, used in record.sets.items()]
    return Section("data", "The data", tuple(blocks))


def _card(used: SetUsed) -> Pairs:
    card = used.card
    rows = [("source", card.source), ("licence", card.licence), ("citation", card.citation)]
    rows += [(f"label {label.name!r}", _label(label.word, label.description)) for label in card.labels[:_LABELS]]
    if len(card.labels) > _LABELS:
        rows.append(("further labels", f"{len(card.labels) - _LABELS}, in study.json"))
    rows += [("guidelines", card.guidelines), ("language", card.language), ("splits", card.splits)]
    if used.split.origin is None:
        rows.append(("can be had as", "; ".join(str(source) for source in card.sources)))
    rows += split_rows(used.split)
    rows += [("SHA-256 of the pool", used.pool), ("SHA-256 of the test part", used.test)]
    return tuple((name, value) for name, value in rows if value)


_LABELS = 12


def _label(word: str, description: str) -> str:
    return f"{word}: {description}" if description else word


def method_section(record: StudyRecord, settings: Pairs, ablation: str = "") -> Section:
    """Settings, machine, versions, models, and each arm as the recipe that it amounts to."""
    versions = ", ".join(f"{name} {found}" for name, found in record.packages.items())
    what = "run" if ablation else "cell"
    done = f"{record.done} of {record.planned} {what}s, {record.ended}"
    rows = (
        *settings,
        ("done", done),
        ("machines", record.worked.where(what)),
        ("thresher", record.thresher),
        ("python", record.python),
        ("packages of the last call", versions),
        ("made", record.made),
    )
    folded = {f"arm {name}": each.model_dump_json(indent=1) for name, each in record.recipes.items()}
    whole = {"ablation": ablation} if ablation else {}
    return Section(
        "settings",
        "How it was done",
        (
            Block(pairs=tuple(row for row in rows if row[1])),
            Block(title="Models", sheet=_models(record)),
            Block(title="The arms in full", folded=folded, note="With the first student."),
            Block(title="All settings", folded={**whole, "study": record.study.model_dump_json(indent=1)}),
        ),
    )


def _models(record: StudyRecord) -> Sheet:
    rows = [(m.role, m.name, m.variant or "–", m.source or "–", m.hash or "–") for m in record.models]
    return Sheet(("used as", "name", "variant", "source", "SHA-256"), tuple(rows), left=5)


def prompt_section(record: StudyRecord) -> Section:
    """The prompts that were used: fingerprint and wording."""
    folded = {name: record.wordings.get(name, "its wording was not kept") for name in record.prompts}
    note = (
        "A fingerprint is id@version#hash; the hash changes with the text and with the choice of slots. Words in "
        "double braces are filled in for each question."
    )
    return Section("prompts", "The prompts", (Block(folded=folded, note=note),))


_WALL = (
    "Wall time: in which at least one cell was at work, whichever processes did them; what a process that was killed "
    "had done of a cell is not in it. Inside the cells: all of them one after another."
)


def time_block(record: StudyRecord) -> Block:
    """Where the seconds went."""
    total = sum(record.spent.values())
    found = tuple((what, f"{share:.1%}") for what, share in shares(record.spent))
    inside = (("inside the cells", f"{total:,.0f} s"), *found) if found else ()
    return Block(title="Time", pairs=(("wall time", record.worked.took), *inside), note=_WALL)


def caveat_section(record: StudyRecord, own: Sequence[str], unfinished: int) -> Section:
    """Whatever limits what the numbers show, those of the data sets with their names."""
    found = [*own, *record.caveats, *_early(record, unfinished)]
    for name, used in record.sets.items():
        found += [f"{name}: {caveat}" for caveat in used.card.caveats]
        if used.split.origin is not None and not used.split.origin.verified:
            found.append(f"{name}: the rows are not known to be those that its card was written for.")
        if used.split.absent:
            found.append(f"{name}: the pool lacks the labels {', '.join(used.split.absent)}.")
    return Section("caveats", "What these numbers do not show", (Block(bullets=tuple(dict.fromkeys(found))),))


def _early(record: StudyRecord, unfinished: int) -> list[str]:
    if record.ended == WHOLE:
        return []
    many = (
        "1 cell of a shuffle that is not whole is"
        if unfinished == 1
        else f"{unfinished} cells of shuffles that are not whole are"
    )
    return [f"It is not whole: {record.ended}." + (f" {many} in no table." if unfinished else "")]


def files_section() -> Section:
    return Section("files", "Made anew", (Block(bullets=REPLAY),))
