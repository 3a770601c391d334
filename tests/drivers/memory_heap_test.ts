import { assertEquals } from "@std/assert";

// Dropped events were once still referenced, so that the limit bounded a count and not the memory.
Deno.test("what memory history has dropped is let go: far more than the heap passes through", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--v8-flags=--max-old-space-size=64",
      new URL("fill_memory.ts", import.meta.url).pathname,
    ],
    stdout: "piped",
    stderr: "null",
  }).output();
  assertEquals([success, new TextDecoder().decode(stdout)], [true, "bounded\n"]);
});
