/**
 * Bundles a page, and prints the modules that are in the bundle. Takes the name of Vite, which only
 * the project has that runs this.
 */
const { build } = await import(process.argv[2]);
const { output } = await build({
  configFile: false,
  logLevel: "error",
  build: {
    write: false,
    rollupOptions: { input: "page.js", preserveEntrySignatures: "strict" },
  },
});
const modules = output.flatMap((chunk) =>
  Object.entries(chunk.modules ?? {}).flatMap(([id, { code }]) => code ? [id] : [])
);
console.log(JSON.stringify(modules));
