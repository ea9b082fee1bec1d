// vector_add(out: f32*, a: f32*, b: f32*, n: index)
// min(((n + 127) >> 7), 2097152) x 1 x 1 of groups of 128 x 1 x 1 work items
// group 0: buffers at 0 to 2, launch block at 3
struct Launch {
  first: vec3<u32>,
  zero: u32,
  n: i32,
}
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<uniform> launch: Launch;
@compute @workgroup_size(128, 1, 1)
fn vector_add(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) item: vec3<u32>) {
  let group_x1 = i32(launch.first.x + group.x);
  let v1 = i32(item.x) + group_x1 * 128;
  let stop1 = (group_x1 * -1 + ((launch.n + 127) >> 7u) + 2097151) >> 21u;
  for (var im12_0: i32 = 0; im12_0 < stop1; im12_0 += 1) {
    let v2 = v1 + im12_0 * 268435456;
    let v3 = select(0, 1, v2 < launch.n);
    if (0 < v3) {
      let v4 = a[v2] + b[v2];
      for (var im2: i32 = 0; im2 < v3; im2 += 1) {
        out[v2] = v4;
      }
    }
  }
}
