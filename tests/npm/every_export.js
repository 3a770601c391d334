/** How many names each export of the installed package has. */
import { readFileSync } from "node:fs";

const file = new URL("node_modules/@airwave/broadcast/package.json", import.meta.url);
const { name, exports } = JSON.parse(readFileSync(file, "utf8"));
const names = Object.keys(exports).map((path) => path.replace(".", name));
const modules = await Promise.all(names.map((name) => import(name)));
export default modules.map((module) => Object.keys(module).length);
