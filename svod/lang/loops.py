"""Loops: over ranges of the running kernel, over static values, while; what break, continue and else mean in each.

Owns: the three kinds of loop and their control flow. Must not know other statements.
Invariant: a loop over `range(...)` written in the `for` is a loop of the running kernel; every other iterable is static and unrolled.
"""
from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from svod.dtype import dtypes
from svod.errors import KernelError
from svod.ir.bounds import vmax, vmin
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.lang import arithmetic, cells
from svod.lang.attributes import fixed
from svod.lang.builder import Branch, Loop
from svod.lang.builtin import Name
from svod.lang.frame import assigned, dependency, is_comparable
from svod.lang.join import RETURNED, Edge, capture, join, restore
from svod.lang.targets import assign
from svod.lang.tracer import Again, Flow, OpenLoop, Tracer
from svod.lang.value import Array, Dynamic, Unbound, Vector, static_number

UNROLL_LIMIT = 65536
"""Iterations of a static loop beyond which it is refused."""
_HEADERS = ("range(stop), range(start, stop) or range(start, stop, step); with init=[…]: `for i, state in range(…)`, and `yield […]` as "
            "the last statement of its body")
WHILE_LIMIT = 64
"""Iterations of a `while` with a static condition after which it is traced as a loop of the running kernel."""


def for_statement(t: Tracer, node: ast.For) -> Flow | None:
    """for target in iterable: …"""
    call = node.iter
    if isinstance(call, ast.Call) and t.evaluate(call.func) is range:
        if call.keywords or not 1 <= len(call.args) <= 3 or any(isinstance(a, ast.Starred) for a in call.args):
            raise KernelError("Invalid range() call", hint=_HEADERS)
        return _range_loop(t, node, [t.evaluate(a) for a in call.args])
    return _unrolled(t, node, iterate(t, t.evaluate(node.iter)))


def iterate(t: Tracer, value: Any) -> Iterator[Any]:
    """The items of a static iterable. KernelError for dynamic ones."""
    if isinstance(value, Vector):
        value = value.lanes
    if isinstance(value, Name):
        value = [value.read(t, attribute) for attribute in value.unpack]
    if isinstance(value, Array):
        raise KernelError("an array cannot be iterated over", hint="for i in range(len(a)): … a[i] …")
    if isinstance(value, Dynamic):
        raise KernelError(f"a dynamic {value.dtype!r} cannot be iterated over")
    if isinstance(value, (list, tuple)):
        for item in value:
            yield t.read(item)
        return
    try:
        items = iter(value)
    except TypeError:
        raise KernelError(f"{type(value).__name__} cannot be iterated over") from None
    if items is not value and not fixed(value):
        items = iter(found := list(items))
        if is_comparable(found):
            t.note(dependency(f"the items of {type(value).__name__}", lambda: list(value), found))
    for item in items:
        yield t.read(item)


_UNBOUND = Unbound("")


# --- loops of the running kernel ---------------------------------------------------------------------------------------------------

def _range_loop(t: Tracer, node: ast.For, bounds: list[Any]) -> Flow | None:
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1) if len(bounds) == 2 else bounds
    if arithmetic.number(step) == 0 if not isinstance(step, Dynamic) else False:
        raise KernelError("range() with a step of 0")
    header = tuple(_bound(t, b, f"the {what} of a range") for b, what in ((start, "start"), (stop, "stop"), (step, "step")))
    target = node.target.id if isinstance(node.target, ast.Name) else ""
    if not target:
        raise KernelError("For loop target must be a simple variable", hint="for i in range(n)")

    read_behind = target in t.frame.liveness.after.get(node, frozenset()) and t.frame.owner(target) is t.frame
    if read_behind and isinstance(t.frame.locals.get(target, _UNBOUND), Unbound) and _runs(start, stop, step):
        t.frame.locals[target] = Dynamic(header[0])  # never read: the first iteration assigns it

    def body(loop: Loop) -> Flow | None:
        value = t.builder.value(dtypes.index, target)
        loop.header = (value, *header)
        assign(t, node.target, Dynamic(value))
        if read_behind and target not in assigned(node.body):
            return _with_counter(t, node, loop, target, Dynamic(value))
        return t.execute(node.body)

    if not node.orelse:
        return _dynamic(t, node, body)
    entry = capture(t.frames)
    with t.scope() as scope:
        flow = _dynamic(t, node, body, scope)
        if flow is None:
            flow = t.execute(node.orelse)
    return t.close_scope(scope, entry, flow, _live(t, node))


def _runs(start: Any, stop: Any, step: Any) -> bool:
    """True if a range surely has a number in it."""
    by = static_number(step)
    first, end = (arithmetic.as_index(v, "a bound of a range") for v in (start, stop))
    return by is not None and (vmax(first) < vmin(end) if by > 0 else vmin(first) > vmax(end))


def _with_counter(t: Tracer, node: ast.For, loop: Loop, name: str, value: Dynamic) -> Flow | None:
    """Executes the body of a loop that does not assign its counter, which is read behind it: in the body it is the number itself."""
    frame, kept = t.frame, t.frame.locals[name]
    frame.locals[name] = value
    flow = t.execute(node.body)
    for names in (frame.locals, *(table for edge in t.edges[id(loop)] for f, table in edge.state.names if f is frame)):
        names[name] = kept
    return flow


def _bound(t: Tracer, value: Any, what: str) -> UOp:
    index = arithmetic.as_index(value, what)
    return index if index.op in (Op.CONST, Op.VALUE, Op.DEFINE_VAR) else t.builder.let(index)


def _live(t: Tracer, node: ast.For | ast.While) -> frozenset[str]:
    live = t.frame.liveness
    return live.after.get(node, frozenset()) | live.captured | {RETURNED}


def _dynamic(t: Tracer, node: ast.For | ast.While, body: Any, outside: Any = None, endless: bool = False) -> Flow | None:
    """A loop of the running kernel: traced until the types of its cells are known.

    `outside`: the Scope that `break` leaves, if not the loop; `endless`: it ends by jumps only.
    """
    key = (id(node), t.frame.source.file, tuple(t.path))
    marks = (t.depth, len(t.frames), len(t.loops), len(t.scopes), len(t.path), t.builder.here, len(t.builder.here))
    before = capture(t.frames)
    while True:
        t.stale.discard(key)
        try:
            flow = _attempt(t, node, key, (body, outside, endless))
            if key not in t.stale:
                return flow
        except Again as again:
            if again.loop != key:
                raise
            t.known.setdefault(key, {})[again.key] = again.value
        except KernelError:
            if key not in t.stale:  # else a value of a type that the next attempt will not see may have caused it
                raise
        t.depth = marks[0]
        del t.frames[marks[1]:], t.loops[marks[2]:], t.scopes[marks[3]:], t.path[marks[4]:]
        t.builder.here = marks[5]
        del t.builder.here[marks[6]:]
        restore(before)


def _attempt(t: Tracer, node: ast.For | ast.While, key: Any, plan: tuple[Any, Any, bool]) -> Flow | None:
    body, outside, endless = plan
    live = t.frame.liveness
    bound = assigned(node.body) | (assigned([node]) if isinstance(node, ast.For) else assigned([ast.Expr(node.test)]))
    matter = live.after.get(node, frozenset()) | live.carried.get(node, frozenset()) | live.captured
    names = {n for n in bound & matter if t.frame.owner(n) is t.frame}
    cells.enter(t, key, names)
    head = capture(t.frames)
    loop = Loop([])
    t.keep.append(loop)
    t.edges[id(loop)] = []
    t.depth += 1
    t.loops.append(OpenLoop(t.depth, outside or loop, loop, key))
    with t.block_of(loop.body):
        if body(loop) is None:
            cells.check(t, key, head, matter, bound)
    t.loops.pop()
    t.depth -= 1
    t.builder.emit(loop)
    edges = t.edges.pop(id(loop))
    restore(head)
    if endless:
        if not edges:
            return Flow.STOPPED
        join(t, head, edges, matter)
    elif edges:
        join(t, head, [*edges, Edge([], 0, head)], matter)
    cells.leave(t, key)
    if not endless:
        before = next(names for frame, names in head.names if frame is t.frame)
        for name in (n for n in bound - before.keys() if t.frame.owner(n) is t.frame):
            t.frame.locals[name] = Unbound(f"{name!r} may be unbound here: only the loop binds it, which may run no iteration",
                                           "bind it before the loop")
    return None


def while_statement(t: Tracer, node: ast.While) -> Flow | None:
    """while condition: …"""
    if isinstance(node.test, ast.Constant) and node.test.value:
        if node.orelse:
            node = ast.copy_location(ast.While(node.test, node.body, []), node)  # an endless loop never comes to its else
        return _dynamic(t, node, lambda loop: t.execute(node.body), endless=True)
    forced = _forced(t, node.test)
    before, mark = capture(t.frames), len(t.builder.here)
    trial: list[Any] = []
    with t.block_of(trial):
        condition = arithmetic.truth(t.evaluate(node.test))
    restore(before)
    if isinstance(condition, Dynamic):
        if forced:
            raise KernelError("const_expr() of a dynamic value", hint="its argument must be known while the kernel is traced")
        return _dynamic_while(t, node)
    flow, finished = _static_while(t, node, UNROLL_LIMIT if forced else WHILE_LIMIT)
    if finished:
        return flow
    del t.builder.here[mark:]
    restore(before)
    return _dynamic_while(t, node)


def _forced(t: Tracer, test: ast.expr) -> bool:
    """True if a condition is const_expr(...)."""
    return isinstance(test, ast.Call) and getattr(t.evaluate(test.func), "name", "") == "const_expr"


def _dynamic_while(t: Tracer, node: ast.While) -> Flow | None:
    if node.orelse:
        raise KernelError("while-else with a dynamic condition", hint="set a flag before `break`, and test it behind the loop")

    def body(loop: Loop) -> Flow | None:
        condition = arithmetic.truth(t.evaluate(node.test))
        if not isinstance(condition, Dynamic):
            condition = Dynamic(UOp.const(bool(condition), dtypes.bool))
        leave = Branch(arithmetic.negation(condition).uop, [], [])
        with t.block_of(leave.then):
            cells.jump(t, loop)
        t.builder.emit(leave)
        return t.execute(node.body)

    return _dynamic(t, node, body, endless=True)


# --- static loops ------------------------------------------------------------------------------------------------------------------

def _static_while(t: Tracer, node: ast.While, limit: int) -> tuple[Flow | None, bool]:
    """Unrolls a `while` whose condition is static so far; False if it has more than `limit` iterations, or its condition turned dynamic."""
    entry, count = capture(t.frames), 0
    live = _live(t, node)
    with t.scope() as scope:
        flow: Flow | None = None
        while flow is None:
            condition = arithmetic.truth(t.evaluate(node.test))
            if isinstance(condition, Dynamic) or count > limit:
                t.edges.pop(id(scope))
                return None, False
            if not condition:
                flow = t.execute(node.orelse)
                break
            count += 1
            flow = _iteration(t, node, scope, count)
        if flow is Flow.BREAK:
            flow = None
    return t.close_scope(scope, entry, flow, live), True


def _unrolled(t: Tracer, node: ast.For, items: Iterator[Any]) -> Flow | None:
    """A loop over static items: one copy of the body for each."""
    entry = capture(t.frames)
    with t.scope() as scope:
        flow: Flow | None = None
        for count, item in enumerate(items):
            if count >= UNROLL_LIMIT:
                raise KernelError(f"a static loop of more than {UNROLL_LIMIT} iterations",
                                  hint="for i in range(n) is a loop of the running kernel")
            assign(t, node.target, item)
            if (flow := _iteration(t, node, scope, count)) is not None:
                break
        if flow is Flow.BREAK:
            flow = None
        elif flow is None:
            flow = t.execute(node.orelse)
    return t.close_scope(scope, entry, flow, _live(t, node))


def _iteration(t: Tracer, node: ast.For | ast.While, scope: Any, count: int) -> Flow | None:
    """One copy of the body; None: go on with the next."""
    entry = capture(t.frames)
    t.path.append(count)
    with t.scope() as inner:
        t.loops.append(OpenLoop(t.depth, scope, inner))
        flow = t.execute(node.body)
        t.loops.pop()
    t.path.pop()
    if flow is Flow.CONTINUE:
        flow = None
    live = t.frame.liveness
    return t.close_scope(inner, entry, flow, _live(t, node) | live.carried.get(node, frozenset()))


def break_statement(t: Tracer, node: ast.Break) -> Flow:
    """break"""
    loop = t.loops[-1]
    if isinstance(loop.jump, Loop) or isinstance(loop.again, Loop) or t.divergent(loop.depth, loop.jump):
        return cells.jump(t, loop.jump)
    return Flow.BREAK


def continue_statement(t: Tracer, node: ast.Continue) -> Flow:
    """continue"""
    loop = t.loops[-1]
    if isinstance(loop.again, Loop):
        return cells.jump(t, loop.again, again=True)
    if t.divergent(loop.depth, loop.again):
        return cells.jump(t, loop.again)
    return Flow.CONTINUE
