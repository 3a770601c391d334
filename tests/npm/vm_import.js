/** Runs the bundle that it is given in a context that has the language and nothing else. */
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";

const exported = runInNewContext(`${readFileSync(process.argv[2], "utf8")}\nentry`, {});
console.log(Object.keys(exported).length > 0);
