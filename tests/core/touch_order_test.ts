import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Place, TouchOrder } from "../../core/touch_order.ts";

Deno.test("the first is the one that was not touched for the longest, whatever is deleted", () => {
  const step = fc.record({ value: fc.nat({ max: 5 }), isTouched: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const order = new TouchOrder<number>();
    const places = Array.from({ length: 6 }, (_, value) => new Place(value));
    let expected: number[] = [];
    for (const { value, isTouched } of steps) {
      const place = places[value]!;
      expected = expected.filter((other) => other !== value);
      if (isTouched) {
        order.touch(place);
        expected.push(value);
      } else {
        order.delete(place);
      }
      assertEquals([order.first, order.size], [expected[0], expected.length]);
    }
    for (const value of expected) {
      assertEquals(order.first, value);
      order.delete(places[value]!);
    }
    assertEquals([order.first, order.size], [undefined, 0]);
  }));
});
