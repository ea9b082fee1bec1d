// Gives every file named on the command line to Tint, the WGSL compiler of Dawn, and says what it makes of it. It runs nothing.
// usage: node tint.mjs FOLDER_OF_NODE_MODULES FILE...
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, ...files] = process.argv.slice(2);
const { create } = await import(pathToFileURL(path.join(path.resolve(modules), 'webgpu', 'index.js')));
const adapter = await create(['backend=null']).requestAdapter();
const device = await adapter.requestDevice({ requiredFeatures: [...adapter.features].filter((f) => f === 'shader-f16') });
let refused = 0;
for (const file of files) {
  device.pushErrorScope('validation');
  const code = fs.readFileSync(file, 'utf8');
  const module = device.createShaderModule({ code });
  for (const [, entryPoint] of code.matchAll(/@compute[^{]*?\bfn (\w+)/g)) device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint } });
  const error = await device.popErrorScope();
  refused += error ? 1 : 0;
  console.log(`${path.basename(file)}: ${error ? error.message : 'accepted'}`);
}
process.exit(refused ? 1 : 0);
