/** Publishing over HTTP on both listeners, by the recipes of the guide and by whoever has no key. */
import { assert, assertEquals } from "@std/assert";
import {
  BroadcastGateway,
  type BroadcastSubscription,
  MemoryBroadcaster,
} from "@airwave/broadcast";
import { ROOT } from "../../scripts/project.ts";
import { type Listener, testOnEach } from "../gateway/listeners.ts";

const KEY = "a-key-for-back-ends-".repeat(2);
const GUIDE = Deno.readTextFileSync(`${ROOT}/docs/publishing-over-http.md`);
const EVENT = { channel: "orders.7", event: "paid", data: { total: 12 } };

/** How the recipes of a language are run, with the recipe as the last argument. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  sh: ["sh", "-euc"],
  python: ["python3", "-c"],
  js: ["node", "--input-type=module", "--eval"],
};

/** A gateway on a listener, and what is published on the channel of the recipes. */
class Site implements AsyncDisposable {
  readonly broadcaster = new MemoryBroadcaster();
  readonly gateway = new BroadcastGateway({
    broadcaster: this.broadcaster,
    httpPublish: { keys: [KEY] },
  });
  readonly events: BroadcastSubscription = this.broadcaster.subscribe(EVENT.channel);
  #server: { readonly port: number; shutdown(): Promise<void> } | undefined;

  static async open(listener: Listener): Promise<Site> {
    const site = new Site();
    site.#server = await listener.listen(site.gateway);
    await site.events.ready;
    return site;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server?.port}`;
  }

  async post(body: BodyInit, headers: Record<string, string>): Promise<unknown[]> {
    const response = await fetch(`${this.url}/_broadcast/publish`, {
      method: "POST",
      headers,
      body,
    });
    const { error, results } = await response.json();
    return [response.status, error?.code ?? results?.length];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.broadcaster.close();
    await this.#server?.shutdown();
  }
}

testOnEach("the guide's recipes publish", {}, async (listener) => {
  await using site = await Site.open(listener);
  const recipes = [...GUIDE.matchAll(/```(sh|python|js)\n(.*?)```/gs)];
  assertEquals(recipes.map(([, language]) => language), ["sh", "sh", "python", "js"]);
  for (const [, language = "", recipe = ""] of recipes) {
    const [command = "", ...args] = COMMANDS[language] ?? [];
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args: [...args, recipe.replaceAll("https://app.example", site.url)],
      env: { AIRWAVE_KEY: KEY },
    }).output();
    const said = new TextDecoder().decode(stdout);
    assert(
      success && said.includes("position"),
      `${language}: ${said} ${new TextDecoder().decode(stderr)}`,
    );
    const { value } = await site.events.next();
    assertEquals([value?.event, value?.data], [EVENT.event, EVENT.data]);
  }
});

testOnEach(
  "over the network, too, only a right key publishes, and no more than allowed",
  {},
  async (listener) => {
    await using site = await Site.open(listener);
    const body = JSON.stringify(EVENT);
    const authorization = `Bearer ${KEY}`;
    const keys = ["", KEY.slice(1), KEY.slice(0, -1), `${KEY}x`, KEY.toUpperCase()];
    for (const key of keys) {
      assertEquals(await site.post(body, { authorization: `Bearer ${key}` }), [
        401,
        "publish.unauthorized",
      ]);
    }
    const large = JSON.stringify({ ...EVENT, data: "x".repeat(2 * 1024 * 1024) });
    assertEquals(await site.post(large, { authorization }), [413, "publish.too_large"]);
    const many = Array.from({ length: 1_000 }, (_, i) => ({ ...EVENT, data: i, id: `${i % 999}` }));
    assertEquals(await site.post(JSON.stringify(many), { authorization }), [200, 1_000]);
    assertEquals(await site.post(JSON.stringify(many), { authorization }), [200, 1_000]);
    assertEquals(await site.post(JSON.stringify([...many, EVENT]), { authorization }), [
      413,
      "publish.too_many",
    ]);
    await site.broadcaster.publish(EVENT.channel, { event: "end", data: null });
    const seen: unknown[] = [];
    for (let next = await site.events.next(); next.value?.event !== "end";) {
      seen.push(next.value?.data);
      next = await site.events.next();
    }
    assertEquals(seen, Array.from({ length: 999 }, (_, i) => i));
  },
);

testOnEach(
  "a signed request that is recorded on the way is good for nothing",
  {},
  async (listener) => {
    await using site = await Site.open(listener);
    const body = JSON.stringify(EVENT);
    const sign = async (seconds: number) => {
      const bytes = (text: string) => new TextEncoder().encode(text);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(body))).toHex();
      const hmac = { name: "HMAC", hash: "SHA-256" };
      const key = await crypto.subtle.importKey("raw", bytes(KEY), hmac, false, ["sign"]);
      const signed = bytes(`POST\n/_broadcast/publish\n${digest}\n${seconds}`);
      const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed)).toHex();
      return { "airwave-time": `${seconds}`, "airwave-signature": `v1=${signature}` };
    };
    const now = Math.floor(Date.now() / 1000);
    const headers = await sign(now);
    assertEquals(await site.post(body, headers), [200, undefined]);
    assertEquals(await site.post(body, headers), [409, "publish.replayed"]);
    assertEquals(await site.post(`${body} `, await sign(now - 1)), [401, "publish.unauthorized"]);
    assertEquals(await site.post(body, await sign(now - 400)), [401, "publish.unauthorized"]);
  },
);
