from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import requests

from tap_utility_intervals.sandbox import (
    PROVIDERS,
    Answer,
    Provider,
    ReadingTruth,
    Refusal,
    Request,
    Sandbox,
    World,
    answer,
    tiny_world,
)


@dataclass
class Echo:
    """The smallest API: it tells what the world has in store for it."""

    world: World
    credential: str

    def handle(self, request: Request) -> Answer:
        if request.headers.get("x-echo") != self.credential:
            raise Refusal(answer({"detail": "no"}, 401))
        return answer({"said": self.world.more["echo"]})


def nothing(_world: World) -> Iterator[ReadingTruth]:
    return iter(())


ECHO = Provider(
    "echo",
    "Echo",
    prefixes=("/echo/v1",),
    credential="echo-key",
    api=Echo,
    headers=lambda key: {"x-echo": key},
    settings=lambda url, key: {"echo_key": key, "echo_base_url": url},
    readings=nothing,
    meters=lambda _: iter(()),
    bills=lambda _: iter(()),
)


def test_a_further_provider_is_one_entry() -> None:
    world = replace(tiny_world(), more={"echo": "hello"})
    with Sandbox(world, providers=(*PROVIDERS, ECHO)) as sandbox:
        url = f"{sandbox.url_of('echo')}/said"
        headers = ECHO.headers(sandbox.credentials["echo"])
        assert requests.get(url, headers=headers, timeout=10).json()["said"] == "hello"
        assert requests.get(url, timeout=10).status_code == 401
        sandbox.faults.add(provider="echo", status=500)
        assert requests.get(url, headers=headers, timeout=10).status_code == 500
        shown = requests.get(f"{sandbox.url}/_sandbox/summary", timeout=10).json()
        assert shown["echo"]["meters"] == 0
        assert sandbox.settings("echo") == {
            "echo_key": "echo-key",
            "echo_base_url": sandbox.url_of("echo"),
        }
        assert [entry.provider for entry in sandbox.requests] == ["echo"] * 3
        assert set(sandbox.settings()) > {"echo_key", "nectar_api_key"}


def test_each_provider_names_its_credential_and_its_paths() -> None:
    with Sandbox(tiny_world(), credentials={"nectar": "mine"}) as sandbox:
        for name, one in sandbox.providers.items():
            headers = one.headers(sandbox.credentials[name])
            path = {"nectar": "company"}.get(name, "meters")
            url = f"{sandbox.url_of(name)}/{path}"
            assert requests.get(url, headers=headers, timeout=10).status_code == 200
            wrong = one.headers("wrong")
            assert requests.get(url, headers=wrong, timeout=10).status_code == 401
            assert sandbox.provider_of(f"/x{one.prefixes[0]}") is None
