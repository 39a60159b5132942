import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { environment: "jsdom", include: ["tests/typescript/**/*.test.ts"], watch: false },
  plugins: [
    // the two imports that only the bundler knows
    { name: "text", enforce: "pre", resolveId: (id) => (/\?worker$|\.css$/.test(id) ? "\0text" : undefined), load: (id) => (id === "\0text" ? "export default ''" : undefined) },
  ],
});
