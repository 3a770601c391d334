/** Mistakes in how a program is started, as its terminal shows them. */
import { ROOT } from "../../scripts/project.ts";
import { mistake } from "./mistake.ts";

/** The first line that a program prints before it ends. */
async function printed(code: string, ...flags: readonly string[]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "airwave-mistake-" });
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, code);
    const config = ["--no-prompt", "--no-lock", "--config", `${ROOT}/deno.json`];
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", ...config, ...flags, `${folder}/main.ts`],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const [line = ""] = new TextDecoder().decode(stderr).split("\n");
    return line;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const serving = (port: number) => `
  import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
  const gateway = new BroadcastGateway({ broadcaster: new MemoryBroadcaster() });
  Deno.serve({ hostname: "127.0.0.1", port: ${port}, onListen() {} }, gateway.handler);`;

const publishing = `
  import { RedisBroadcaster } from "@airwave/broadcast/redis";
  const url = "redis://127.0.0.1:1";
  const broadcaster = new RedisBroadcaster({ url, prefix: "shop", timeoutMs: 100 });
  await broadcaster.publish("news", { event: "headline", data: "It works" });`;

mistake("A server without --allow-net", () => printed(serving(0)));
mistake("Redis without --allow-env", () => printed(publishing, "--allow-net"));
mistake("Redis without --allow-net", () => printed(publishing, "--allow-env"));
mistake("Deno.serve on a port that is taken", async () => {
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return await printed(serving(taken.addr.port), "--allow-net");
});
