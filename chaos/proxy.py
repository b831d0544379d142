"""A network that misbehaves: a TCP proxy before Redis, in a thread of its own."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 64 * 1024
_CALL_LIMIT = 10.0  # seconds a change of the network may take


class _Line:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)
        self.budget: dict[str, int] = {}  # direction → bytes let through before the line is cut
        self.is_dead = False  # swallows everything, and never says so

    def reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


class Proxy:
    """Passes bytes on, until told otherwise. Its methods are called from the main thread."""

    def __init__(self, redis_url: str, rng: random.Random) -> None:
        parts = urlsplit(redis_url)
        assert parts.hostname and parts.port
        self._target = (parts.hostname, parts.port)
        self._rng = rng
        self._lines: set[_Line] = set()
        self._delay = 0.0
        self.cuts = 0  # lines reset by their budget
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open: asyncio.Event
        self._server: asyncio.Server
        port = self._call(self._serve())
        netloc = parts.netloc.replace(f":{parts.port}", f":{port}")
        self.url = urlunsplit(parts._replace(netloc=netloc))

    def delay(self, seconds: float) -> None:
        """Every chunk, in both directions, is held up to so long (on average half of it)."""
        self._delay = seconds

    def cut_after_random_bytes(self, most: int) -> int:
        """Each line is reset once so many more bytes have passed; how many lines there are."""
        return int(self._call(self._arm(("up", "down"), most)))

    def truncate_reply(self, most: int) -> int:
        """Each line is reset in the middle of what Redis says next."""
        return int(self._call(self._arm(("down",), most)))

    def forget_lines(self) -> int:
        """What is open swallows everything from now on, as behind a router that forgot it; new
        lines work. How many there are."""
        return int(self._call(self._forget()))

    def black_hole(self) -> None:
        """Nothing gets through any more, and nothing is closed; new lines are silent too."""
        self._call(self._set_open(False))

    def restore(self, *, reset: bool) -> None:
        """Lets bytes through again: those held back first, or, with `reset`, never."""
        self._delay = 0
        self._call(self._set_open(True, reset=reset))

    def close(self) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_LIMIT)

    async def _serve(self) -> int:
        self._open = asyncio.Event()
        self._open.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _set_open(self, is_open: bool, *, reset: bool = False) -> None:
        if reset:
            for line in list(self._lines):
                line.reset()
        if is_open:
            self._open.set()
        else:
            self._open.clear()

    async def _arm(self, directions: tuple[str, ...], most: int) -> int:
        for line in self._lines:
            for direction in directions:
                line.budget[direction] = self._rng.randint(1, most)
        return len(self._lines)

    async def _forget(self) -> int:
        for line in self._lines:
            line.is_dead = True
        return len(self._lines)

    async def _stop(self) -> None:
        self._server.close()
        for line in list(self._lines):
            line.reset()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            back_reader, back_writer = await asyncio.open_connection(*self._target)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            return
        line = _Line(writer, back_writer)
        self._lines.add(line)
        try:
            await asyncio.gather(
                self._pump(line, "up", reader, back_writer),
                self._pump(line, "down", back_reader, writer),
            )
        except (OSError, asyncio.CancelledError):
            pass  # the line is cut, or the proxy closes
        finally:
            line.reset()
            self._lines.discard(line)

    async def _pump(
        self,
        line: _Line,
        direction: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            if self._delay:
                await asyncio.sleep(self._rng.uniform(0, self._delay))
            await self._open.wait()
            if line.is_dead:
                continue
            left = line.budget.get(direction)
            if left is not None and len(chunk) >= left:
                writer.write(chunk[:left])
                await asyncio.sleep(0)  # what is let through leaves before the reset
                line.reset()
                self.cuts += 1
                return
            if left is not None:
                line.budget[direction] = left - len(chunk)
            writer.write(chunk)
            await writer.drain()
        line.reset()
