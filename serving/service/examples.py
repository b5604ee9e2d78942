"""What operations answer, by example, for the OpenAPI document; a test holds each to the model of its answer."""

from typing import Any

_AT = "2026-03-02T09:30:00.000000+00:00"
_USAGE = {
    "requests": 1,
    "recorded": 0,
    "prompt_tokens": 120,
    "cached_tokens": 96,
    "generated_tokens": 1,
    "seconds": 0.4,
}
_PROMPT = "annotate/label@1#0f3c5a9e"
DATA = {
    "id": "7d1c0e54b0",
    "name": "films",
    "rows": 1000,
    "pairs": False,
    "labelled": 0,
    "columns": ["id", "text"],
    "bytes": 104220,
    "created": _AT,
}
COST = {"human_labels": 3, "human_seconds": 41.5, "calls": 62, "tokens_in": 21400, "tokens_out": 380, "seconds": 30.2}
RUN = {
    "id": "films-1b2c3d4e",
    "title": "films",
    "task": "films",
    "recipe": "agent",
    "state": "waiting",
    "why": "people have given 3 of 10 labels in round 1",
    "created": _AT,
    "updated": _AT,
    "origin": "service",
    "budget": 32,
    "cells": 1,
    "finished": 0,
    "human_labels": 3,
    "machine_labels": 0,
    "cost": COST,
    "caps": {"requests": 2000, "tokens": None, "seconds": None, "human_labels": None, "human_minutes": 60},
    "charged": {"requests": 66, "tokens": 23100, "seconds": 31.4},
    "asked": {"kind": "labels", "round": 0, "done": 3, "total": 10},
    "progress": None,
}
_QUEUED = {**RUN, "state": "queued", "why": "", "human_labels": 0, "cost": {}, "asked": None}
_QUEUED["charged"] = {"requests": 0, "tokens": 0, "seconds": 0.0}
ITEM = {
    "token": "17-mTq0W0fJk2Yb1h3N",
    "example": "a",
    "text": "A warm and funny film.",
    "text_b": None,
    "round": 0,
    "position": 3,
    "suggestion": {"label": "positive", "confidence": 0.93, "reason": "", "by": "llm:qwen2.5-0.5b-instruct"},
    "blind": False,
    "expires": 1772444400.0,
    "chosen": None,
}
_SAID = {"verdict": "label", "label": "positive"}
PICK = {
    "example": "a",
    "text": "A warm and funny film.",
    "text_b": None,
    "why": "praise and doubt in one sentence",
    "round": 0,
    "kept": None,
    "reason": "",
    "who": "",
}
_RANGE = {"low": 600, "expected": 640, "high": 700}
_ROUND = {
    "index": 0,
    "sizes": {"unlabelled": 990, "labelled": 10},
    "human_labels": 10,
    "picked": 10,
    "cost": {**COST, "human_labels": 10},
}
_WRITTEN = {
    "id": "g1",
    "text": "The jokes land, the plot does not.",
    "label": "negative",
    "gap": "mixed praise",
    "accepted": True,
}
_EVENT = {"id": "12", "event": "label", "data": '{"round": 0, "done": 3, "total": 10}'}
_LABEL = '{"id": "a", "text": "A warm and funny film.", "label": "positive", "provenance": "human"}\n'

_PROMPTS = {
    "id": "annotate/label",
    "version": 1,
    "fingerprint": _PROMPT,
    "reply": "label",
    "source": "label reads: one token, with its probability",
    "variables": {"text": "the text to label"},
    "slots": {"rationale": {"meaning": "whether a reason is given", "fillings": ["none", "before"], "default": "none"}},
}
_RECIPE = {
    "name": "random",
    "steps": [{"query": {"kind": "random"}, "size": 16, "annotate": {"kind": "human"}}],
    "stop": {"kind": "budget", "labels": 16},
    "learner": {"kind": "svm"},
}
_COMPONENT = {
    "kind": "margin",
    "family": "strategy",
    "about": "Best average rank among uncertainty scores.",
    "needs": ["student"],
    "json_schema": {"type": "object", "properties": {"kind": {"const": "margin"}}},
}
_REGION = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["positive"]}}
_PREDICTION = {"model_version": "films-1b2c3d4e@2", "score": 0.93, "result": [{"id": "machine", **_REGION}]}
_TASKS = [{"data": {"id": "a", "text": "A warm and funny film."}, "predictions": [_PREDICTION]}]
_CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="label" toName="text" choice="single">
    <Choice value="positive"/>
    <Choice value="negative"/>
  </Choices>
</View>
"""
_UP = {"status": "UP", "model_class": "Thresher"}

ANSWERS: dict[str, dict[str, Any]] = {
    "POST /v1/select": {
        "picks": [{"id": "b", "score": None, "reason": "mixed", "shown": 1, "listed": 2, "filled": False}],
        "by": "llm:qwen2.5-0.5b-instruct",
        "filled_share": 0.0,
        "notes": {},
        "prompts": ["select/choose@1#5b7e11aa"],
        "usage": _USAGE,
    },
    "POST /v1/annotate": {
        "annotations": [
            {
                "id": "a",
                "label": "positive",
                "confidence": 0.93,
                "raw": {"positive": 0.93, "negative": 0.07},
                "calibrated": None,
                "label_mass": 0.99,
            }
        ],
        "by": f"llm:qwen2.5-0.5b-instruct@{_PROMPT}",
        "calibration": "none: no random sample of the pool is known",
        "prompts": [_PROMPT],
        "usage": _USAGE,
    },
    "POST /v1/generate": {
        "accepted": [_WRITTEN],
        "rejected": [],
        "refused": 0,
        "by": "llm:qwen2.5-0.5b-instruct",
        "prompts": ["generate/gap@1#90aa12fe"],
        "usage": _USAGE,
    },
    "GET /v1/prompts": {"items": [_PROMPTS], "next": None},
    "POST /v1/prompts/{id}/render": {
        "messages": [{"role": "user", "content": "Film review sentence: A warm and funny film."}],
        "fingerprint": _PROMPT,
        "slots": {"rationale": "none"},
    },
    "GET /v1/recipes": {
        "items": [{"name": "random", "about": "Random sampling.", "asks_llm": False, "recipe": _RECIPE}],
        "next": None,
    },
    "GET /v1/strategies": {"items": [_COMPONENT], "next": None},
    "POST /v1/datasets": DATA,
    "GET /v1/datasets": {"items": [DATA], "next": None},
    "GET /v1/datasets/{id}": DATA,
    "GET /v1/datasets/{id}/examples": {
        "items": [{"row": 1, "id": "a", "text": "A warm and funny film.", "text_b": None, "label": "", "meta": {}}],
        "next": "1",
    },
    "POST /v1/plan": {
        "cells": 1,
        "llm_requests": _RANGE,
        "prompt_tokens": {"low": 70000, "expected": 74000, "high": 81000},
        "generated_tokens": {"low": 900, "expected": 1100, "high": 1500},
        "llm_seconds": {"low": 300, "expected": 350, "high": 480},
        "human_labels": {"low": 32, "expected": 32, "high": 32},
        "human_minutes": {"low": 1.6, "expected": 4.3, "high": 10.7},
        "rounds": [
            {"round": 0, "query": "llm", "size": 10, "annotate": "human", "llm_requests": 20, "human_labels": 10}
        ],
        "assumptions": ["a label takes a person 3 to 20 seconds"],
        "exceeds": [],
    },
    "POST /v1/runs": _QUEUED,
    "GET /v1/runs": {"items": [{**RUN, "charged": None}], "next": None},
    "GET /v1/runs/{run}": RUN,
    "POST /v1/runs/{run}/cancel": {**RUN, "state": "cancelled", "why": "by request", "asked": None},
    "POST /v1/runs/{run}/resume": _QUEUED,
    "GET /v1/runs/{run}/history": {
        "rounds": [_ROUND],
        "points": [{"human_labels": 10, "accuracy": 0.71, "macro_f1": 0.7, "predictions": [0, 1, 1]}],
        "scouts": [],
    },
    "GET /v1/runs/{run}/rounds/{index}": {
        "index": 0,
        "by": "llm:qwen2.5-0.5b-instruct",
        "picks": [
            {
                **{name: PICK[name] for name in ("example", "text", "text_b", "why")},
                "origin": "pool",
                "score": None,
                "shown": 4,
                "listed": 40,
                "filled": False,
            }
        ],
        "notes": {},
    },
    "POST /v1/runs/{run}/review": ITEM,
    "POST /v1/runs/{run}/review/undo": {**ITEM, "chosen": _SAID},
    "GET /v1/runs/{run}/review": {
        "round": 0,
        "total": 10,
        "done": 3,
        "held": 1,
        "mine": 3,
        "seconds_per_label": 4.2,
    },
    "POST /v1/runs/{run}/labels": {
        "example": "a",
        "choice": _SAID,
        "confirmed": True,
        "repeated": False,
        "done": 4,
        "total": 10,
        "why": "praise and doubt in one sentence",
    },
    "GET /v1/runs/{run}/picks": {"items": [PICK], "next": None},
    "POST /v1/runs/{run}/picks": {"left": 0},
    "POST /v1/runs/{run}/picks/{example}": {"left": 9},
    "GET /v1/runs/{run}/agreement": {
        "answers": 20,
        "raw": 0.9,
        "fleiss_kappa": 0.79,
        "pairs": [{"people": ["ann", "bob"], "texts": 10, "raw": 0.9, "cohen_kappa": 0.8}],
        "anchoring": {
            "shown": 16,
            "shown_agreed": 14,
            "blind": 4,
            "blind_agreed": 3,
            "difference": 0.125,
            "low": -0.34,
            "high": 0.59,
        },
    },
    "GET /v1/runs/{run}/record": {
        "id": "films-1b2c3d4e",
        "thresher": "0.1.0",
        "job": {},
        "cells": [],
        "seconds": 212.4,
    },
    "GET /label-studio/{project}/": _UP,
    "GET /label-studio/{project}/health": _UP,
    "GET /label-studio/{project}/metrics": {},
    "POST /label-studio/{project}/setup": {"model_version": "films-1b2c3d4e@2"},
    "POST /label-studio/{project}/predict": {"results": [_PREDICTION], "model_version": "films-1b2c3d4e@2"},
    "POST /label-studio/{project}/webhook": {"status": "ok", "result": {"12": "answer"}},
    "GET /health": {"status": "alive"},
    "GET /ready": {"ready": True, "database": "ready", "engine": "qwen2.5-0.5b-instruct", "runs": "looked after"},
}
"""JSON, by method and path."""
OTHERS: dict[str, tuple[str, Any]] = {
    "GET /v1/runs/{run}/events": ("text/event-stream", _EVENT),
    "GET /v1/runs/{run}/labels": ("application/x-ndjson", _LABEL),
    "GET /v1/runs/{run}/report": ("text/html", '<!doctype html><html lang="en"><title>films</title>…</html>'),
    "GET /label-studio/{project}/config": ("application/xml", _CONFIG),
    "GET /label-studio/{project}/tasks": ("application/json", _TASKS),
    "GET /metrics": ("text/plain", 'thresher_runs{state="running"} 1.0\n'),
}
"""Media type and example of those that answer with something else."""
