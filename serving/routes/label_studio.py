"""Label Studio: its protocol for models, with a run as the project, and what it needs to label what a run waits for."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from agent.errors import BadInput, ThresherError
from prompts.messages import Frozen
from serving import problem
from serving.exchange import deliveries
from serving.exchange.arrays import array
from serving.exchange.deliveries import Deliveries, Outcome
from serving.exchange.label_config import Controls, config_of, controls_of
from serving.exchange.label_studio import STANDARD, answer_of, person_of
from serving.exchange.predictions import Stored, Text, prediction
from serving.problem import Refused
from serving.runs.formats import short
from serving.runs.job import Job
from serving.runs.review_queue import Choice
from serving.runs.running import pool_of
from serving.runs.view import job_of
from serving.service.desk import AtDesk, Desk
from serving.service.guard import needs

router = APIRouter(prefix="/label-studio", tags=["label studio"], responses=problem.RESPONSES)
Project = Annotated[str, Path(max_length=80, description="The id of a run.")]
Number = Annotated[int, Field(ge=0, lt=2**63)]
MOST = 10_000
"""Tasks of one request; Label Studio sends 100 at most."""
CREATED = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")
DELETED = ("ANNOTATION_DELETED", "ANNOTATIONS_DELETED")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sent(BaseModel):
    """Something of Label Studio's; fields that are not needed here are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StudioTask(Sent):
    id: Number | None = None
    data: dict[str, Any]


class StudioSetup(Sent):
    """Label Studio sends an access token as well: it is not read."""

    schema_: str = Field(default="", alias="schema", description="The label configuration.")


class StudioTasks(Sent):
    tasks: tuple[StudioTask, ...] = Field(max_length=MOST)
    label_config: str | None = None


class StudioNumber(Sent):
    id: Number


class StudioProject(StudioNumber):
    label_config: str | None = None


class StudioAnnotation(StudioNumber):
    task: Number | None = None
    result: tuple[dict[str, Any], ...] | None = ()
    completed_by: Number | dict[str, Any] | None = None
    was_cancelled: bool = False
    lead_time: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)
    updated_at: AwareDatetime
    prediction: dict[str, Any] | None = None
    parent_prediction: Number | None = None


class StudioEvent(Sent):
    """One call of the webhook."""

    action: str = Field(max_length=100)
    annotation: StudioAnnotation | tuple[StudioAnnotation, ...] | None = None
    annotations: tuple[StudioNumber, ...] = ()
    task: StudioTask | tuple[StudioTask, ...] | None = None
    project: StudioProject | None = None


class StudioUp(Frozen):
    status: Literal["UP"] = "UP"
    model_class: str = "Thresher"


class StudioVersion(Frozen):
    model_version: str = Field(description="Another one where the machine has labelled more.")


class StudioPredictions(Frozen):
    results: tuple[dict[str, Any] | tuple[()], ...] = Field(
        description="For each task its prediction; empty where the machine has said nothing of it."
    )
    model_version: str


class StudioTaken(Frozen):
    status: str = Field(description="`ok`, or `Unknown event`.")
    result: dict[str, Any] | None = Field(default=None, description="By annotation, what became of it.")


CONFIG = "<View><Text name='text' value='$text'/><Choices name='label' toName='text'>…</Choices></View>"
TASK: dict[str, Any] = {"id": 7, "data": {"id": "<id of a text>", "text": "A warm and funny film."}}
REGION: dict[str, Any] = {
    "from_name": "label",
    "to_name": "text",
    "type": "choices",
    "value": {"choices": ["positive"]},
}
EVENT: dict[str, Any] = {
    "action": "ANNOTATION_CREATED",
    "annotation": {
        "id": 12,
        "task": 7,
        "result": [REGION],
        "completed_by": 1,
        "lead_time": 4.2,
        "updated_at": "2026-11-25T10:00:00Z",
    },
    "task": TASK,
    "project": {"id": 3, "label_config": CONFIG},
}


@router.get("/{project}/", summary="Whether the run is known", dependencies=[needs("read")])
@router.get("/{project}/health", summary="Whether the run is known, as Label Studio asks", dependencies=[needs("read")])
def health(project: Project, desk: AtDesk) -> StudioUp:
    desk.store.get(project)
    return StudioUp()


@router.post("/{project}/setup", summary="Connect a project", dependencies=[needs("read")])
def setup(
    project: Project, body: Annotated[StudioSetup, Body(examples=[{"schema": CONFIG}])], desk: AtDesk
) -> StudioVersion:
    """The project's label configuration must ask for the labels of the run's task, and for no others."""
    job, stored = _stored(desk, project)
    if body.schema_:
        controls_of(body.schema_, job.task.names)
    return StudioVersion(model_version=stored.version())


@router.post("/{project}/predict", summary="The machine's labels", dependencies=[needs("read")])
def predict(
    project: Project, body: Annotated[StudioTasks, Body(examples=[{"tasks": [TASK]}])], desk: AtDesk
) -> StudioPredictions:
    """What is stored of each task, found by its `data.id`; its text must be that of the run. Nothing is computed."""
    job, stored = _stored(desk, project)
    controls = _controls(body.label_config, job)
    ids = [_id_of(task) for task in body.tasks]
    texts, version = stored.texts(ids), stored.version()
    for id_, task in zip(ids, body.tasks, strict=True):
        _same(project, id_, task, texts)
    found = [prediction(texts[id_], version, controls) for id_ in ids]
    return StudioPredictions(results=tuple(() if each is None else each for each in found), model_version=version)


@router.post(
    "/{project}/webhook",
    summary="What happened in Label Studio",
    status_code=201,
    dependencies=[needs("review")],
    responses={200: {"model": StudioTaken, "description": "Of no concern here"}},
)
def webhook(
    project: Project, body: Annotated[StudioEvent, Body(examples=[EVENT])], desk: AtDesk, response: Response
) -> StudioTaken:
    """Annotations become answers of people, each once: what came before, or is older, changes nothing.

    A deletion takes back what the run has not read yet. Training is the run's own affair: it begins when its labels
    are there.
    """
    job, stored = _stored(desk, project)
    if body.action == "START_TRAINING":
        return StudioTaken(
            status="ok", result={"note": "the run trains by itself, when the labels that it asked for are in"}
        )
    if body.action not in (*CREATED, *DELETED):
        response.status_code = 200
        return StudioTaken(status="Unknown event")
    if body.project is None:
        raise BadInput(f"the event {body.action} came without its project", "let the webhook send its payload")
    queue = Deliveries(desk.reviews)
    if body.action in DELETED:
        gone = (*body.annotations, *_several(body.annotation))
        return StudioTaken(status="ok", result={str(a.id): queue.delete(project, body.project.id, a.id) for a in gone})
    return StudioTaken(status="ok", result=_annotated(queue, project, body, body.project, job, stored))


@router.get("/{project}/metrics", summary="Nothing, as Label Studio wants it", dependencies=[needs("read")])
def metrics(project: Project, desk: AtDesk) -> dict[str, Any]:
    desk.store.get(project)
    return {}


@router.get(
    "/{project}/config",
    summary="The label configuration",
    dependencies=[needs("read")],
    response_class=Response,
    responses={200: {"content": {"application/xml": {"schema": {"type": "string"}}}}},
)
def config(project: Project, desk: AtDesk) -> Response:
    """For the settings of a Label Studio project: the task's labels, and `cannot decide` and `bad text` beside them."""
    job, stored = _stored(desk, project)
    pairs = stored.pairs()
    return Response(config_of(job.task, pairs=pairs), media_type="application/xml")


@router.get(
    "/{project}/tasks",
    summary="The tasks to label now",
    dependencies=[needs("read")],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}}},
)
def tasks(project: Project, desk: AtDesk) -> StreamingResponse:
    """For Label Studio's import: the texts that the run waits for, in its order, with the machine's labels."""
    _, stored = _stored(desk, project)
    return StreamingResponse(array(stored.waiting()), media_type="application/json")


def _stored(desk: Desk, run: str) -> tuple[Job, Stored]:
    job = job_of(desk.store.get(run).job)
    return job, Stored(desk.store, job, run, pool_of(run, desk.settings))


def _controls(config: str | None, job: Job) -> Controls:
    return controls_of(config, job.task.names) if config else STANDARD


def _several(found: Any) -> tuple[Any, ...]:
    return () if found is None else found if isinstance(found, tuple) else (found,)


def _annotated(
    queue: Deliveries, run: str, body: StudioEvent, of: StudioProject, job: Job, stored: Stored
) -> dict[str, Any]:
    """Each annotation by itself: one that is refused keeps no other out, and is told of among the run's events."""
    given: tuple[StudioAnnotation, ...] = _several(body.annotation)
    by_id = {task.id: task for task in _several(body.task)}
    if not given or not by_id:
        raise BadInput(f"the event {body.action} came without annotation and task", "let the webhook send its payload")
    controls = _controls(of.label_config, job)
    told: dict[str, Outcome] = {}
    refused: list[ThresherError] = []
    for each in given:
        task = by_id.get(each.task) or (next(iter(by_id.values())) if len(given) == len(by_id) == 1 else None)
        try:
            told[str(each.id)] = queue.take(run, _read(run, each, task, of, controls, stored))
        except (BadInput, Refused) as error:
            refused.append(error)
            queue.tell(run, each.id, str(error))
    if refused:
        status = refused[0].status if isinstance(refused[0], Refused) else 422
        of_all = f"{len(refused)} of {len(given)} annotations were refused: " if len(given) > 1 else ""
        raise Refused(status, f"{of_all}{refused[0].what}", refused[0].hint)
    return dict(told)


def _read(
    run: str, sent: StudioAnnotation, task: StudioTask | None, of: StudioProject, controls: Controls, stored: Stored
) -> deliveries.Annotated:
    where = f"annotation {sent.id}"
    if task is None:
        raise BadInput(f"{where} is of task {sent.task}, which the event does not hold", "send its task with it")
    id_ = _id_of(task)
    _same(run, id_, task, stored.texts([id_]))
    regions = [r for r in sent.result or () if r.get("from_name") in (controls.label, controls.verdict, None)]
    label, verdict = (None, "") if sent.was_cancelled else answer_of(regions, where)
    return deliveries.Annotated(
        project=of.id,
        annotation=sent.id,
        updated=(sent.updated_at - _EPOCH).total_seconds(),
        example=id_,
        who=person_of(sent.completed_by),
        choice=None if sent.was_cancelled else Choice(verdict=verdict, label=label),
        seconds=sent.lead_time,
        prefilled=bool(sent.prediction) or sent.parent_prediction is not None,
    )


def _id_of(task: StudioTask) -> str:
    id_ = task.data.get("id")
    if not isinstance(id_, str | int) or isinstance(id_, bool) or id_ == "":
        what = f"task {task.id} has the id {short(id_)} in its data, and no text of a run is called so"
        raise BadInput(what, "import the tasks that GET /label-studio/RUN/tasks gives")
    return str(id_)


def _same(run: str, id_: str, task: StudioTask, texts: dict[str, Text]) -> None:
    """Raises Refused or BadInput where a task is none of the run, or has come by another's id."""
    hint = "import the tasks that GET /label-studio/RUN/tasks gives"
    known = texts.get(id_)
    if known is None:
        raise Refused(404, f"task {task.id}: run {run!r} has no text {short(id_)}", hint)
    given = task.data.get("text")
    if known.text is not None and isinstance(given, str) and given != known.text:
        raise BadInput(f"task {task.id}: its text is not the one that run {run!r} calls {short(id_)}", hint)
