import type { Transport, TransportEvents } from "./transport.ts";

/**
 * Opens a stream of server-sent events as a transport: what the gateway says comes on the stream,
 * what the client says goes by requests, one after the other.
 *
 * It reads the stream with `fetch` and not with an `EventSource`, which comes back by itself at a
 * time of its own, and tells neither why it was refused nor why its stream ended.
 */
export function openEventStream(url: string, events: TransportEvents): Transport {
  const target = new URL(url.replace(/^ws/, "http"));
  // The client remembers positions itself, and as many as it likes.
  target.searchParams.set("ids", "no");
  const path = `${target.pathname.replace(/\/$/, "")}/sse`;
  const stop = new AbortController();
  let reader: ReadableStreamDefaultReader<string> | undefined;
  const waiting: string[] = [];
  let speaking: Promise<void> | undefined;
  let uplink = "";
  let maxLength = 0;
  let isOver = false;

  async function request(pathname: string, init: RequestInit): Promise<Response> {
    target.pathname = pathname;
    const response = await fetch(target, {
      credentials: "include",
      cache: "no-store",
      signal: stop.signal,
      ...init,
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new Error(`HTTP ${response.status}`);
  }

  /** An abort alone does not always reach a stream that is being read. */
  function abort(): void {
    stop.abort();
    reader?.cancel().catch(() => {});
  }

  function finish(code: number, reason: string): void {
    if (isOver) return;
    isOver = true;
    abort();
    events.closed(code, reason);
  }

  function fail(cause: unknown): void {
    finish(1006, cause instanceof Error ? cause.message : "");
  }

  function receive(event: string | undefined, data: string): void {
    if (event === "close") {
      const { code, reason }: { code?: unknown; reason?: unknown } = JSON.parse(data);
      return finish(Number(code) || 1006, String(reason));
    }
    if (uplink === "") {
      const { up, max }: { up?: unknown; max?: unknown } = JSON.parse(data);
      uplink = String(up ?? "");
      // No character is more than three bytes.
      maxLength = Number(max) / 3;
    }
    events.message(data);
  }

  async function listen(): Promise<void> {
    const { body } = await request(path, { headers: { accept: "text/event-stream" } });
    reader = body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let event: string | undefined;
    let data: string | undefined;
    for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
      // A CR at the end may be the first half of a line end.
      const lines = (rest + read.value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [, name, value = ""] = /^([^:]*):? ?(.*)/s.exec(line) ?? [];
        if (line === "") {
          if (data !== undefined) receive(event, data);
          event = data = undefined;
        } else if (name === "event") event = value;
        else if (name === "data") data = data === undefined ? value : `${data}\n${value}`;
        // A comment is this stream's ping, and is answered by being read.
        else if (name === "") events.message('{"t":"ping"}');
      }
    }
    throw new Error("The stream ended");
  }

  /** One request at a time, so that they arrive in order; what waits meanwhile goes together. */
  async function speak(): Promise<void> {
    for (let body = waiting.shift(); body !== undefined; body = waiting.shift()) {
      let length = body.length;
      let count = 0;
      for (const { length: more } of waiting) {
        length += more + 3;
        if (!(length < maxLength)) break;
        count++;
      }
      if (count > 0) body = `[${[body, ...waiting.splice(0, count)]}]`;
      const answer = await request(`${path}/${uplink}`, {
        method: "POST",
        headers: { "airwave-uplink": "1" },
        body,
      });
      await answer.body?.cancel();
    }
    speaking = undefined;
  }

  listen().catch(fail);
  return {
    send(text) {
      if (isOver || uplink === "") return false;
      if (text === '{"t":"pong"}') return true;
      waiting.push(text);
      speaking ??= speak().catch(fail);
      return true;
    },
    close(code) {
      isOver = true;
      // What was said before leaving counts, as it does on a socket.
      if (code === 1000 && speaking !== undefined) speaking.finally(abort);
      else abort();
    },
  };
}
