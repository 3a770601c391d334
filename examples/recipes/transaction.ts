/** Publishing inside a transaction: the event is sent if and only if what it tells of was committed. */
import type { PostgresBroadcaster } from "@airwave/broadcast/postgres";
import type postgres from "postgres";

export async function payOrder(
  sql: postgres.Sql,
  broadcaster: PostgresBroadcaster,
  id: number,
): Promise<void> {
  await sql.begin(async (tx) => {
    const [order] = await tx<{ total: number }[]>`
      update orders set state = 'paid' where id = ${id} and state = 'open' returning total`;
    if (order === undefined) throw new Error(`Order ${id} is not open`);
    await broadcaster.publish(
      `orders.${id}`,
      { event: "paid", data: { total: order.total } },
      { tx },
    );
  });
}
