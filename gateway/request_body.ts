/** A body, or why there is none. */
export type RequestBody = Uint8Array<ArrayBuffer> | "too large" | "broken";

/**
 * Reads the body of a request that nobody vouches for: no more than `maxBytes` of it are kept, and
 * one that does not come to its end in time counts as broken. Never rejects.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
  timeoutMs: number,
): Promise<RequestBody> {
  if (Number(request.headers.get("content-length")) > maxBytes) return "too large";
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, timeoutMs);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      bytes += read.value.byteLength;
      if (bytes > maxBytes) return "too large";
      chunks.push(read.value);
    }
  } catch {
    return "broken";
  } finally {
    clearTimeout(timer);
    // What is left of a body that is too large is not read.
    reader.cancel().catch(() => {});
  }
  return isLate ? "broken" : concatenate(chunks, bytes);
}

function concatenate(chunks: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}
