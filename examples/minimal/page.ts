/// <reference lib="dom" />
import { BroadcastClient } from "@airwave/broadcast/client";
const clock = new BroadcastClient().channel<{ tick: string }>("clock");
clock.on("tick", (time) => document.querySelector("h1")?.replaceChildren(time));
