/** What this module asks of a page, where there is one. */
interface PageDocument extends EventTarget {
  readonly visibilityState: string;
}

interface PageGlobals {
  readonly document?: PageDocument;
  readonly location?: { readonly protocol: string; readonly host: string };
}

/**
 * Calls back when the network or the page's attention comes back: a good moment to try again.
 * Returns what ends the watch; where there is no page nothing is watched.
 */
export function watchPage(onBack: () => void): () => void {
  const { document } = globals();
  if (document === undefined) return () => {};
  const onVisible = () => {
    if (document.visibilityState === "visible") onBack();
  };
  globalThis.addEventListener("online", onBack);
  globalThis.addEventListener("pageshow", onBack);
  document.addEventListener("visibilitychange", onVisible);
  return () => {
    globalThis.removeEventListener("online", onBack);
    globalThis.removeEventListener("pageshow", onBack);
    document.removeEventListener("visibilitychange", onVisible);
  };
}

/** The address of the page's own server, or `undefined` where there is no page. */
export function pageOrigin(): string | undefined {
  const { location } = globals();
  if (location === undefined || !/^https?:$/.test(location.protocol)) return undefined;
  return `${location.protocol}//${location.host}`;
}

/** In a page, an error that nobody listens for shows up on its console, as if it was thrown. */
export function reportOnPage(error: Error): void {
  if (globals().document !== undefined) globalThis.reportError(error);
}

/** Typed as what may be there: the client runs where these do not exist. */
function globals(): PageGlobals {
  return globalThis as PageGlobals;
}
