import v8 from "node:v8";
import vm from "node:vm";

v8.setFlagsFromString("--expose-gc");

/** Has V8 collect all that nobody holds: what is hidden unless the flag above asks for it. */
export const collectGarbage: () => void = vm.runInNewContext("gc");
