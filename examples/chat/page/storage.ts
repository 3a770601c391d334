/// <reference lib="dom" />

const PREFIX = "airwave-chat.";

/** What this browser remembers; nothing where it is not allowed to. */
export function recall(key: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + key) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Full or forbidden: the page works without.
  }
}

/** Calls back when another tab of this browser remembered something under a key. */
export function onRemembered(key: string, listener: () => void): void {
  addEventListener("storage", (event) => {
    if (event.key === PREFIX + key) listener();
  });
}
