/**
 * Runs the bundle that it is given in a context that has the language and nothing else, but for
 * `require` where it is told so.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { runInNewContext } from "node:vm";

const [, , path, ...names] = process.argv;
const globals = names.includes("require") ? { require: createRequire(import.meta.url) } : {};
const exported = runInNewContext(`${readFileSync(path, "utf8")}\nentry`, globals);
console.log(Object.keys(exported).length > 0);
