"""The ceiling: a Starlette that gives back the JSON it gets."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def echo(request: Request) -> JSONResponse:
    """The same, back."""
    return JSONResponse(await request.json())


async def docs(_: Request) -> JSONResponse:
    """Ready."""
    return JSONResponse({})


posts = [Route(path, echo, methods=["POST"]) for path in ("/predict", "/predict_batch")]
app = Starlette(routes=[*posts, Route("/docs", docs)])
