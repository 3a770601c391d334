/// <reference lib="dom" />
import { onRemembered, remember } from "./storage.ts";

/** What came of a log-in. */
export type LogInAnswer = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/**
 * Who is logged in. Only the server can tell, as scripts cannot read the cookie; the tabs of a
 * browser tell each other when it changed.
 */
export class Account {
  #name: string | undefined;
  #person: string | undefined;

  get name(): string | undefined {
    return this.#name;
  }

  /** Who this browser is for others in public rooms. */
  get person(): string | undefined {
    return this.#person;
  }

  /** Calls back when another tab logged in or out. */
  onChangeElsewhere(listener: () => void): void {
    onRemembered("session", listener);
  }

  /** Asks the server; keeps what it knew where there is no answer. */
  async refresh(): Promise<void> {
    try {
      const response = await fetch("/session");
      if (!response.ok) return;
      const answer: unknown = await response.json();
      this.#name = text(answer, "name");
      this.#person = text(answer, "person");
    } catch {
      // No connection; the page asks again when there is one.
    }
  }

  async logIn(form: HTMLFormElement): Promise<LogInAnswer> {
    const fields = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
    try {
      const response = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(fields),
      });
      const answer: unknown = await response.json();
      if (!response.ok) {
        return { ok: false, reason: text(answer, "reason") ?? "The server refused." };
      }
      this.#name = text(answer, "name");
    } catch {
      return { ok: false, reason: "The server does not answer. Try again in a moment." };
    }
    remember("session", String(Date.now()));
    return { ok: true };
  }

  /** False where the server did not answer: the log-in still holds then. */
  async logOut(): Promise<boolean> {
    try {
      const { ok } = await fetch("/logout", { method: "POST" });
      if (!ok) return false;
    } catch {
      return false;
    }
    this.#name = undefined;
    remember("session", String(Date.now()));
    return true;
  }
}

function text(answer: unknown, field: string): string | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const value = new Map<string, unknown>(Object.entries(answer)).get(field);
  return typeof value === "string" ? value : undefined;
}
