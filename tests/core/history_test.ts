import { assertEquals } from "@std/assert";
import { HistoryRing } from "../../core/history.ts";

const record = (id: string) => ({ id, event: "n", json: "null" });

Deno.test("a ring that is filled and drained for long keeps its order and its numbers", () => {
  const ring = new HistoryRing("e");
  for (let i = 1; i <= 1_000; i++) {
    ring.append(record(String(i)), i);
    if (ring.size > 10) ring.dropOldest();
  }
  const events = ring.after({ epoch: "e", offset: 990 }) ?? [];
  assertEquals(
    events.map(({ record }) => record.id),
    Array.from({ length: 10 }, (_, i) => `${991 + i}`),
  );
  assertEquals(ring.after({ epoch: "e", offset: 989 }), undefined);
  assertEquals(ring.after({ epoch: "e", offset: NaN }), undefined);
  assertEquals(ring.after({ epoch: "e", offset: 990.5 }), undefined);
  assertEquals([ring.size, ring.top.offset, ring.oldestAtMs], [10, 1_000, 991]);
});

Deno.test("an id is known as long as its event is stored, whenever somebody first asks", () => {
  const ring = new HistoryRing("e");
  for (const id of ["1", "2", "3"]) ring.append(record(id), 0);
  ring.dropOldest();
  const offsets = () => ["1", "2", "3", "4"].map((id) => ring.find(id)?.offset);
  assertEquals(offsets(), [undefined, 2, 3, undefined]);
  ring.append(record("4"), 0);
  ring.dropOldest();
  assertEquals(offsets(), [undefined, undefined, 3, 4]);
});
