/** The cookies of a request, by name. */
export function cookies(request: Request): ReadonlyMap<string, string> {
  const header = request.headers.get("cookie") ?? "";
  return new Map(
    header.split(/;\s*/).map((pair): [string, string] => {
      const [name = "", ...value] = pair.split("=");
      return [name, value.join("=")];
    }),
  );
}
