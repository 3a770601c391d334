import { ROOT } from "../../scripts/project.ts";

/** The script of a recipe's page in one file, as a browser takes it. */
export async function bundlePage(name: string): Promise<string> {
  const { outputFiles, errors } = await Deno.bundle({
    entrypoints: [`${ROOT}/examples/recipes/${name}.ts`],
    platform: "browser",
    write: false,
  });
  const script = outputFiles?.[0]?.text();
  if (script === undefined) throw new Error(`Cannot bundle ${name}: ${JSON.stringify(errors)}`);
  return script;
}

/** Answers a request with a text of some type. */
export function answer(type: string, body: string): Response {
  return new Response(body, { headers: { "content-type": type } });
}
