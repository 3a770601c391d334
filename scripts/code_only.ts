/**
 * Blanks what is not code in TypeScript: comments, and the text of strings, templates and regular
 * expressions. Expressions in templates stay, and so do line breaks, so that line numbers hold.
 */
export function codeOnly(source: string): string {
  let code = "";
  let index = 0;
  /** For each open template expression, how many braces are open in it. */
  const braces: number[] = [];

  function skip(length: number): void {
    code += source.slice(index, index + length).replace(/[^\n]/g, " ");
    index += length;
  }

  while (index < source.length) {
    const opaque = matchAt(COMMENT, source, index) ?? matchAt(STRING, source, index) ??
      matchRegularExpression(source, index, code);
    if (opaque !== undefined) {
      // A quote remains: what follows a string is no regular expression.
      const isComment = opaque.startsWith("//") || opaque.startsWith("/*");
      skip(opaque.length);
      if (!isComment) code = `${code.slice(0, -1)}"`;
      continue;
    }
    const character = source.charAt(index);
    const depth = braces.at(-1);
    if (character === "{" && depth !== undefined) braces[braces.length - 1] = depth + 1;
    if (character === "}" && depth !== undefined) braces[braces.length - 1] = depth - 1;
    const resumesTemplate = character === "}" && depth === 0;
    if (resumesTemplate) braces.pop();
    code += character;
    index++;
    if (character !== "`" && !resumesTemplate) continue;
    skip(matchAt(TEMPLATE_TEXT, source, index)?.length ?? 0);
    const end = matchAt(/`|\$\{/y, source, index) ?? "";
    if (end === "${") braces.push(0);
    code += end;
    index += end.length;
  }
  return code;
}

const COMMENT = /\/\/.*|\/\*[^]*?\*\//y;
const STRING = /"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'/y;
const TEMPLATE_TEXT = /(?:[^`\\$]|\\[^]|\$(?!\{))*/y;
const REGULAR_EXPRESSION = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y;

function matchRegularExpression(source: string, index: number, before: string): string | undefined {
  if (source.charAt(index) !== "/" || isOperand(before)) return;
  return matchAt(REGULAR_EXPRESSION, source, index);
}

/** Whether code ends in a value, so that a slash after it divides. */
function isOperand(code: string): boolean {
  const word = /[\w$]+\s*$/.exec(code)?.[0].trim();
  if (word !== undefined) return !KEYWORDS.has(word);
  return /[)\]}"`]\s*$/.test(code);
}

/** Words that a value follows. */
const KEYWORDS = new Set(
  "await case delete do else in instanceof new of return throw typeof void yield".split(" "),
);

function matchAt(pattern: RegExp, source: string, index: number): string | undefined {
  pattern.lastIndex = index;
  return pattern.exec(source)?.[0];
}
