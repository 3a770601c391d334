import { assert, assertEquals, assertMatch } from "@std/assert";
import { bundle } from "./bundle.ts";
import { ROOT } from "./project.ts";
import { overLimit, PAGE } from "./size.ts";

/** What has been reached on the way to the limits, rounded up: it only goes down. */
const REACHED = { initialBytes: 6000, totalBytes: 7000 };

/** esbuild keeps a thread for the next time. */
const WITH_ESBUILD = { sanitizeResources: false };

Deno.test(
  "a page that takes the client gets no server code and no package",
  WITH_ESBUILD,
  () => {
    const { modules } = bundle(PAGE, ROOT);
    assertEquals(modules.includes("client/client.ts"), true);
    for (const module of modules) assertMatch(module, /^(?:client|protocol)\/[a-z_]+\.ts$/);
  },
);

Deno.test("the client does not grow", WITH_ESBUILD, () => {
  const { initialBytes, totalBytes } = bundle(PAGE, ROOT);
  assert(initialBytes <= REACHED.initialBytes, `${initialBytes} bytes`);
  assert(totalBytes <= REACHED.totalBytes, `${totalBytes} bytes in all`);
});

Deno.test(
  "what is loaded on demand counts to the total, and not to what a page loads at once",
  WITH_ESBUILD,
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/shared.ts`, `export const shared = () => "shared";`);
      await Deno.writeTextFile(
        `${folder}/later.ts`,
        `import { shared } from "./shared.ts"; export const later = shared() + "${
          "later".repeat(9)
        }";`,
      );
      const { initialBytes, totalBytes, modules } = bundle(
        `import { shared } from "./shared.ts"; shared(); export const load = () => import("./later.ts");`,
        folder,
      );
      assertEquals([...modules].sort(), ["later.ts", "shared.ts"]);
      assertEquals(initialBytes > 0 && initialBytes < totalBytes, true);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("overLimit names each limit that is broken, and by how much", () => {
  assertEquals(overLimit({ initialBytes: 4500, totalBytes: 6000, modules: [] }), []);
  assertEquals(overLimit({ initialBytes: 4501, totalBytes: 6010, modules: [] }), [
    "The client alone has 4501 gzipped bytes, 1 over 4500",
    "The client with all it loads on demand has 6010 gzipped bytes, 10 over 6000",
  ]);
});
