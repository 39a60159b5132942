// Builds one self-contained ES module for each widget (an anywidget module cannot import a sibling file)
// from spa_widgets/{steps,viewers}/*/widget.ts into spa_widgets/static/<folder>.js.
//   node build.mjs            build once        node build.mjs --watch      rebuild on every change
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const out = join(root, "spa_widgets", "static");
const watch = process.argv.includes("--watch");

/** Every folder that has a widget.ts, as { bundle name: entry file }. */
function entries() {
  const found = {};
  for (const group of ["steps", "viewers"]) {
    const folder = join(root, "spa_widgets", group);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      const entry = join(folder, name, "widget.ts");
      if (existsSync(entry)) found[name] = entry;
    }
  }
  return found;
}

/** Libraries that a view asks its kernel for, once for the page. */
const libraries = { plotly: "plotly.js-cartesian-dist-min" };

const common = { bundle: true, format: "esm", target: "es2022", minify: !watch, legalComments: "none", loader: { ".css": "text" } };

/** `import source from "./x.worker.ts?worker"` gives the bundled worker as a string (started from a Blob). */
const inlineWorker = {
  name: "inline-worker",
  setup(build) {
    build.onResolve({ filter: /\?worker$/ }, (args) => ({
      path: join(args.resolveDir, args.path.replace(/\?worker$/, "")),
      namespace: "worker",
    }));
    build.onLoad({ filter: /.*/, namespace: "worker" }, async (args) => {
      const result = await esbuild.build({ ...common, format: "iife", entryPoints: [args.path], write: false });
      return { contents: result.outputFiles[0].text, loader: "text", watchFiles: [args.path] };
    });
  },
};

mkdirSync(out, { recursive: true });
const options = { ...common, entryPoints: entries(), outdir: out, plugins: [inlineWorker] };
if (watch) {
  const context = await esbuild.context(options);
  await context.watch();
  console.log("watching; set ANYWIDGET_HMR=1 before JupyterLab for hot reload");
} else {
  await esbuild.build(options);
  await esbuild.build({ ...common, minify: true, entryPoints: libraries, outdir: out });
  const sizes = {};
  for (const name of Object.keys(entries())) {
    const bytes = readFileSync(join(out, `${name}.js`));
    sizes[name] = { bytes: bytes.length, gzip_bytes: gzipSync(bytes).length };
    console.log(`${name.padEnd(18)} ${(bytes.length / 1000).toFixed(1)} kB, ${(sizes[name].gzip_bytes / 1000).toFixed(1)} kB gzipped`);
  }
  writeFileSync(join(out, "sizes.json"), `${JSON.stringify(sizes, null, 1)}\n`);
}
