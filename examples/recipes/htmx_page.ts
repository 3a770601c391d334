/// <reference lib="dom" />
/** The script of the page in htmx.ts. */
import "htmx.org/dist/htmx.esm.js";
import "htmx.org/dist/ext/hx-sse.js";

// Events may be missing since the last one that came: the page is loaded anew, and its list with it.
document.addEventListener("htmx:sse:error", (event) => {
  if (event instanceof CustomEvent && event.detail.status === 410) location.reload();
});
