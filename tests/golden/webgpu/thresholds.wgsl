// thresholds(flags: bool*, a: f32*, codes: i8*, bound: f32)
// 1 x 1 x 1 of groups of 128 x 1 x 1 work items
// group 0: buffers at 0 to 2, launch block at 3
struct Launch {
  first: vec3<u32>,
  zero: u32,
  bound: f32,
}
@group(0) @binding(0) var<storage, read_write> flags: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> codes: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> launch: Launch;
fn set_flags(at: i32, value: bool) {
  let shift = (u32(at) & 3u) * 8u;
  atomicAnd(&flags[at >> 2u], ~(0xffu << shift));
  atomicOr(&flags[at >> 2u], (select(0u, 1u, value) & 0xffu) << shift);
}
fn set_codes(at: i32, value: i32) {
  let shift = (u32(at) & 3u) * 8u;
  atomicAnd(&codes[at >> 2u], ~(0xffu << shift));
  atomicOr(&codes[at >> 2u], (bitcast<u32>(value) & 0xffu) << shift);
}
@compute @workgroup_size(128, 1, 1)
fn thresholds(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  let v1 = i32(item.x) + i32(launch.first.x + group.x) * 128;
  if (v1 < 100) {
    let v2 = launch.bound < a[v1];
    set_flags(v1, v2);
    set_codes(v1, select(1, -1, v2));
  }
}
