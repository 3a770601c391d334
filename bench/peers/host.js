/**
 * What every server under test is started by: it opens the server, says where it is, and publishes
 * what the load asks for over a connection of its own, which costs every server the same.
 */
import net from "node:net";
import process from "node:process";

/** What the load asked to be served, the same for every server. */
export const scenario = JSON.parse(process.argv[2]);

/**
 * Starts a server and the connection that it is told by.
 *
 * @param {(scenario: any) => Promise<{ port: number, publish(channel: string, data: object): void,
 *   frame(channel: string, data: object): string }>} start
 * `frame` is the text that a subscriber receives: it says how much padding makes all messages alike.
 */
export async function host(start) {
  const { port, publish, frame } = await start(scenario);
  const bare = frame("c000", { s: "00000000", p: "" });
  const padding = "x".repeat(Math.max(0, scenario.messageBytes - bare.length));
  const control = net.createServer((socket) => {
    let rest = "";
    socket.setNoDelay();
    socket.on("data", (chunk) => {
      const lines = (rest + chunk.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      // A line is a sequence number of eight digits and a channel.
      for (const line of lines) publish(line.slice(8), { s: line.slice(0, 8), p: padding });
    });
    socket.on("close", () => process.exit());
  });
  control.listen(0, "127.0.0.1", () => {
    console.log(JSON.stringify({ port, control: control.address().port }));
  });
}
