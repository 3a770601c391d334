import { assertEquals, assertRejects } from "@std/assert";
import { TcpProxy } from "./tcp_proxy.ts";

/** Sends back what it gets. */
class Echo implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #served = this.#serve();

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
  }

  async #serve(): Promise<void> {
    const echoes: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      // How a connection ends is what the tests are about.
      echoes.push(connection.readable.pipeTo(connection.writable).catch(() => {}));
    }
    await Promise.all(echoes);
  }
}

async function ask(connection: Deno.Conn, question: string): Promise<string> {
  await connection.write(new TextEncoder().encode(question));
  const answer = new Uint8Array(16);
  const length = await connection.read(answer);
  return length === null ? "end" : new TextDecoder().decode(answer.subarray(0, length));
}

Deno.test("a proxy passes what it gets, and resets when it is cut", async () => {
  await using echo = new Echo();
  await using proxy = await TcpProxy.listen(echo.port);
  using connection = await Deno.connect({ port: proxy.port });
  assertEquals(await ask(connection, "one"), "one");
  assertEquals(proxy.connectionCount, 1);
  proxy.cut();
  await assertRejects(() => ask(connection, "two"), Deno.errors.ConnectionReset);
  using next = await Deno.connect({ port: proxy.port });
  assertEquals(await ask(next, "three"), "three");
});

Deno.test("a proxy that swallows says nothing on either side, not even of an end", async () => {
  await using echo = new Echo();
  await using proxy = await TcpProxy.listen(echo.port);
  using old = await Deno.connect({ port: proxy.port });
  assertEquals(await ask(old, "one"), "one");
  proxy.swallow();
  const silence = ask(old, "two");
  using during = await Deno.connect({ port: proxy.port });
  const alsoSilence = ask(during, "three");
  proxy.heal();
  using next = await Deno.connect({ port: proxy.port });
  assertEquals(await ask(next, "four"), "four");
  // Those that lost bytes never come back to life; the cut is the first thing they hear.
  proxy.cut();
  await assertRejects(() => silence, Deno.errors.ConnectionReset);
  await alsoSilence.catch(() => {});
});

Deno.test("a proxy before nobody resets", async () => {
  const nobody = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = nobody.addr;
  nobody.close();
  await using proxy = await TcpProxy.listen(port);
  using connection = await Deno.connect({ port: proxy.port });
  await assertRejects(() => ask(connection, "one"), Deno.errors.ConnectionReset);
});
