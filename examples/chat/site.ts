const PAGE = new URL("./page/", import.meta.url);

const SECURITY_HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  // A restarted server may serve another page.
  "cache-control": "no-store",
};

interface File {
  readonly type: string;
  readonly text: string;
}

/** The page's files, ready to be served: what is read and bundled is read and bundled once. */
export class Site {
  readonly #byPath: ReadonlyMap<string, File>;

  private constructor(byPath: ReadonlyMap<string, File>) {
    this.#byPath = byPath;
  }

  static async load(): Promise<Site> {
    const [html, css, icon, script] = await Promise.all([
      Deno.readTextFile(new URL("index.html", PAGE)),
      Deno.readTextFile(new URL("style.css", PAGE)),
      Deno.readTextFile(new URL("icon.svg", PAGE)),
      bundle("main.ts"),
    ]);
    return new Site(
      new Map([
        ["/", { type: "text/html; charset=utf-8", text: html }],
        ["/style.css", { type: "text/css; charset=utf-8", text: css }],
        ["/icon.svg", { type: "image/svg+xml", text: icon }],
        ["/page.js", { type: "text/javascript; charset=utf-8", text: script }],
      ]),
    );
  }

  respond(request: Request): Response {
    const file = this.#byPath.get(new URL(request.url).pathname);
    if (file === undefined) {
      return withSecurityHeaders(new Response("Not found\n", { status: 404 }));
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return withSecurityHeaders(new Response("Only GET\n", { status: 405 }));
    }
    const headers = { "content-type": file.type };
    return withSecurityHeaders(new Response(file.text, { headers }));
  }
}

/** Every answer carries them, so that none is the odd one out. */
export function withSecurityHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.headers.set(name, value);
  return response;
}

/** One script of the page's modules and the library's own client. */
async function bundle(entrypoint: string): Promise<string> {
  if (!("bundle" in Deno)) {
    throw new Error("Cannot bundle the page: run with --unstable-bundle, as `deno task demo` does");
  }
  const result = await Deno.bundle({
    entrypoints: [new URL(entrypoint, PAGE).href],
    platform: "browser",
    write: false,
    minify: false,
    sourcemap: "inline",
  });
  const script = result.outputFiles?.[0]?.text();
  if (script === undefined) {
    throw new Error(`Cannot bundle the page: ${result.errors.map(({ text }) => text).join("; ")}`);
  }
  return script;
}
