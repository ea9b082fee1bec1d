// histogram(data: u8*, counts: i32*, top: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 64 x 1 x 1 work items
// group 0: buffers at 0 to 2, launch block at 3
struct Launch {
  first: vec3<u32>,
  zero: u32,
  grid_x: i32,
  grid_y: i32,
  grid_z: i32,
}
@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<i32>>;
@group(0) @binding(2) var<storage, read_write> top: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> launch: Launch;
fn nan_f32(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn max_f32(a: f32, b: f32) -> f32 {
  let zero = bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b));
  let chosen = select(select(b, a, a > b), zero, a == b);
  return select(select(chosen, b, nan_f32(b)), a, nan_f32(a));
}
fn get_data(at: i32) -> u32 { return extractBits(data[at >> 2u], (u32(at) & 3u) * 8u, 8u); }
fn atomic_max_top(at: i32, value: f32) -> f32 {
  var seen = atomicLoad(&top[at]);
  loop {
    let old = bitcast<f32>(seen);
    let tried = atomicCompareExchangeWeak(&top[at], seen, bitcast<u32>(max_f32(old, value)));
    if (tried.exchanged) { break; }
    seen = tried.old_value;
  }
  return bitcast<f32>(seen);
}
@compute @workgroup_size(64, 1, 1)
fn histogram(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  let data_1 = get_data(i32(item.x) + i32(launch.first.x + group.x) * 64);
  atomicAdd(&counts[i32(data_1)], 1);
  atomic_max_top(0, f32(i32(data_1)));
}
