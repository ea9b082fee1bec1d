"""A THREADS as a LINEAR program for targets without work items.

Owns: the shares of groups that cores get, the width of vectors and the number run in lockstep. Must not know single statements.
Invariant: each work item of the grid is run once, by one core; the groups are independent of one another.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

from svod.codegen.apply import core_id
from svod.codegen.contract import CONTRACTION
from svod.codegen.decompose import math_rules, require_supported, rules_for
from svod.codegen.passes import Context, Listener, Stage, require_checks, through
from svod.codegen.simt.body import Body
from svod.codegen.simt.counters import with_counters
from svod.codegen.simt.emit import LEAVES, Emitter, index
from svod.codegen.simt.groups import Group
from svod.codegen.simt.lanes import Rows, Shape, group_ids
from svod.codegen.simt.rare import with_rare_branches
from svod.codegen.simt.shape import has_barrier, prepared
from svod.codegen.simt.streams import with_streams
from svod.codegen.simt.uniform import Uniformity
from svod.codegen.simt.values import with_values
from svod.codegen.simt.whiles import with_counted_loops
from svod.config import Config
from svod.dtype import dtypes
from svod.ir.args import ThreadsInfo
from svod.ir.ops import MEMORIES, Op
from svod.ir.rewrite import rewrite
from svod.ir.rules import SIMPLIFY
from svod.ir.spec import LINEAR
from svod.ir.threads import grid_variable
from svod.ir.uop import UOp
from svod.target import Target

TOGETHER = 4
"""Vectors run in lockstep: enough to hide the latency of dependent operations, few enough for the registers."""
LOCKSTEP = 16
"""Vectors up to which a group with barriers runs in lockstep as a whole, so that its barriers cost nothing."""
GUESSED_TRIPS = 16
"""Iterations a loop of unknown length is taken to have."""
OPERATIONS_PER_NS = 24
"""Operations of single work items that a core does in a ns, taken from kernels of arithmetic; memory-bound ones do a third of that."""
WHOLE = 1600
"""Nodes of a kernel times vectors of a group up to which it runs in lockstep as a whole."""
SMALL = 600
"""Nodes of a kernel times vectors in lockstep: more is not worth its compile time."""


def _inside(run: Callable[[UOp], UOp]) -> Callable[[UOp, Context], UOp]:
    """What `run` does to the statements of a THREADS."""
    return lambda threads, _: threads.replace(src=(run(threads.src[0]),))


THREAD_PIPELINE: tuple[Stage, ...] = (
    Stage("simplify-threads", "index arithmetic is smallest before work items are copied into lanes", lambda t, _: rewrite(t, SIMPLIFY)),
    Stage("decompose-math", "math functions become polynomials while there is one copy of each",
          lambda t, c: rewrite(rewrite(t, math_rules(c.target)), SIMPLIFY)),
    Stage("branch-rare-arms", "work that few work items ever want is skipped where none does", _inside(with_rare_branches)),
    Stage("count-loops", "variables become values where they can, loops of a known number of iterations count",
          _inside(lambda body: with_values(with_counted_loops(with_values(prepared(body)))))),
    Stage("map-work-items", "groups become shares of the cores, work items loops and lanes",
          lambda t, c: _mapped(t, c.target, c.config), LINEAR),
)


def lower_threads(threads: UOp, ctx: Context, listen: Listener | None = None) -> UOp:
    """The LINEAR program of a THREADS. `listen` sees every result and its seconds. UnsupportedError, by name, for what the target lacks."""
    require_checks(threads, ctx)
    return through(THREAD_PIPELINE, threads, ctx, listen)


def _mapped(threads: UOp, target: Target, config: Config) -> UOp:
    info, body = threads.arg, threads.src[0]
    shape = Shape(info.block, _width(body, info, target))
    body = with_values(with_counters(body, Uniformity(body)))
    facts = Uniformity(body)
    rules = rules_for(target)
    fused = target.fma and config.contract != "off"
    out = Emitter((CONTRACTION, rules) if fused else (rules,))
    ids = count(1 + max((u.arg.id for u in body.find(*MEMORIES) if u.op is not Op.PARAM), default=-1))
    parts = partial(Body, out, facts=facts, memories=lambda: next(ids))
    if _independent(body, shape):
        _by_rows(parts, out, shape, body, target.cores)
    else:
        gx, gy, gz = map(grid_variable, range(3))
        group = out.range(*_share(rewrite(gx * gy * gz, SIMPLIFY), target.cores))
        places = tuple(rewrite(u, SIMPLIFY) for u in group_ids(group, (gx, gy, gz)))
        whole = shape.vectors <= LOCKSTEP and shape.vectors * len(body.toposort()) <= WHOLE if has_barrier(body) else False
        streams = body if whole or shape.vectors <= TOGETHER else with_streams(body, facts, info.block)
        if has_barrier(streams) and not whole:
            body = streams
            Group(out, shape, Uniformity(body, arrays=False), places, lambda: next(ids)).run(body, _together)
        else:
            _lockstep(parts(shape=shape, group=places), body)
        out.end_range(group)
    leaves = {u: None for u in UOp(Op.LINEAR, tuple(out.chain[0].items)).toposort() if u.op in LEAVES}
    linear = out.program(list(leaves))
    require_supported(linear, target)
    return linear


def _share(total: UOp, cores: int) -> tuple[UOp, UOp]:
    """The first and the end of what a core does of `total`."""
    core = core_id(cores)
    share = rewrite((total + (cores - 1)) // cores, SIMPLIFY)
    return core * share, (core * share + share).minimum(total)


def _independent(body: UOp, shape: Shape) -> bool:
    """Whether work items need nothing of one another beyond their vector, and go on straight: no loop gains by their order."""
    x, y, z = shape.block
    apart = not has_barrier(body) and not any(u.op in (Op.DEFINE_LOCAL, Op.FOR, Op.LOOP) for u in body.toposort())
    return apart and (x % shape.width == 0 or y == z == 1)


def _by_rows(parts: Callable[..., Body], out: Emitter, shape: Shape, body: UOp, cores: int) -> None:
    """The code of all groups, some rows of the grid (work items with one global y and z) after the other, as arrays lie in memory."""
    (gx, gy, gz), (bx, by, bz) = map(grid_variable, range(3)), shape.block
    vectors = -(-bx // shape.width)
    tall = max(k for k in range(1, by + 1) if by % k == 0 and (k == 1 or k * vectors <= _together(body, by * vectors)))
    strips = by // tall
    first, end = _share(rewrite(gx * (gy * strips) * (gz * bz), SIMPLIFY), cores)
    strip = out.range(rewrite(first // gx, SIMPLIFY), rewrite((end + gx - 1) // gx, SIMPLIFY))
    y, z = strip % (gy * strips), strip // (gy * strips)
    group = out.range(rewrite((first - strip * gx).maximum(index(0)), SIMPLIFY), rewrite((end - strip * gx).minimum(gx), SIMPLIFY))
    places = (group, rewrite(y // strips, SIMPLIFY), rewrite(z // bz, SIMPLIFY))
    rows = Rows((bx, tall, 1), shape.width, rewrite(y % strips * tall, SIMPLIFY), rewrite(z % bz, SIMPLIFY))
    _lockstep(parts(shape=rows, group=places), body)
    out.end_range(group)
    out.end_range(strip)


def threads_work(threads: UOp) -> UOp:
    """Estimated ns of a launch, an expression over the sizes of the grid: a guess, as nothing is known of branches and loops."""
    nodes = sum(1 for u in threads.toposort() if u.op not in LEAVES)
    loops = sum(1 for _ in threads.find(Op.FOR, Op.LOOP))
    x, y, z = threads.arg.block
    each = max(1, nodes * GUESSED_TRIPS ** min(loops, 2) * x * y * z // OPERATIONS_PER_NS)
    gx, gy, gz = map(grid_variable, range(3))
    return rewrite(gx * gy * gz * each, SIMPLIFY)


def _lockstep(part: Body, body: UOp) -> None:
    """The code of one group whose barriers cost nothing, or that has none."""
    n = part.shape.vectors
    together = n if has_barrier(body) else _together(body, n)
    v = part.out.range(index(0), index(n // together)) if together < n else None
    part.start(index(0) if v is None else rewrite(v * together, SIMPLIFY), together)
    if part.facts.returns:
        part.gone = part.flags()
    part.block(body)
    if v is not None:
        part.out.end_range(v)


def _together(body: UOp, vectors: int) -> int:
    """How many of the vectors of a group run in lockstep: a divisor of their number."""
    size = len(body.toposort())
    return max(k for k in range(1, min(TOGETHER, vectors) + 1) if vectors % k == 0 and (k == 1 or k * size <= SMALL))


def _width(body: UOp, info: ThreadsInfo, target: Target) -> int:
    """Lanes of a vector: those of a register for 32-bit values (64-bit ones where the kernel has them), or a subgroup."""
    exchanges = {u.arg.width for u in body.find(Op.SUBGROUP)}
    if exchanges:
        return int(max(exchanges))
    wide = any(u.dtype.scalar is dtypes.f64 for u in body.toposort())
    items = info.block[0] * info.block[1] * info.block[2]
    width = target.lanes(dtypes.f64 if wide else dtypes.f32)
    while width > 1 and width // 2 >= items:
        width //= 2
    return width
