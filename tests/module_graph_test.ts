import { assertEquals } from "@std/assert";
import { codeOnly } from "../scripts/code_only.ts";
import { dependencyViolations, LAYERS, runtimeViolations } from "../scripts/dependency_rule.ts";
import { type Import, readModules } from "../scripts/module_graph.ts";
import { existing, ROOT } from "../scripts/project.ts";

const modules = await readModules(existing(LAYERS.flatMap(({ paths }) => paths)));

Deno.test("the graph holds every layer that is there", () => {
  const paths = modules.map(({ path }) => path);
  for (const path of ["mod.ts", "client.ts", "core/event.ts", "drivers/memory.ts"]) {
    assertEquals(paths.includes(path), true, `${path} is not in the graph`);
  }
});

Deno.test("no module imports what its layer may not", () => {
  assertEquals(dependencyViolations(modules), []);
});

Deno.test("only the glue names the runtime", () => {
  const violations = modules.flatMap(({ path }) =>
    runtimeViolations(path, codeOnly(Deno.readTextFileSync(`${ROOT}/${path}`)))
  );
  assertEquals(violations, []);
});

Deno.test("the rule names file, import and rule", () => {
  assertEquals(violationsOf("client/client.ts", "../core/event.ts"), [
    'client/client.ts imports "../core/event.ts": client may import only its own modules and protocol',
  ]);
  assertEquals(violationsOf("protocol/codec.ts", "@std/ulid"), [
    'protocol/codec.ts imports "@std/ulid": protocol may import only its own modules',
  ]);
});

const FORBIDDEN: readonly (readonly [path: string, specifier: string])[] = [
  ["protocol/codec.ts", "../core/event.ts"],
  ["protocol/codec.ts", "node:buffer"],
  ["client.ts", "./gateway/mod.ts"],
  ["client.ts", "./mod.ts"],
  ["client/client.ts", "../core/event.ts"],
  ["client/client.ts", "../gateway/socket.ts"],
  ["client/client.ts", "@std/async"],
  ["core/event.ts", "../drivers/memory.ts"],
  ["core/event.ts", "../gateway/gateway.ts"],
  ["core/event.ts", "../client/client.ts"],
  ["core/event.ts", "ioredis"],
  ["drivers/redis.ts", "./memory.ts"],
  ["drivers/redis/driver.ts", "../postgres/driver.ts"],
  ["drivers/redis.ts", "postgres"],
  ["drivers/memory.ts", "../gateway/gateway.ts"],
  ["gateway/gateway.ts", "../drivers/memory.ts"],
  ["gateway/gateway.ts", "../client/client.ts"],
  ["testing/mod.ts", "../drivers/redis.ts"],
  ["testing/mod.ts", "../gateway/gateway.ts"],
  ["mod.ts", "./client.ts"],
  ["mod.ts", "./testing/mod.ts"],
  ["core/event.ts", "../tests/core/fake.ts"],
  ["core/event.ts", "../scripts/project.ts"],
];

for (const [path, specifier] of FORBIDDEN) {
  Deno.test(`${path} may not import ${specifier}`, () => {
    assertEquals(violationsOf(path, specifier).length, 1);
  });
}

const ALLOWED: readonly (readonly [path: string, specifier: string])[] = [
  ["client.ts", "./client/client.ts"],
  ["client/client.ts", "../protocol/codec.ts"],
  ["core/event.ts", "../protocol/names.ts"],
  ["core/event.ts", "@std/ulid"],
  ["drivers/redis.ts", "./redis/script.ts"],
  ["drivers/redis.ts", "ioredis"],
  ["drivers/redis/driver.ts", "../../core/driver.ts"],
  ["gateway/gateway.ts", "../core/event.ts"],
  ["testing/mod.ts", "../drivers/memory.ts"],
  ["testing/fake_sockets.ts", "../gateway/socket.ts"],
  ["tests/core/event_test.ts", "../../gateway/gateway.ts"],
];

for (const [path, specifier] of ALLOWED) {
  Deno.test(`${path} may import ${specifier}`, () => {
    assertEquals(violationsOf(path, specifier), []);
  });
}

Deno.test("code names the runtime, comments and texts do not", () => {
  const harmless = [
    "// Deno.serve",
    "/** `Deno.serve`\n * Deno */",
    'const a = "Deno.serve"; // Deno',
    "const a = 'it\\'s Deno';",
    "const a = `Deno ${b} Deno`;",
    "const a = `\\`${`Deno`} Deno`;",
    "const a = /\\/[/'] Deno/.test(b);",
    "const a = { b: `${{ c: '}' }.c} Deno` };",
    "const a = b / c; // Deno / d",
    "const isDenoLike = true;",
  ];
  for (const code of harmless) assertEquals(namedIn(code), [], code);

  const named = [
    "Deno.serve(handler);",
    "const { serve } = Deno;",
    "const a: Deno.Addr = b;",
    "const a = globalThis.Deno;",
    "const a = `${Deno.pid}`;",
    "const a = `${`}` + Deno.pid}`;",
    'const a = "//"; Deno.serve();',
    "const a = '/*'; Deno.serve(); // */",
    "const a = /['\"`]/; Deno.serve();",
    "const a = b / c; Deno.serve(); // d / e",
    "const a = `//`; Deno.serve();",
    "return /`/.test(Deno.build.os);",
  ];
  for (const code of named) {
    assertEquals(namedIn(code), [
      "core/event.ts:1 says Deno: only gateway/deno.ts may name the runtime",
    ], code);
  }
});

Deno.test("a violation is told with its line", () => {
  assertEquals(namedIn("/*\n */\nconst a = `\n${Deno.pid}`;"), [
    "core/event.ts:4 says Deno: only gateway/deno.ts may name the runtime",
  ]);
});

Deno.test("the glue, scripts and tests may name the runtime", () => {
  for (const path of ["gateway/deno.ts", "scripts/ok.ts", "tests/core/event_test.ts"]) {
    assertEquals(runtimeViolations(path, "Deno.serve();"), []);
  }
});

/** What the rule says of a module with one import, the way that its specifier reads. */
function violationsOf(path: string, specifier: string): string[] {
  const isRelative = specifier.startsWith(".");
  const target = isRelative ? new URL(specifier, `file:///${path}`).pathname.slice(1) : undefined;
  const imports: Import[] = [{ specifier, path: target }];
  return dependencyViolations([{ path, imports }]);
}

function namedIn(source: string): string[] {
  return runtimeViolations("core/event.ts", codeOnly(source));
}
