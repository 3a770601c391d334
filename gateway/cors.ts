/** Methods and headers of the requests that pages make beside WebSockets. */
const ALLOWED = {
  "access-control-allow-methods": "GET, POST",
  "access-control-allow-headers": "airwave-uplink, authorization, content-type, last-event-id",
  "access-control-max-age": "7200",
} as const;

/**
 * What lets a page of another, allowed origin read an answer. Its visitor's cookies come along, as
 * they do with a WebSocket. Browsers ask it of every answer, refusals included.
 */
export function corsHeaders(request: Request): Record<string, string> {
  const origin = request.headers.get("origin");
  return origin === null ? { vary: "origin" } : {
    vary: "origin",
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
  };
}

/** The answer to a browser that asks whether its page may send such a request. */
export function preflight(request: Request): Response {
  return new Response(null, { status: 204, headers: { ...corsHeaders(request), ...ALLOWED } });
}
