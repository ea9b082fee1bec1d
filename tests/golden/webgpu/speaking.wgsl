// speaking(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 4 x 1 x 1 work items
// group 0: buffers at 0 to 0, launch block at 1
struct Launch {
  first: vec3<u32>,
  zero: u32,
  grid_x: i32,
  grid_y: i32,
  grid_z: i32,
}
@group(0) @binding(0) var<storage, read> data: array<f32>;
@group(0) @binding(1) var<uniform> launch: Launch;
@group(0) @binding(2) var<storage, read_write> record: array<atomic<u32>>;
fn first_to_fail() -> bool {
  loop {
    let tried = atomicCompareExchangeWeak(&record[0], 0u, 1u);
    if (tried.exchanged) { return true; }
    if (tried.old_value != 0u) { break; }
  }
  return false;
}
@compute @workgroup_size(4, 1, 1)
fn speaking(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  let item_x1 = i32(item.x);
  let group_x1 = i32(launch.first.x + group.x);
  let v1 = item_x1 + group_x1 * 4;
  let data_1 = data[v1];
  var at1 = atomicLoad(&record[1]);
  if (at1 < 262144u) { at1 = atomicAdd(&record[1], 6u); }
  if (at1 + 6u <= 262144u) {
    atomicStore(&record[11u + at1], 2704634459u);
    atomicStore(&record[12u + at1], 242025722u);
    atomicStore(&record[13u + at1], bitcast<u32>(v1));
    atomicStore(&record[14u + at1], bitcast<u32>(v1 >> 31u));
    atomicStore(&record[15u + at1], bitcast<u32>(data_1));
    atomicStore(&record[16u + at1], 0u);
  }
  else {
    if (at1 < 262144u) { atomicStore(&record[11u + at1], 0u); }
    atomicAdd(&record[2], 1u);
  }
  let v2 = launch.grid_x * (i32(launch.first.y + group.y) + launch.grid_y * i32(launch.first.z + group.z));
  if (!(data_1 < 2.0) && first_to_fail()) {
    atomicStore(&record[3], 3594656681u);
    atomicStore(&record[4], 311539176u);
    atomicStore(&record[5], bitcast<u32>(group_x1 + v2));
    atomicStore(&record[6], bitcast<u32>((group_x1 + v2) >> 31u));
    atomicStore(&record[7], bitcast<u32>(item_x1 + i32(item.y) * 4 + i32(item.z) * 4));
    atomicStore(&record[8], bitcast<u32>((item_x1 + i32(item.y) * 4 + i32(item.z) * 4) >> 31u));
    atomicStore(&record[9], bitcast<u32>(data_1));
    atomicStore(&record[10], 0u);
  }
}
