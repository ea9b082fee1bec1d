"""Streams of a CUDA device: what is under way in each, and what that needs until it is done.

Owns: lanes (a stream and its launches that nobody waited for), marks, which lane a stream given by a user is. Must not know kernels.
Invariant: buffers, arrays and records of a launch are kept until an event behind it has passed; what it has to say is said by whoever
synchronizes.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from svod.device.cuda.driver import Driver
from svod.device.stream import Stream, current_stream
from svod.errors import DeviceError, LaunchError, SvodError, shown

UNDER_WAY = 1024
"""Launches of a lane that may be under way; the next one waits for the oldest."""
FOREIGN_KEPT = 256
FIRST_HANDLE = 4096
"""Handles are addresses. A smaller number, as in `sl.Stream(3)`, is a stream of the device by its number, made when it is first named."""
HINT = "None, a svod.Stream of this device, the number of a stream, or one of torch or CuPy"


class CudaMark:
    """An event that was recorded."""

    def __init__(self, driver: Driver, timed: bool) -> None:
        self.driver = driver
        self.event = driver.call("making an event", driver.api.event, timed)

    def synchronize(self) -> None:
        self.driver.call("waiting for launches", self.driver.api.synchronize_event, self.event)

    @property
    def done(self) -> bool:
        return self.driver.call("asking for launches", self.driver.api.done, self.event)

    def since(self, earlier: Any) -> float:
        for mark in (earlier, self):
            mark.synchronize()
        return self.driver.call("measuring time", self.driver.api.elapsed, earlier.event, self.event)

    def __del__(self) -> None:
        event = self.__dict__.pop("event", None)
        if event is not None:
            self.driver.drop(self.driver.api.destroy_event, event)


class Launched(NamedTuple):
    """A launch that nobody waited for."""

    name: str
    keeps: object
    told: Callable[[], None] | None = None
    """Says what the kernel has to say, once it is done."""
    mark: CudaMark | None = None


class Lane:
    """A stream, None being the default one. Any number of threads may use it."""

    def __init__(self, driver: Driver, stream: Any, *, own: bool = False, foreign: bool = False) -> None:
        self.driver, self.stream, self.foreign = driver, stream, foreign
        self._own = own
        self.capturing = False
        self._followed = -1
        self._under_way: deque[Launched] = deque()
        self._kept: list[object] = []

    @property
    def handle(self) -> int:
        return self.driver.api.number_of(self.stream)

    @property
    def idle(self) -> bool:
        """Whether nothing has to be kept for it."""
        return not self._under_way and not self.capturing

    def launched(self, launch: Launched) -> None:
        """Keeps what a launch needs until it is done."""
        if self.capturing:
            self._kept.append(launch.keeps)
            return
        self._under_way.append(launch._replace(mark=self._mark(False)))
        self._settle()

    def follow(self) -> None:
        """Lets a stream that does not wait for the default one wait for memory that was given, and copies that were made, since the last
        time."""
        given, driver = self.driver.given, self.driver
        if self._followed != given:
            mark = CudaMark(driver, False)
            driver.call("recording an event", driver.api.record, mark.event, None)
            driver.call("waiting for an event", driver.api.wait_for, self.stream, mark.event)
            self._followed = given

    def record(self) -> CudaMark:
        return self._mark(True)

    def wait(self, mark: CudaMark) -> None:
        if mark.driver is not self.driver:
            raise LaunchError(f"a stream of {self.driver.name} cannot wait for an event of {mark.driver.name}", hint="event.synchronize()")
        self.driver.call("waiting for an event", self.driver.api.wait_for, self.stream, mark.event)

    def synchronize(self) -> None:
        if self.capturing:
            raise LaunchError("a graph that is being written cannot be waited for", hint="leave the with block, then launch it")
        waited = [self._under_way.popleft() for _ in range(len(self._under_way))]
        self.driver.call(named(waited), self.driver.api.synchronize, self.stream)
        _tell(waited)

    def begin(self) -> None:
        self._check_graphs()
        self.driver.call("writing a graph", self.driver.api.begin_capture, self.stream)
        self.capturing = True

    def end(self) -> Callable[[Any], None]:
        self.capturing = False
        driver, kept = self.driver, tuple(self._kept)
        self._kept.clear()
        graph = _Graph(driver, driver.call("writing a graph", driver.api.end_capture, self.stream), kept)
        usual = Lane(driver, None)

        def run(queue: Any) -> None:
            lane: Lane = queue or usual
            if lane.foreign:
                lane.follow()
            driver.call("a graph", driver.api.launch_graph, graph.made, lane.stream)
            lane.launched(Launched("a graph", graph))
        return run

    def _check_graphs(self) -> None:
        if not self.driver.api.graphs:
            raise DeviceError(f"{self.driver.api.name} has no graphs", hint="pip uninstall pycuda; pip install cuda-bindings")

    def _mark(self, timed: bool) -> CudaMark:
        mark = CudaMark(self.driver, timed)
        self.driver.call("recording an event", self.driver.api.record, mark.event, self.stream)
        return mark

    def _settle(self) -> None:
        """Lets go of what is done, and of no launch that has something to say."""
        while self._under_way:
            try:
                oldest = self._under_way.popleft()
            except IndexError:  # another thread was faster
                return
            over = len(self._under_way) >= UNDER_WAY
            if oldest.mark is not None and over:
                oldest.mark.synchronize()
            elif oldest.told is not None or oldest.mark is None or not oldest.mark.done:
                self._under_way.appendleft(oldest)
                return
            _tell([oldest])

    def __del__(self) -> None:
        if self._own:
            if self._under_way:  # what they need goes with this object
                self.driver.drop(self.driver.api.synchronize, self.stream)
            self.driver.drop(self.driver.api.destroy_stream, self.stream)


class _Graph:
    """A graph that can run, and what its launches need."""

    def __init__(self, driver: Driver, made: Any, kept: tuple[object, ...]) -> None:
        self.driver, self.made, self.kept = driver, made, kept

    def __del__(self) -> None:
        self.driver.drop(self.driver.api.destroy_graph, self.made)


def named(launches: list[Launched]) -> str:
    """The launches that are waited for, as an error names them."""
    names = list(dict.fromkeys(n.name for n in launches))
    if not names:
        return "launches before"
    return names[0] if len(names) == 1 else f"one of {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"


def _tell(waited: list[Launched]) -> None:
    """Lets launches that are done say what they have to say; then the first error."""
    first: SvodError | None = None
    for launch in waited:
        try:
            if launch.told is not None:
                launch.told()
        except SvodError as e:
            first = first or e
    if first is not None:
        raise first


class Lanes:
    """The lanes of a device."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.usual = Lane(driver, None)
        self._foreign: dict[int, Lane] = {}
        self._numbered: dict[int, Lane] = {}

    def new(self, capturing: bool = False) -> Lane:
        """One with a stream of its own. What is written for a graph stays out of the order of the default stream."""
        made = self.driver.call("making a stream", self.driver.api.stream, not capturing)
        return Lane(self.driver, made, own=True)

    def of(self, stream: object) -> Lane:
        """The lane that a user means, None being that of the context. LaunchError for what is no stream, and for one of another device."""
        given: Any = current_stream() if stream is None else stream
        while not isinstance(given, Stream | Lane) and hasattr(given, "handle"):  # a Stream of the kernel language
            given = given.handle
        if given is None:
            return self.usual
        if isinstance(given, Stream | Lane):
            return self._mine(given.queue if isinstance(given, Stream) else given)
        return self._other(given)

    def _other(self, stream: object) -> Lane:
        """That of a stream of another library, or of a number."""
        number = _number(stream)
        if number in (0, 1):
            return self.usual
        if number < FIRST_HANDLE:
            return self._numbered.get(number) or self._numbered.setdefault(number, self.new())
        if (lane := self._foreign.get(number)) is None:
            if not self.driver.api.foreign_streams:
                raise LaunchError(f"{self.driver.api.name} cannot use a stream of another library", at=shown(stream),
                                  hint="a svod.Stream, or pip uninstall pycuda; pip install cuda-bindings")
            if len(self._foreign) >= FOREIGN_KEPT:
                self._foreign = {n: lane for n, lane in self._foreign.items() if not lane.idle}
            lane = self._foreign.setdefault(number, Lane(self.driver, self.driver.api.stream_of(number), foreign=True))
        return lane

    def _mine(self, queue: object) -> Lane:
        if not isinstance(queue, Lane) or queue.driver is not self.driver:
            raise LaunchError(f"the stream is of another device, and the kernel runs on {self.driver.name}", hint=HINT)
        return queue


def _number(stream: object) -> int:
    """The number of a stream of another library."""
    given: Any = stream
    if hasattr(given, "__cuda_stream__"):
        return int(given.__cuda_stream__()[1])
    for attribute in ("cuda_stream", "ptr"):
        if hasattr(given, attribute):
            return int(getattr(given, attribute))
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise LaunchError(f"{shown(stream)} is no stream", hint=HINT)
