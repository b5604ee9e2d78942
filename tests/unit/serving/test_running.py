"""The main job's own decisions: what it refuses at once, what it plans, what it keeps of the input."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.errors import BadInput, StoreError, Waiting
from agent.generate import Generate
from agent.protocols import Bench
from agent.query import Margin
from agent.recipe import Recipe, Step, WeightsUsed
from agent.recipes import RECIPES
from agent.stopping import Budget
from agent.students import FrozenLinear
from prompts.template import load
from serving.connect import Served, Setting
from serving.llm.probe import Honours
from serving.models.resolve import Loaded
from serving.roles.fingerprints import fingerprints
from serving.runs import running
from serving.runs.job import People
from serving.runs.people import FilePeople
from serving.runs.running import Work, execute, keep, kept, recall
from serving.runs.store import Store
from serving.runs.tables import Table
from serving.runs.wiring import open_store
from serving.runs.wishes import COMPARED, LEARNERS, Wish, asks_llm, check, plan
from serving.runs.worker import Worker
from serving.settings import Settings
from tests.support import toy_runs
from tests.support.questions import TASK, texts
from tests.support.toy_jobs import LINEAR, toy_job, toy_table, toy_worker

HONOURS = Honours(
    label_logprobs=True,
    logprob_token_ids=True,
    structured_outputs=False,
    prefix_cache=False,
    tokenize=True,
    server="fake",
    model="m",
    max_model_len=512,
)
SERVED = Served(
    urls=("http://127.0.0.1:1/v1",),
    model="m",
    variant="M Instruct",
    source="hub",
    hash="ab",
    dtype="float32",
    honours=HONOURS,
)
ENCODER = Loaded(name="e", variant="E", path=Path("/e"), source="local", hash="cd")

FIRST_A_STUDENT = Recipe(
    name="mine", steps=(Step(query=Margin(), size=4),), stop=Budget(labels=8), learner=FrozenLinear()
)


def named(name: str) -> Recipe:
    return FIRST_A_STUDENT.model_copy(update={"name": name})


def wish(**fields: object) -> Wish:
    given: dict[str, object] = {"task": TASK, "table": toy_table(40), "test": None, "budget": 8, "students": ("svm",)}
    return Wish(**{**given, **fields})


def one_class(n: int = 10) -> Table:
    table = toy_table(n)
    return Table(table.columns, dict.fromkeys(table.columns.ids, "sunny"), Path("one.csv"))


def part_of(table: Table, n: int) -> Table:
    columns = table.columns.take(range(n))
    return Table(columns, {id_: table.gold[id_] for id_ in columns.ids}, Path("part.csv"))


def paired(n: int) -> Table:
    table = toy_table(n)
    return Table(replace(table.columns, texts_b=table.columns.texts), table.gold, table.path)


REFUSED = {
    "budget": ({"budget": 41}, "the budget of 41 labels is larger than the pool of 40 texts; ask for less"),
    "recipe": ({"recipe": "magic"}, "there is no recipe 'magic'; known: agent, random"),
    "student": ({"students": ("gpt",)}, "there is no student 'gpt'; known: bert, setfit, linear, svm"),
    "compare without test": ({"compare": True, "simulate": True}, "a comparison needs gold labels"),
    "compare without people": ({"compare": True, "test": toy_table(9, seed=9)}, "a comparison needs gold labels"),
    "one class": ({"table": one_class(), "simulate": True}, "every text in one.csv is labelled 'sunny'; give texts of"),
    "one-class test": ({"test": one_class()}, "every text in one.csv is labelled 'sunny'"),
    "no gold": ({"table": toy_table(40, gold=False), "simulate": True}, "40 of 40 texts in toy.csv have no label"),
    "pairs": ({"table": paired(40)}, "the recipe 'agent' writes single texts, and toy.csv holds pairs; take a recipe"),
    "shared texts": ({"test": part_of(toy_table(40), 9)}, "9 of 9 texts in part.csv stand in toy.csv too, the first"),
    "no test gold": (
        {"test": toy_table(5, gold=False)},
        "5 of 5 texts in toy.csv have no label; fill the label column of the test",
    ),
    "no reads": ({"reads": 0}, "the LLM is to label 0 texts, too few for 8 labels of people; give --reads 3 or more"),
    "few reads": ({"reads": 2, "budget": 8}, "the LLM is to label 2 texts"),
    "no reads for machine-only": ({"recipe": "machine-only", "reads": 0}, "give --reads 1 or more"),
    "real people twice": ({"seeds": 2}, "2 seeds of 1 students would each ask people for 8 labels; take one seed"),
    "nothing to begin with": (
        {"own": FIRST_A_STUDENT, "students": ()},
        "the recipe 'mine': its first step chooses by 'margin', which needs a trained student; begin with a",
    ),
    "long name": ({"own": named("a" * 61)}, f"'{'a' * 60}' is no name for a recipe; use up to 60 printable characters"),
    "name with a slash": ({"own": named("a/b")}, "'a/b' is no name for a recipe"),
    "name of no characters": ({"own": named("a\0")}, "'a\\x00' is no name for a recipe"),
    "no text paid for": (
        {"recipe": "random", "people": People(kind="queue", overlap=9)},
        "8 labels of people pay for no text that 9 of them answer for; give a larger budget, or ask fewer people",
    ),
    "two students": ({"students": ("svm", "bert")}, "1 seeds of 2 students would each ask people"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_only_fail_later_is_refused_at_once(case: str) -> None:
    fields, expected = REFUSED[case]
    with pytest.raises(BadInput) as caught:
        check(wish(**fields))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"budget": 40},
        {"recipe": "random", "reads": 0},
        {"recipe": "machine-only", "reads": 1},
        {"simulate": True, "seeds": 3, "students": ("svm", "bert")},
        {"simulate": True, "compare": True, "test": toy_table(9, seed=9)},
        {"table": toy_table(40, gold=False)},
    ],
)
def test_what_can_be_done_is_not_refused(fields: dict[str, object]) -> None:
    check(wish(**fields))
    plan(wish(**fields), SERVED, ENCODER)


def test_a_plan_holds_everything_that_decides_the_run() -> None:
    job = plan(wish(simulate=True, compare=True, test=toy_table(9, seed=9), seeds=2, noise=0.1), SERVED, ENCODER)
    assert [each.arm.name for each in job.arms] == [name for name, _, _ in COMPARED]
    assert job.llm == WeightsUsed(name="m", variant="M Instruct", source="hub", hash="ab")
    assert job.encoder is not None
    assert job.encoder.hash == "cd"
    assert (job.people.kind, job.people.noise, job.seeds) == ("simulated", 0.1, (0, 1))
    assert job.test_reads == 300
    changed = [wish(budget=9), wish(recipe="random"), wish(table=toy_table(41)), wish(reads=99)]
    assert len({plan(each, SERVED, ENCODER).id for each in [wish(), *changed]}) == 5


@pytest.mark.parametrize("overlap", [1, 2, 3])
@pytest.mark.parametrize("recipe", ["random", "uncertainty", "diversity"])
def test_where_several_answer_for_a_text_a_run_ends_with_its_budget_and_not_before(recipe: str, overlap: int) -> None:
    job = plan(wish(recipe=recipe, budget=12, people=People(kind="queue", overlap=overlap)), None, ENCODER)
    found = job.arms[0].recipe
    assert sum(step.size for step in found.steps) * overlap == 12
    assert found.stop == Budget(labels=12)


def test_a_recipe_of_ones_own_brings_its_learner_unless_a_student_is_named() -> None:
    own = RECIPES["random"](8, FrozenLinear(), 0)
    assert plan(wish(own=own, students=()), None, ENCODER).learners == (FrozenLinear(),)
    assert plan(wish(own=own), None, ENCODER).learners == (LEARNERS["svm"],)
    check(wish(own=own, students=()))


def test_only_recipes_that_ask_an_llm_need_one() -> None:
    assert asks_llm(wish())
    assert asks_llm(wish(recipe="random", compare=True))
    assert not asks_llm(wish(recipe="uncertainty"))
    assert plan(wish(recipe="random"), None, ENCODER).llm is None


def test_a_recipe_names_every_prompt_it_may_use() -> None:
    found = {name.split("@")[0] for name in fingerprints(RECIPES["agent"](8, FrozenLinear(), 9))}
    assert found == {"select/choose", "annotate/label", Generate().prompt, "judge/label"}
    (only,) = fingerprints(RECIPES["machine-only"](8, FrozenLinear(), 9))
    assert only == load("annotate/label").fingerprint({})
    assert fingerprints(RECIPES["random"](8, FrozenLinear(), 9)) == set()


def test_the_input_is_kept_as_it_was(tmp_path: Path) -> None:
    columns, _ = texts(6, pairs=True)
    for table in (toy_table(6), toy_table(6, gold=False), Table(columns, {columns.ids[0]: "sunny"}, Path("p.csv"))):
        path = tmp_path / f"{table.digest}.parquet"
        keep(table, path)
        again = kept(path)
        assert (again.columns, again.gold, again.digest) == (table.columns, table.gold, table.digest)
    keep(toy_table(3), path)
    assert len(kept(path).columns) == 6, "what is kept is not written over"
    assert not list(tmp_path.glob("*.part"))


def test_an_input_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"the input of this run is gone: .*pool\.parquet"):
        kept(tmp_path / "pool.parquet")


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(Settings(cache=tmp_path / "cache", home=tmp_path / "home"), lambda _: None)


def test_a_recorded_run_is_recalled_by_its_id_or_folder(setting: Setting, tmp_path: Path) -> None:
    job, store = toy_job("random"), open_store(setting.settings)
    store.begin(job.id, job.model_dump_json(), str(tmp_path / "results"))
    for name in (job.id, str(tmp_path / "results"), f"somewhere/{job.id}/"):
        found = recall(name, setting)
        assert (found.job, found.folder) == (job, tmp_path / "results")
    with pytest.raises(StoreError, match=f"there is no run 'nothing'; known: {job.id}"):
        recall("nothing", setting)


def test_a_run_of_another_version_is_refused(setting: Setting) -> None:
    store = open_store(setting.settings)
    store.begin("old", toy_job().model_dump_json().replace('"schema_number":1', '"schema_number":2'), "")
    with pytest.raises(StoreError, match="'old' was recorded by another version"):
        recall("old", setting)


def test_a_run_goes_on_with_the_weights_it_began_with() -> None:
    job = plan(wish(), SERVED, ENCODER)
    running._same(job, SERVED)
    with pytest.raises(BadInput, match=r"this run began with m \(SHA-256 ab\), other"):
        running._same(job, SERVED.model_copy(update={"model": "other"}))
    with pytest.raises(BadInput, match="began with m"):
        running._same(job, SERVED.model_copy(update={"hash": "ef"}))


def test_a_run_goes_on_with_the_encoder_it_began_with() -> None:
    job = plan(wish(), SERVED, ENCODER)
    running._same_encoder(job, ENCODER.model_copy(update={"name": "/copied/e", "source": "hub"}))
    with pytest.raises(BadInput, match=r"began with the encoder e \(SHA-256 cd\), other \(ef\) is set now"):
        running._same_encoder(job, ENCODER.model_copy(update={"name": "other", "hash": "ef"}))


def work(tmp_path: Path, worker: Worker) -> Work:
    store = Store(worker.journal("")._engine)
    assert worker.screen is not None
    return Work(worker, store, tmp_path / "out", worker.screen, tmp_path / "second.log")


def test_a_finished_run_is_marked_done_and_leaves_everything(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("random"), tmp_path)
    done = work(tmp_path, worker)
    assert str(tmp_path / "out") in execute(done)
    assert done.store.get(worker.job.id).state == "done"
    assert (tmp_path / "out" / "run.json").exists()


def test_a_run_waits_for_people_and_goes_on_with_their_labels(tmp_path: Path) -> None:
    job = toy_job("random", people="file")
    gold = toy_table(48).gold

    def again() -> Work:
        worker = toy_worker(job, tmp_path)
        worker.people = FilePeople(tmp_path / "out", job.task)
        return work(tmp_path, worker)

    for round_ in range(len(job.arms[0].recipe.steps)):
        waits = again()
        with pytest.raises(Waiting) as caught:
            execute(waits)
        assert f"thresher resume {job.id}" in caught.value.hint
        assert waits.store.get(job.id).state == "waiting"
        path = tmp_path / "out" / f"round-{round_}.csv"
        lines = path.read_text(encoding="utf-8").splitlines()
        filled = [lines[0], *(f"{line}{gold[line.split(',')[0]]}" for line in lines[1:])]
        path.write_text("\n".join(filled), encoding="utf-8")
    done = again()
    execute(done)
    assert done.store.get(job.id).state == "done"


def test_a_failed_run_is_marked_with_its_reason_and_leaves_nothing(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("random"), tmp_path)
    broken = dataclasses.replace(worker.table, gold={})
    worker.table = broken
    failed = work(tmp_path, worker)
    with pytest.raises(BadInput, match="no gold label"):
        execute(failed)
    stored = failed.store.get(worker.job.id)
    assert stored.state == "failed"
    assert "no gold label" in stored.why
    assert not (tmp_path / "out").exists()


def test_the_linear_student_of_a_run_opens_again(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("random", learners=(LINEAR,)), tmp_path)
    done = work(tmp_path, worker)
    execute(done)
    assert done.store.get(worker.job.id).state == "done"
    folders = [tmp_path / "out" / "student", *(card.parent for card in (tmp_path / "students").rglob("student.json"))]
    found, *fitted = (FrozenLinear().load(f, TASK, Bench(TASK, embed=toy_runs.ENCODER)) for f in folders)
    columns, _ = texts(30, seed=9)
    assert any(np.array_equal(found.predict(columns), each.predict(columns)) for each in fitted)
    assert found.samples(columns, 3).shape == (3, 30, 2)


def test_every_student_of_the_command_line_has_its_own_name() -> None:
    assert all(learner.kind == name for name, learner in LEARNERS.items())
