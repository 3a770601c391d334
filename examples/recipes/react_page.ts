/// <reference lib="dom" />
/** A page in React that counts payments, see use_channel.ts. */
import { BroadcastClient } from "@airwave/broadcast/client";
// @ts-types="@types/react"
import { createElement, StrictMode, useState } from "react";
// @ts-types="@types/react-dom/client"
import { createRoot } from "react-dom/client";
import { useChannel } from "./use_channel.ts";

const client = new BroadcastClient();

function Sales() {
  const [total, setTotal] = useState(0);
  useChannel<{ paid: { total: number } }>(client, "orders.7", (orders) => {
    orders.on("paid", ({ total: more }) => setTotal((total) => total + more));
    // What may have been missed is not counted up but loaded anew.
    orders.onLost(() => location.reload());
  });
  return createElement("output", null, `Sales: ${total}`);
}

const root = document.querySelector("#root");
if (root !== null) createRoot(root).render(createElement(StrictMode, null, createElement(Sales)));
