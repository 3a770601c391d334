import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { PresenceInfo } from "@airwave/broadcast";
import { type PresenceWord, Roster, type RosterChange } from "../../core/roster.ts";

const word = (node: string, user: string, seq: number, isIn = true): PresenceWord => ({
  node,
  user,
  seq,
  member: isIn ? { id: user } : undefined,
});

const told = (changes: readonly RosterChange[]) =>
  changes.map((change) => change.type === "join" ? `+${change.member.id}` : `-${change.user}`);

const ids = (members: readonly PresenceInfo[]) => members.map(({ id }) => id).sort();

Deno.test("a user joins with the first node and leaves with the last", () => {
  const roster = new Roster();
  assertEquals(told(roster.apply(word("a", "ada", 1))), ["+ada"]);
  assertEquals(told(roster.apply(word("b", "ada", 1))), []);
  assertEquals(told(roster.apply(word("a", "ada", 2, false))), []);
  assertEquals(ids(roster.members), ["ada"]);
  assertEquals(told(roster.apply(word("b", "ada", 2, false))), ["-ada"]);
  assertEquals([roster.size, roster.nodes.size], [0, 0]);
});

Deno.test("a node's latest word wins, however often and late the others come", () => {
  const roster = new Roster();
  roster.apply(word("a", "ada", 3));
  assertEquals(told(roster.apply(word("a", "ada", 2, false))), []);
  assertEquals(told(roster.apply(word("a", "ada", 3))), []);
  assertEquals(told(roster.apply(word("a", "ada", 4, false))), ["-ada"]);
  assertEquals(told(roster.apply(word("a", "bob", 5, false))), []);
});

Deno.test("with a node go those who were there by way of it alone", () => {
  const roster = new Roster();
  for (const user of ["ada", "bob"]) roster.apply(word("a", user, 1));
  roster.apply(word("b", "bob", 1));
  assertEquals(told(roster.dropNode("a")), ["-ada"]);
  assertEquals(told(roster.dropNode("a")), []);
  assertEquals([...roster.nodes], ["b"]);
});

Deno.test("what the store says replaces what was known, and only differences are told", () => {
  const roster = new Roster();
  for (const user of ["ada", "bob", "__proto__"]) roster.apply(word("a", user, 1));
  const changes = roster.replace([word("a", "bob", 1), word("b", "eve", 9), word("b", "ada", 2)]);
  assertEquals(told(changes).sort(), ["+eve", "-__proto__"]);
  assertEquals(ids(roster.members), ["ada", "bob", "eve"]);
});

Deno.test("watchers who apply what they are told know exactly who is in", () => {
  const anyWord = fc.record({
    node: fc.constantFrom("a", "b", "c"),
    user: fc.constantFrom("ada", "bob", "eve", "constructor"),
    isIn: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(anyWord, fc.constantFrom("a", "b", "c"))), (steps) => {
      const roster = new Roster();
      const watched = new Set<string>();
      const truth = new Set<string>();
      for (const [seq, step] of steps.entries()) {
        const changes = typeof step === "string"
          ? roster.dropNode(step)
          : roster.apply(word(step.node, step.user, seq, step.isIn));
        if (typeof step === "string") {
          for (const key of truth) if (key.startsWith(`${step} `)) truth.delete(key);
        } else if (step.isIn) truth.add(`${step.node} ${step.user}`);
        else truth.delete(`${step.node} ${step.user}`);
        for (const change of changes) {
          if (change.type === "leave") assertEquals(watched.delete(change.user), true);
          else {
            assertEquals(watched.has(change.member.id), false);
            watched.add(change.member.id);
          }
        }
        const users = new Set([...truth].map((key) => key.slice(2)));
        assertEquals([...watched].sort(), [...users].sort());
        assertEquals(ids(roster.members), [...users].sort());
      }
    }),
  );
});
