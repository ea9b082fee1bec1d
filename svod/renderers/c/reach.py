"""The `reach` function of a C module: what a launch needs of its arguments, evaluated natively from the scalar slots.

Owns: its text. Must not know how the expressions were found. Invariant: as svod/renderers/llvm/reach.py: where the exact value of a need
does not fit in 64 bits, or a size is negative, every buffer is asked for more elements than any has.
"""
from __future__ import annotations

from svod.dtype import dtypes
from svod.errors import UnsupportedError
from svod.ir.bounds import interval, may_overflow
from svod.ir.ops import Op
from svod.ir.uop import UOp
from svod.renderers.c.dialect import Prelude
from svod.renderers.c.function import Body
from svod.renderers.expr import PLUS, Expr, Names
from svod.renderers.llvm.reach import TOO_MANY, Reach
from svod.target.abi import Metadata, Param

_CHECKED = {Op.ADD: "add", Op.SUB: "sub", Op.MUL: "mul", Op.NEG: "sub"}


def render_reach(reach: Reach, meta: Metadata, prelude: Prelude, unpack: dict[Param, str]) -> str:
    """`void reach(args, out)`: stores the needs and the work. `unpack`: how a scalar is read from its slot."""
    needs, sizes = ([e.cast(dtypes.index) for e in part] for part in (reach.needs, reach.sizes))
    results = [*needs, reach.work.cast(dtypes.index)]
    order = UOp.group(*results, *sizes).toposort()
    names = Names({*prelude.dialect.keywords, "out", "args", "wrong"})
    used = {v.arg.name: v for v in order if v.op is Op.DEFINE_VAR}
    leaf, lines = {}, []
    for p in meta.params:
        if not p.is_buffer and p.name in used:
            leaf[used[p.name]] = names.new(p.name)
            lines.append(f"  {prelude.type(p.dtype)} {leaf[used[p.name]]} = {unpack[p]};")
    body = Body(leaf, prelude, order, names)
    checked = may_overflow(UOp.sink(*needs, *sizes).toposort()[:-1])
    body.uses.once -= {*results, *sizes, *checked}
    body.uses.used |= {*results, *sizes, *checked}
    may_be_wrong = bool(checked) or any(interval(e)[0] < 0 for e in sizes)
    if may_be_wrong:
        body.do("int wrong = 0;")
    for u in order:
        if u in checked:
            _checked(body, u)
        else:
            body.run(u)
    body.settle()
    for e in sizes:
        if interval(e)[0] < 0:
            body.do(f"wrong |= {body.value(e).at(PLUS)} < 0;")
    for i, e in enumerate(results):
        value = body.value(e)
        body.do(f"out[{i}] = {f'wrong ? {TOO_MANY}LL : ' if may_be_wrong and i < len(needs) else ''}{value.text};")
    return "void reach(const long long *args, long long *out) {\n" + "\n".join([*lines, *body.top, *body.lines]) + "\n}\n"


def _checked(body: Body, u: UOp) -> None:
    """Computes `u`, and notes whether it overflowed."""
    body.settle()
    name = body.names.new("n", numbered=True)
    given = [body.value(s) for s in u.src]
    body.do(f"{body.type(u.dtype)} {name};")
    if u.op is Op.SHL:  # what comes back is what was shifted, unless bits were lost
        a, b = (g.at(PLUS + 1) for g in given)
        body.do(f"{name} = {a} << ({b} & 63);")
        body.do(f"wrong |= ({name} >> ({b} & 63)) != {a};")
    elif (op := _CHECKED.get(u.op)) is not None:
        a, b = ("0LL", given[0].text) if u.op is Op.NEG else (g.text for g in given)
        body.do(f"wrong |= __builtin_{op}_overflow({a}, {b}, &{name});")
    else:
        raise UnsupportedError(f"{u.op.name} has no form that tells an overflow", at=repr(u))
    body.values[u] = Expr(name)
