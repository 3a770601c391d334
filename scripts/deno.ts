import { ROOT } from "./project.ts";

/** How a run of `deno` ended. */
export interface Run {
  readonly success: boolean;
  /** What it printed. */
  readonly output: string;
}

/** Runs `deno` in silence. */
export async function runDeno(args: readonly string[]): Promise<Run> {
  const { success, stdout, stderr } = await command(args, "piped").output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stderr) + decoder.decode(stdout) };
}

/** Where and how to run `deno`. */
export interface ShowOptions {
  /** The project unless told. */
  readonly folder?: string;
  /** Test files at a time with `--parallel`; as many as the machine has cores unless told. */
  readonly jobs?: number | undefined;
}

/** Runs `deno` and shows what it prints as it comes; error output is shown only. */
export async function showDeno(
  args: readonly string[],
  { folder = ROOT, jobs }: ShowOptions = {},
): Promise<Run> {
  const env: Record<string, string> = jobs === undefined ? {} : { DENO_JOBS: String(jobs) };
  const child = command(args, "inherit", folder, env).spawn();
  const [shown, kept] = child.stdout.tee();
  const [output, { success }] = await Promise.all([
    new Response(kept).text(),
    child.status,
    shown.pipeTo(Deno.stdout.writable, { preventClose: true }),
  ]);
  return { success, output };
}

/** Without colours, so that its output can be read. */
function command(
  args: readonly string[],
  stderr: "inherit" | "piped",
  folder = ROOT,
  env: Readonly<Record<string, string>> = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr,
  });
}
