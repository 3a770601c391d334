import ts from "typescript";

/** Options of the compiler. */
export interface CompilerOptions {
  target: "ES2022";
  lib: ("ES2023" | "DOM" | "DOM.Iterable" | "ESNext.Disposable" | "ESNext.String")[];
  noUncheckedIndexedAccess: boolean;
}

/** Compiles sources to `esm/`, and their types to `types/`; throws on any error in them. */
export function compile(
  files: ReadonlyMap<string, string>,
  outDir: string,
  { lib, noUncheckedIndexedAccess }: CompilerOptions,
): void {
  const sources = new Map([...files].map(([path, text]) => [`${outDir}/src/${path}`, text]));
  const options: ts.CompilerOptions = {
    strict: true,
    noUncheckedIndexedAccess,
    target: ts.ScriptTarget.ES2022,
    lib: ts.convertCompilerOptionsFromJson({ lib }, outDir).options.lib ?? [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    isolatedModules: true,
    skipLibCheck: true,
    declaration: true,
    rootDir: `${outDir}/src`,
    outDir: `${outDir}/esm`,
    declarationDir: `${outDir}/types`,
  };
  const host = ts.createCompilerHost(options);
  const { directoryExists, fileExists, readFile, getSourceFile } = host;
  const isSourceFolder = (path: string) =>
    [...sources.keys()].some((s) => s.startsWith(`${path}/`));
  host.getCurrentDirectory = () => outDir;
  host.directoryExists = (path) => isSourceFolder(path) || directoryExists?.(path) !== false;
  host.fileExists = (path) => sources.has(path) || fileExists(path);
  host.readFile = (path) => sources.get(path) ?? readFile(path);
  host.getSourceFile = (path, version, ...rest) => {
    const text = sources.get(path);
    return text === undefined
      ? getSourceFile(path, version, ...rest)
      : ts.createSourceFile(path, text, version);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  const { diagnostics } = program.emit();
  const errors = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (errors.length > 0) throw new Error(`\n${ts.formatDiagnostics(errors, host)}`);
}
