// reversed_groups(data: f32*, _grid_x: index, _grid_y: index, _grid_z: index)
// _grid_x x _grid_y x _grid_z of groups of 32 x 1 x 1 work items
// group 0: buffers at 0 to 0, launch block at 1
struct Launch {
  first: vec3<u32>,
  zero: u32,
  grid_x: i32,
  grid_y: i32,
  grid_z: i32,
}
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@group(0) @binding(1) var<uniform> launch: Launch;
var<workgroup> tile: array<f32, 32>;
@compute @workgroup_size(32, 1, 1)
fn reversed_groups(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  let item_x1 = i32(item.x);
  let v1 = item_x1 + i32(launch.first.x + group.x) * 32;
  tile[item_x1] = data[v1];
  storageBarrier();
  workgroupBarrier();
  data[v1] = tile[item_x1 * -1 + 31];
}
