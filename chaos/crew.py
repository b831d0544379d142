"""Backhaul processes that are no workers: started, killed, and started again at once."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.ground import Ground
from demo.children import Child


@dataclass(frozen=True)
class Role:
    """A place in a crew, and the command line of whoever stands there."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Crew:
    """Belongs to one thread: Linux ties a child to the thread that started it."""

    def __init__(self, ground: Ground, roles: list[Role]) -> None:
        self._ground = ground
        self._roles = {role.name: role for role in roles}
        self._children: dict[str, Child] = {}
        self._starts = 0
        self.fallen: list[str] = []  # what ended although nobody ended it

    @property
    def names(self) -> list[str]:
        return list(self._roles)

    def start(self) -> None:
        for name in self._roles:
            self._start(name)

    def child(self, name: str) -> Child:
        """Who stands at a place now."""
        return self._children[name]

    def kill(self, name: str) -> None:
        """kill -9; another takes the place at once."""
        self._children[name].kill()
        self._start(name)

    def kill_all(self) -> None:
        """kill -9 of all; nobody takes their places."""
        for child in self._children.values():
            child.kill()
        self._children = {}

    def tend(self) -> None:
        """Starts again whatever has ended by itself, as any init system would."""
        for name, child in list(self._children.items()):
            if child.exit_status is not None:
                self.fallen.append(f"{child.log.stem}: status {child.exit_status}")
                self._start(name)

    def send(self, number: signal.Signals) -> None:
        """A signal to all."""
        for child in self._children.values():
            child.send(number)

    def stop(self, grace: float = 20.0) -> list[str]:
        """TERM to all; those that did not end with 0."""
        self.send(signal.SIGTERM)
        for child in self._children.values():
            child.stop(grace)
        return [
            f"{name}: {child.exit_status}"
            for name, child in self._children.items()
            if child.exit_status != 0
        ]

    def _start(self, name: str) -> None:
        role = self._roles[name]
        self._starts += 1
        self._children[name] = self._ground.sandbox.spawn(
            f"swift-{name}-{self._starts}",
            [self._ground.binary, *role.arguments, "--log-level", "info"],
            environment={**self._ground.environment(), **role.environment},
        )
