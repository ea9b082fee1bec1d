"""What `svod devices` says of a device's limits."""
from __future__ import annotations

from svod import Device
from svod.target import REFERENCE
from svod.tools.limits import facts, facts_of


def test_facts_of_a_target() -> None:
    said = facts(REFERENCE)
    assert said["work items of a group"] == "1024 (up to 1024 x 1024 x 64)"
    assert said["shared memory"] == "1.0 MiB"
    assert said["emulates"] == "nothing"
    assert "vector registers" not in said
    cpu = facts(Device.offline("CPU", "x86-64-v3").target)
    assert cpu["vector registers"] == "256 bits"
    assert cpu["computes in"] == "bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64"
    assert cpu["emulates"].split()[-2:] == ["f16", "bf16"]


def test_a_device_that_is_not_there_has_none() -> None:
    assert facts_of("GHOST") == facts_of("CPU:7") == {}
    assert facts_of("INTERP") == facts(REFERENCE)
