/** Mistakes with the package on Node, as its terminal shows them. */
import config from "../../deno.json" with { type: "json" };
import { mistake } from "../mistakes/mistake.ts";
import { Tarball } from "./scratch.ts";

let tarball: Tarball;
/** A project that installed the package and nothing beside it. */
let project: string;

Deno.test.beforeAll(async () => {
  tarball = await Tarball.pack();
  project = await tarball.install("mistakes");
});

Deno.test.afterAll(() => tarball?.[Symbol.asyncDispose]());

/** The line with the error that a program on Node ends with. */
async function printed(code: string, ...flags: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("node", {
    args: ["--input-type=module", ...flags, "--eval", code],
    cwd: project,
    stdin: "null",
  }).output();
  const lines = new TextDecoder().decode(stderr.length > 0 ? stderr : stdout).split("\n");
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0] ?? "";
}

mistake(
  "The driver for Redis without ioredis",
  () => printed(`import "${config.name}/redis";`),
);
mistake(
  "require() on a Node that cannot",
  () =>
    printed(
      `require("${config.name}");`,
      "--input-type=commonjs",
      "--no-experimental-require-module",
    ),
);
mistake("gateway.handler on Node", () =>
  printed(`
    import { BroadcastGateway, MemoryBroadcaster } from "${config.name}";
    const broadcaster = new MemoryBroadcaster();
    const onError = ({ message }) => console.log(message);
    const gateway = new BroadcastGateway({ broadcaster, onError });
    const headers = { connection: "upgrade", upgrade: "websocket" };
    gateway.handler(new Request("http://localhost/_broadcast", { headers }));`));
