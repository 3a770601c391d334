/// <reference lib="dom" />
/** A page without a framework that counts payments. */
import { BroadcastClient } from "@airwave/broadcast/client";

const client = new BroadcastClient();
const orders = client.channel<{ paid: { total: number } }>("orders.7");
const output = document.querySelector("#root") ?? document.body;
let total = 0;

orders.on("paid", ({ total: more }) => {
  total += more;
  output.textContent = `Sales: ${total}`;
});
// What may have been missed is not counted up but loaded anew.
orders.onLost(() => location.reload());
