/** What this module asks of a page, where there is one. */
interface PageGlobals {
  readonly document?: { readonly hidden: boolean };
  readonly location?: { readonly origin: string };
}

/** Typed as what may be there: the client runs where these do not exist. */
const page: PageGlobals = globalThis;

/**
 * Calls back when the network or the page's attention comes back: a good moment to look after the
 * connection. Returns what ends the watch; where there is no page nothing is watched.
 */
export function watchPage(onBack: () => void): AbortController {
  const watch = new AbortController();
  const { document } = page;
  // `visibilitychange` bubbles from the document to the window.
  for (const type of document ? ["online", "pageshow", "visibilitychange"] : []) {
    const look = () => {
      if (type === "online" || !document?.hidden) onBack();
    };
    addEventListener(type, look, watch);
  }
  return watch;
}

/** The address of the page's own server, or `undefined` where there is no page. */
export function pageOrigin(): string | undefined {
  return page.location?.origin;
}

/** In a page, an error that nobody listens for shows up on its console, as if it was thrown. */
export function reportOnPage(error: Error): void {
  if (page.document) reportError(error);
}
