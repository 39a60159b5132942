// Contours a volume of the viewer as its worker does and prints the CPU time of each level as JSON.
//   node contour.mjs levels.raw 180 repeats
import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";

const [file, side, repeats] = process.argv.slice(2);
const source = join(dirname(fileURLToPath(import.meta.url)), "../../spa_widgets/viewers/volume/surfaceNets.ts");
const built = await esbuild.build({ entryPoints: [source], bundle: true, format: "esm", write: false });
const module = `${file}.mjs`;
writeFileSync(module, built.outputFiles[0].text);
const { surfaceNets } = await import(pathToFileURL(module).href);
unlinkSync(module);
const data = new Uint8Array(readFileSync(file));
const shape = [Number(side), Number(side), Number(side)];
const found = [];
for (let round = 0; round < Number(repeats); round++) {
  const start = process.cpuUsage();
  const mesh = surfaceNets(data, shape, 110 + 4 * round);
  const used = process.cpuUsage(start);
  found.push({ cpu_s: (used.user + used.system) / 1e6, triangles: mesh.indices.length / 3 });
}
console.log(JSON.stringify(found));
