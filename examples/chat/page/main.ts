import { Chat } from "./chat.ts";

new Chat().start();
