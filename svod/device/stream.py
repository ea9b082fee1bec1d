"""Streams, events and graphs of a device, as users have them: launches that are not waited for, in an order that is theirs to say.

Owns: `Stream`, `Event`, `Graph`, and which stream launches of this context go to. Must not know any driver: what they do is a `Queue` of
the device's backend. Invariant: whatever a launch that is still under way needs is kept until it is done.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Protocol, Self

from svod.device.immediate import Immediate
from svod.errors import DeviceUnavailable, LaunchError, shown


class Mark(Protocol):
    """A moment in a queue."""

    def synchronize(self) -> None:
        """Waits until it has passed."""

    @property
    def done(self) -> bool:
        """Whether it has passed."""

    def since(self, earlier: Any) -> float:
        """Milliseconds from another mark to this one, after waiting for both."""


class Queue(Protocol):
    """What a backend gives for a stream."""

    @property
    def handle(self) -> int:
        """What other libraries of this device know it by."""

    def synchronize(self) -> None:
        """Waits for everything in it."""

    def record(self) -> Mark:
        """A mark behind what is in it."""

    def wait(self, mark: Any) -> None:
        """Lets what comes after wait for a mark, of any queue of the device."""

    def begin(self) -> None:
        """What comes now is written down, and not done."""

    def end(self) -> Callable[[Queue | None], None]:
        """Ends that. Calling the result does it all, in the queue given (None: the default one), and waits for nothing."""


class StreamDevice(Protocol):
    """What these need of a device."""

    @property
    def name(self) -> str: ...

    @property
    def backend(self) -> Any: ...


_current: ContextVar[object] = ContextVar("svod_stream", default=None)
_RESOLVERS: list[Callable[[str], Any]] = []


def set_stream_device_resolver(resolver: Callable[[str], Any]) -> None:
    """Say how a device is found by name, as `svod.device.buffer` is told."""
    _RESOLVERS[:] = [resolver]


def current_stream() -> object:
    """The stream of the innermost `with stream:`, `with graph:` (a Queue) or `in_stream` (whatever was given); None outside."""
    return _current.get()


@contextmanager
def in_stream(stream: object) -> Iterator[None]:
    """Launches inside go to a stream, which may be one of another library; devices without streams take no notice."""
    token = _current.set(stream)
    try:
        yield
    finally:
        _current.reset(token)


def _queue_of(device: StreamDevice | str, capturing: bool = False) -> Queue:
    found: Any = _RESOLVERS[0](device) if isinstance(device, str) else device
    if not hasattr(found, "backend"):
        raise DeviceUnavailable(f"{shown(device)} is no device", hint='svod.Stream("CUDA")')
    make = found.backend.queues
    if make is None and capturing:
        raise DeviceUnavailable(f"{found.name} has no graphs", hint="launch the kernels themselves")
    queue: Queue = Immediate(found.name) if make is None else make(capturing)
    return queue


def _check_event(event: object) -> None:
    if not isinstance(event, Event):
        raise LaunchError(f"{shown(event)} is no event", hint="event = stream.record()")


class Event:
    """A moment in a stream: `stream.record()` makes one."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark

    @property
    def done(self) -> bool:
        """Whether everything before it is done. DeviceError if that failed."""
        return self.mark.done

    def synchronize(self) -> None:
        """Waits until everything before it is done. DeviceError if that failed."""
        self.mark.synchronize()

    def since(self, earlier: Event) -> float:
        """Milliseconds on the device between an earlier event and this one, after waiting for both. LaunchError for what is no event."""
        _check_event(earlier)
        return self.mark.since(earlier.mark)


class Stream:
    """A queue of launches on a device: `program.execute(buffers, values, stream=s, wait=False)`, or `with s:` around launches.

    Launches in a stream are done in their order; those of two streams at the same time, if there is room. Launches without a stream come
    after everything before them in any stream, and before everything behind them. Inside of `with s:` no launch is waited for.
    Devices whose launches are done when they return have streams in which nothing is ever under way.
    """

    def __init__(self, device: StreamDevice | str) -> None:
        self.queue = _queue_of(device)
        self._tokens: list[Token[object]] = []

    @property
    def handle(self) -> int:
        """Its number in CUDA, for other libraries: `torch.cuda.ExternalStream(s.handle)`. DeviceUnavailable on other devices."""
        return self.queue.handle

    def __cuda_stream__(self) -> tuple[int, int]:
        """NVIDIA's protocol of streams, version 0, for cuda.core and others."""
        return (0, self.handle)

    def synchronize(self) -> None:
        """Waits until it is empty. DeviceError, naming the launches that may be to blame, if one failed."""
        self.queue.synchronize()

    def record(self) -> Event:
        """An event behind what is in it now."""
        return Event(self.queue.record())

    def wait(self, event: Event) -> None:
        """Lets everything that comes after wait for an event, of this or another stream of the device. LaunchError for what is none."""
        _check_event(event)
        self.queue.wait(event.mark)

    def __enter__(self) -> Self:
        self._tokens.append(_current.set(self.queue))
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        _current.reset(self._tokens.pop())

    def __repr__(self) -> str:
        return f"<Stream of {self.queue.name}>" if isinstance(self.queue, Immediate) else f"<Stream {self.handle:#x}>"


class Graph:
    """A sequence of launches that is started as one: `with Graph("CUDA") as g:` around them writes them down, `g.launch()` runs them.

    Buffers and values are those of then; what buffers hold is read when it runs. Host arrays cannot take part: nothing runs while the
    sequence is written down. DeviceUnavailable for a device without graphs, DeviceError for a driver without them.
    """

    def __init__(self, device: StreamDevice | str) -> None:
        self._queue: Queue = _queue_of(device, True)
        self._run: Callable[[Queue | None], None] | None = None
        self._token: Token[object] | None = None

    def __enter__(self) -> Self:
        if self._run is not None or self._token is not None:
            raise LaunchError("a graph is written once", hint="make another one")
        self._queue.begin()
        self._token = _current.set(self._queue)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._token is not None:
            _current.reset(self._token)
        run = self._queue.end()
        if kind is None:
            self._run = run

    def launch(self, stream: Stream | None = None, *, wait: bool = True) -> None:
        """Runs the sequence in a stream. LaunchError for a graph that is not complete; DeviceError if a launch fails that is waited for."""
        if self._run is None:
            raise LaunchError("the graph holds nothing that can run", hint="with Graph(device) as g: ... launches ...; then g.launch()")
        self._run(None if stream is None else stream.queue)
        if wait:
            (self._queue if stream is None else stream.queue).synchronize()
