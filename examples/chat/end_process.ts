/** Asks a process to end, and waits until it has. */
export async function endProcess(process: Deno.ChildProcess): Promise<void> {
  try {
    process.kill("SIGTERM");
  } catch (error) {
    // It has ended by itself; Ctrl + C in a terminal reaches all of them.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
  await process.status;
}
