/** Plays the session of server-sent events in PROTOCOL.md against a gateway, line by line. */
import { assertEquals, assertExists } from "@std/assert";
import { BroadcastGateway, MemoryBroadcaster } from "@airwave/broadcast";
import { encodeStreamId, parseStreamId } from "@airwave/broadcast/protocol";

const ORIGIN = "http://app.example";

interface Line {
  readonly who: string;
  readonly text: string;
}

async function readSession(): Promise<Line[]> {
  const text = await Deno.readTextFile(new URL("../../PROTOCOL.md", import.meta.url));
  const block = /^```stream\n([^]*?)^```$/m.exec(text)?.[1];
  assertExists(block);
  return block.trimEnd().split("\n").map((line) => ({ who: line[0] ?? "", text: line.slice(2) }));
}

/** Without what a server makes up: its ids, secret, epochs and waits. */
function normal(line: string): string {
  if (line.startsWith("id: ")) {
    const positions = parseStreamId(line.slice(4));
    assertExists(positions, line);
    const withoutEpochs = Array.from(
      positions,
      ([name, position]) =>
        [name, typeof position === "object" ? { ...position, e: name } : position] as const,
    );
    return `id: ${encodeStreamId(new Map(withoutEpochs))}`;
  }
  return line
    .replace(/^retry: \d+$/, "retry: …")
    .replace(/^(data: \{"t":"welcome","id":)"[0-9a-f-]{36}"(.*"up":)"[0-9a-f]{40}"/, "$1…$2…")
    .replace(/"i":"[0-9A-HJKMNP-TV-Z]{26}"/, '"i":…')
    .replace(/"p":\{"e":"[^"]+"/, '"p":{"e":…');
}

/** The application, its gateway and its one client. */
class Stage implements AsyncDisposable {
  readonly #broadcaster = new MemoryBroadcaster();
  readonly #gateway = new BroadcastGateway({ broadcaster: this.#broadcaster });
  #reader: ReadableStreamDefaultReader<string> | undefined;
  #rest = "";
  /** As the gateway gave them, for those in the text. */
  #secret = "";
  #id = "";

  async request([first = "", ...others]: readonly string[]): Promise<void> {
    const [method = "", path = ""] = first.split(" ");
    const end = others.indexOf("");
    const headers = new Headers();
    for (const line of end < 0 ? others : others.slice(0, end)) {
      const [name = "", value = ""] = line.split(": ");
      if (name === "Last-Event-ID") assertEquals(normal(`id: ${value}`), normal(this.#id));
      headers.append(name, name === "Last-Event-ID" ? this.#id.slice(4) : value);
    }
    const body = end < 0 ? null : others.slice(end + 1).join("\n");
    const secret = path.replace(/[0-9a-f]{40}$/, this.#secret);
    const response = await this.#gateway.handler(
      new Request(ORIGIN + secret, { method, headers, body }),
    );
    assertEquals(response.ok, true, first);
    if (method === "GET") {
      this.#reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    }
  }

  async nextLine(): Promise<string> {
    while (!this.#rest.includes("\n")) this.#rest += (await this.#reader?.read())?.value ?? "\n";
    const [line = "", ...rest] = this.#rest.split("\n");
    this.#rest = rest.join("\n");
    if (line.startsWith("id: ")) this.#id = line;
    this.#secret = /"up":"(\w+)"/.exec(line)?.[1] ?? this.#secret;
    return line;
  }

  async happen(what: string): Promise<void> {
    const published = /^the application publishes "(\S+)" on "(\S+)": (.*)$/.exec(what);
    if (published !== null) {
      const [, event = "", channel = "", json = ""] = published;
      await this.#broadcaster.publish(channel, { event, data: JSON.parse(json) });
    } else if (what === "the connection is cut") await this.#reader?.cancel();
    else if (what === "the gateway closes") await this.#gateway.close();
    else throw new Error(`Nobody knows how to play "${what}"`);
  }

  async finish(): Promise<void> {
    assertEquals(this.#rest, "");
    assertEquals((await this.#reader?.read())?.done, true, "the gateway said more than the text");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway.close();
    await this.#broadcaster.close();
  }
}

Deno.test("the gateway plays the session of server-sent events as PROTOCOL.md has it", async () => {
  const lines = await readSession();
  await using stage = new Stage();
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const { who, text } = line;
    if (who === "*") await stage.happen(text);
    else if (who === "S") assertEquals(normal(await stage.nextLine()), normal(text));
    else {
      const request = [text];
      while (lines[0]?.who === "C") request.push(lines.shift()?.text ?? "");
      await stage.request(request);
    }
  }
  await stage.finish();
});
