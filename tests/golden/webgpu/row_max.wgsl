// row_max(out: f32*, a: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 64 x 1 x 1 work items
// group 0: buffers at 0 to 1, launch block at 2
struct Launch {
  first: vec3<u32>,
  zero: u32,
  grid_x: i32,
  grid_y: i32,
  grid_z: i32,
}
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<uniform> launch: Launch;
fn nan_f32(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn max_f32(a: f32, b: f32) -> f32 {
  let zero = bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b));
  let chosen = select(select(b, a, a > b), zero, a == b);
  return select(select(chosen, b, nan_f32(b)), a, nan_f32(a));
}
@compute @workgroup_size(64, 1, 1)
fn row_max(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  var most: f32;
  most = bitcast<f32>(0xff800000u ^ launch.zero);
  let item_x1 = i32(item.x);
  let group_x1 = i32(launch.first.x + group.x);
  let v1 = item_x1 * 100 + group_x1 * 6400;
  for (var i: i32 = 0; i < 100; i += 1) {
    most = max_f32(most, a[v1 + i]);
  }
  out[item_x1 + group_x1 * 64] = most;
}
