// handed_round(out: f32*, a: f32*)
// 40 x 1 x 1 of groups of 32 x 1 x 1 work items, in 2 phases, each behind the one before; 6400 bytes of scratch
// group 0: buffers at 0 to 1, launch block at 2
struct Launch {
  first: vec3<u32>,
  zero: u32,
}
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<uniform> launch: Launch;
struct Scratch {
  twice: array<f32, 1280>,
  odd: array<atomic<u32>, 320>,
}
@group(0) @binding(3) var<storage, read_write> scratch: Scratch;
fn set_scratch_odd(at: i32, value: u32) {
  let shift = (u32(at) & 3u) * 8u;
  atomicAnd(&scratch.odd[at >> 2u], ~(0xffu << shift));
  atomicOr(&scratch.odd[at >> 2u], (value & 0xffu) << shift);
}
fn get_scratch_odd(at: i32) -> u32 { return extractBits(atomicLoad(&scratch.odd[at >> 2u]), (u32(at) & 3u) * 8u, 8u); }
@compute @workgroup_size(32, 1, 1)
fn handed_round(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  let v1 = i32(launch.first.x + group.x) * 32 + i32(item.x);
  scratch.twice[v1] = a[v1] * 2.0;
  set_scratch_odd(v1, u32(v1 & 1) & 0xffu);
}
@compute @workgroup_size(32, 1, 1)
fn handed_round_phase2(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  let v1 = i32(launch.first.x + group.x) * 32 + i32(item.x);
  out[v1] = scratch.twice[1279 - v1] + f32(get_scratch_odd(v1));
}
