from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tap_utility_intervals.sandbox import Sandbox, World, tiny_world


class Client:
    """A naive reader of a running sandbox, as a stranger would write it."""

    def __init__(self, sandbox: Sandbox, session: requests.Session) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.session = session
        self.session.trust_env = False
        self.session.trust_env = False

    def get(self, url: str, **params: Any) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {self.sandbox.token}",
            "X-API-Key": self.sandbox.api_key,
        }
        return self.session.get(url, params=params, headers=headers, timeout=10)

    def post(self, url: str, json: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.sandbox.token}"}
        return self.session.post(url, json=json, headers=headers, timeout=10)

    def ua(self, path: str, **params: Any) -> Any:
        return self.get(f"{self.sandbox.utilityapi_url}/{path}", **params).json()

    def nectar(self, path: str, version: str = "v2.2", **params: Any) -> Any:
        return self.get(
            f"{self.sandbox.nectar_url_of(version)}/{path}", **params
        ).json()

    def walk_ua(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every object of a list, following `next` to its end."""
        key = path.rpartition("/")[2].replace("-", "_")
        found, page = [], self.ua(path, **params)
        while True:
            found += page[key]
            if page["next"] is None:
                return found
            page = self.get(page["next"]).json()

    def walk_nectar(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """Every row of a list, page by page while `hasNext`."""
        found, number = [], 1
        while True:
            page = self.nectar(path, page=number, **params)
            found += page[key]
            if not page["hasNext"]:
                return found
            number += 1

    def readings(self, **params: Any) -> list[dict[str, Any]]:
        """Every reading of the Interval objects that a query gives."""
        return [
            {**reading, "object": item}
            for item in self.walk_ua("intervals", **params)
            for reading in item["readings"]
        ]


Serve = Callable[..., Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a world and give a client for it; everything is closed at the end."""
    with ExitStack() as stack:

        def start(world: World, **options: Any) -> Client:
            sandbox = stack.enter_context(Sandbox(world, **options))
            return Client(sandbox, stack.enter_context(requests.Session()))

        yield start


@pytest.fixture
def tiny(serve: Serve) -> Client:
    return serve(tiny_world())
