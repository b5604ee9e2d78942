"""The three roles over HTTP, each for one JSON body and for a stream of lines."""

from fastapi import APIRouter

from serving.routes import annotate, generate, select

ROUTERS: tuple[APIRouter, ...] = (
    *(each.stream for each in (select, annotate, generate)),
    *(each.router for each in (select, annotate, generate)),
)
"""Those for streams first: they leave what is no stream to the others."""
